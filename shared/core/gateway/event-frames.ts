import { crc32 } from 'node:zlib'
import type { Framing, StreamEvent } from './event-stream.ts'
import { type Fields, isFields } from '../../domain/json-fields.ts'

/** Total length, length of the headers, and a CRC32 of both; behind the payload stands one of the whole frame. */
const PRELUDE_BYTES = 12
const CRC_BYTES = 4
/** Sizes of header values by their type; null where the value says its own. */
const VALUE_BYTES = [0, 0, 1, 2, 4, 8, null, null, 8, 16] as const
const TEXT = 7
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

const malformed = (what: string): RangeError => new RangeError(`the provider's event stream is malformed: ${what}`)

const lengthOf = (bytes: Buffer, at: number, maxBytes: number): number => {
  const total = bytes.readUInt32BE(at)
  if (bytes.readUInt32BE(at + 8) !== crc32(bytes.subarray(at, at + 8))) throw malformed('the checksum of a frame’s length')
  if (total > maxBytes) throw new RangeError(`an event is above ${maxBytes} bytes`)
  if (total < PRELUDE_BYTES + bytes.readUInt32BE(at + 4) + CRC_BYTES) throw malformed('the length of a frame')
  return total
}

const textHeaders = (bytes: Buffer): ReadonlyMap<string, string> => {
  const headers = new Map<string, string>()
  let at = 0
  const take = (count: number): Buffer => {
    const part = bytes.subarray(at, at + count)
    if (part.length < count) throw malformed('a header')
    at += count
    return part
  }
  while (at < bytes.length) {
    const name = take(take(1).readUInt8()).toString('utf8')
    const type = take(1).readUInt8()
    const size = VALUE_BYTES[type]
    if (size === undefined || headers.has(name)) throw malformed('a header')
    const value = take(size ?? take(2).readUInt16BE())
    headers.set(name, type === TEXT ? value.toString('utf8') : '')
  }
  return headers
}

/** An event of the model's API stands in a chunk as base64 in JSON. */
const chunkData = (payload: Buffer): Buffer => {
  let chunk: unknown
  try {
    chunk = JSON.parse(payload.toString('utf8'))
  } catch {
    throw malformed('a chunk is not JSON')
  }
  const bytes = isFields(chunk) ? chunk['bytes'] : undefined
  if (typeof bytes !== 'string' || bytes.length % 4 !== 0 || !BASE64.test(bytes)) throw malformed('a chunk without base64')
  return Buffer.from(bytes, 'base64')
}

const readFrame = (raw: Buffer): StreamEvent => {
  const end = raw.length - CRC_BYTES
  if (raw.readUInt32BE(end) !== crc32(raw.subarray(0, end))) throw malformed('the checksum of a frame')
  const from = PRELUDE_BYTES + raw.readUInt32BE(4)
  const headers = textHeaders(raw.subarray(PRELUDE_BYTES, from))
  const payload = raw.subarray(from, end)
  const isChunk = headers.get(':message-type') === 'event' && headers.get(':event-type') === 'chunk'
  return { raw, dataLines: 1, data: isChunk ? chunkData(payload) : payload }
}

const header = (name: string, value: string): Buffer => {
  const [nameBytes, valueBytes] = [Buffer.from(name), Buffer.from(value)]
  const size = Buffer.alloc(2)
  size.writeUInt16BE(valueBytes.length)
  return Buffer.concat([Buffer.from([nameBytes.length]), nameBytes, Buffer.from([TEXT]), size, valueBytes])
}

const CHUNK_HEADERS = Buffer.concat([header(':event-type', 'chunk'), header(':content-type', 'application/json'), header(':message-type', 'event')])

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** One event of the model's API as a frame. */
export const frameOf = (json: Fields): Buffer => {
  const payload = Buffer.from(JSON.stringify({ bytes: Buffer.from(JSON.stringify(json)).toString('base64') }))
  const lengths = Buffer.concat([uint32(PRELUDE_BYTES + CHUNK_HEADERS.length + payload.length + CRC_BYTES), uint32(CHUNK_HEADERS.length)])
  const frame = Buffer.concat([lengths, uint32(crc32(lengths)), CHUNK_HEADERS, payload])
  return Buffer.concat([frame, uint32(crc32(frame))])
}

/**
 * `application/vnd.amazon.eventstream`, as Bedrock's InvokeModelWithResponseStream answers (AWS, "Event stream
 * encoding"). What does not hold together is thrown as RangeError, half a frame at the end too: nothing is guessed.
 */
export const EVENT_FRAMES: Framing = {
  contentType: 'application/vnd.amazon.eventstream',
  split: (maxBytes) => {
    let chunks: Buffer[] = []
    let size = 0
    let wanted = PRELUDE_BYTES
    return {
      push(chunk) {
        chunks.push(chunk)
        size += chunk.length
        if (size < wanted) return []
        const bytes = chunks.length === 1 ? chunk : Buffer.concat(chunks, size)
        const events: StreamEvent[] = []
        let at = 0
        for (;;) {
          wanted = bytes.length - at < PRELUDE_BYTES ? PRELUDE_BYTES : lengthOf(bytes, at, maxBytes)
          if (bytes.length - at < wanted) break
          events.push(readFrame(bytes.subarray(at, at + wanted)))
          at += wanted
        }
        size = bytes.length - at
        chunks = size === 0 ? [] : [bytes.subarray(at)]
        return events
      },
      rest() {
        if (size > 0) throw malformed('it ends within a frame')
        return Buffer.alloc(0)
      },
    }
  },
}
