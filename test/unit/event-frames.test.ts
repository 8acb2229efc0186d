import { crc32 } from 'node:zlib'
import { EventStreamCodec } from '@smithy/core/event-streams'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EVENT_FRAMES, frameOf } from '../../shared/core/gateway/event-frames.ts'
import { dataText } from '../../shared/core/gateway/event-stream.ts'
import { cut } from '../support/stream.ts'

/** AWS's own encoder and decoder, to compare with. */
const codec = new EventStreamCodec((bytes) => (typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('utf8')), (text) => Buffer.from(text, 'utf8'))
const encode = (type: string, body: string, kind = 'event'): Buffer =>
  Buffer.from(codec.encode({ headers: { [`:${kind}-type`]: { type: 'string', value: type }, ':message-type': { type: 'string', value: kind }, 'of-the-future': { type: 'long', value: { bytes: new Uint8Array(8) } as never }, flag: { type: 'boolean', value: true } }, body: Buffer.from(body) }))
const chunk = (json: unknown): Buffer => encode('chunk', JSON.stringify({ bytes: Buffer.from(JSON.stringify(json)).toString('base64'), p: 'abcdef' }))

const split = (chunks: readonly Buffer[], limit = 100_000) => {
  const splitter = EVENT_FRAMES.split(limit)
  const events = chunks.flatMap((part) => splitter.push(part))
  return { datas: events.map((event) => dataText(event)), bytes: Buffer.concat([...events.map(({ raw }) => raw), splitter.rest()]) }
}

test('events that AWS’s own encoder framed come back, however their bytes are cut, and no byte is lost', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue(), { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 4 }), (events, sizes) => {
      const bytes = Buffer.concat(events.map(chunk))
      const seen = split(cut(bytes, sizes))
      expect(seen.datas).toEqual(events.map((json) => JSON.stringify(json)))
      expect(seen.bytes.equals(bytes)).toBe(true)
    }),
  )
})

test('a frame of ours is read by AWS’s own decoder, and by ours', () => {
  const json = { type: 'content_block_delta', delta: { text: 'Zürich ✓' } }
  const { headers, body } = codec.decode(frameOf(json))
  expect(Object.fromEntries(Object.entries(headers).map(([name, { value }]) => [name, value]))).toEqual({ ':event-type': 'chunk', ':content-type': 'application/json', ':message-type': 'event' })
  expect(JSON.parse(Buffer.from((JSON.parse(Buffer.from(body).toString()) as { bytes: string }).bytes, 'base64').toString())).toEqual(json)
  expect(split([frameOf(json)]).datas).toEqual([JSON.stringify(json)])
})

test('an exception is passed on as it came', () => {
  const bytes = encode('throttlingException', '{"message":"Too many tokens."}', 'exception')
  expect(split([bytes])).toEqual({ datas: ['{"message":"Too many tokens."}'], bytes })
})

const damaged = (at: number): Buffer => {
  const bytes = chunk({ type: 'ping' })
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
  return bytes
}

test.each<[string, Buffer[], string]>([
  ['whose length is damaged', [damaged(3)], 'checksum of a frame’s length'],
  ['whose payload is damaged', [damaged(100)], 'checksum of a frame'],
  ['whose checksum is damaged', [damaged(chunk({ type: 'ping' }).length - 1)], 'checksum of a frame'],
  ['that never ends', [chunk({ type: 'ping' }).subarray(0, 50)], 'ends within a frame'],
  ['above the limit', [chunk('x'.repeat(200_000)).subarray(0, 12)], 'above 100000 bytes'],
  ['whose chunk is not JSON', [encode('chunk', 'no')], 'a chunk is not JSON'],
  ['whose chunk is not base64', [encode('chunk', '{"bytes":"{}{}"}')], 'a chunk without base64'],
])('a frame %s breaks the stream', (_, chunks, message) => {
  expect(() => split(chunks)).toThrow(message)
})

test('a frame that claims to be shorter than its parts breaks the stream', () => {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(20)
  head.writeUInt32BE(10, 4)
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(head))
  expect(() => split([Buffer.concat([head, sum, Buffer.alloc(8)])])).toThrow('the length of a frame')
})
