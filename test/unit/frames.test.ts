import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_FRAME_BYTES } from '../../shared/contract/protocol.ts'
import { createFrameReader } from '../../shared/core/transports/frames.ts'

const readAll = (chunks: readonly Buffer[]): string[] => {
  const frames: string[] = []
  const read = createFrameReader((frame) => frames.push(frame))
  for (const chunk of chunks) read(chunk)
  return frames
}

const cut = (bytes: Buffer, places: readonly number[]): Buffer[] => {
  const at = [0, ...[...places].sort((a, b) => a - b).map((place) => place % (bytes.length + 1)), bytes.length].sort(
    (a, b) => a - b,
  )
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end))
}

describe('the frame reader', () => {
  test('gives the same frames however the bytes are cut, inside a character too', () => {
    const frame = fc.string({ unit: 'grapheme' }).map((text) => JSON.stringify(text))
    fc.assert(
      fc.property(fc.array(frame), fc.array(fc.nat(10_000)), (frames, places) => {
        const bytes = Buffer.from(frames.map((text) => `${text}\n`).join(''))
        expect(readAll(cut(bytes, places))).toEqual(frames)
      }),
    )
  })

  test('keeps back a frame that is not ended', () => {
    expect(readAll([Buffer.from('{"a":1}\n{"b"')])).toEqual(['{"a":1}'])
  })

  test('takes a frame of exactly the longest length and refuses one byte more, ended or not', () => {
    const longest = Buffer.alloc(MAX_FRAME_BYTES, 'x')
    expect(readAll([longest, Buffer.from('\n')]).map(({ length }) => length)).toEqual([8_388_608])
    expect(() => readAll([longest, Buffer.from('x')])).toThrow('longer than 8388608 bytes')
    expect(() => readAll([longest, Buffer.from('x\n')])).toThrow('longer than 8388608 bytes')
  })

  test('refuses what is not UTF-8', () => {
    expect(() => readAll([Buffer.from([0x22, 0xc3, 0x28, 0x22, 0x0a])])).toThrow('not UTF-8')
  })
})
