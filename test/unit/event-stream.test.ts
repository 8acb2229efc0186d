import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createEventSplitter, dataText } from '../../shared/core/gateway/event-stream.ts'
import { cut } from '../support/stream.ts'

const split = (chunks: readonly Buffer[]) => {
  const splitter = createEventSplitter(1_000)
  const events = chunks.flatMap((chunk) => splitter.push(chunk))
  return { datas: events.map(dataText), bytes: Buffer.concat([...events.map(({ raw }) => raw), splitter.rest()]).toString() }
}

test('however lines are ended, mixed too, and bytes are cut, each event is seen on its own, and no byte is lost', () => {
  const line = fc.constantFrom('data: {"a":1}', 'data:x', 'data', 'data: é✓', 'event: y', ': a comment', 'database: no', 'id: 1')
  const ends = fc.constantFrom('\n', '\r\n', '\r')
  const anEvent = fc.record({ lines: fc.array(fc.tuple(line, ends), { minLength: 1, maxLength: 4 }), end: ends })
  fc.assert(
    fc.property(fc.array(anEvent, { maxLength: 6 }), fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 4 }), (events, sizes) => {
      // A CR before a blank line's LF would make one line end of the two.
      const text = events.map(({ lines, end }) => lines.map(([words, lineEnd]) => words + (lineEnd === '\r' && end === '\n' ? '\n' : lineEnd)).join('') + end).join('')
      const expected = events.map(({ lines }) => {
        const datas = lines.flatMap(([words]) => (/^data(:|$)/.test(words) ? [words.replace(/^data:? ?/, '')] : []))
        return datas.length === 0 ? null : datas.join('\n')
      })
      const { datas, bytes } = split(cut(Buffer.from(text), sizes))
      expect(datas.filter((data) => data !== null)).toEqual(expected.filter((data) => data !== null))
      expect(bytes).toBe(text)
    }),
  )
})

test('two events that only a mixed line end parts are two', () => {
  expect(split([Buffer.from('data: 1\n\r\ndata: 2\r\n\ndata: 3\r\r\n')]).datas).toEqual(['1', '2', '3'])
})

test('a byte order mark hides no event', () => {
  expect(split([Buffer.from('\ufeffdata: 1\n\n')]).datas).toEqual(['1'])
})

test('an event without end is not kept for ever', () => {
  const splitter = createEventSplitter(1_000)
  splitter.push(Buffer.alloc(900, 'a'))
  expect(() => splitter.push(Buffer.alloc(200, 'a'))).toThrow('above 1000 bytes')
})
