import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createFinder } from '../../shared/domain/find-all.ts'

const naive = (patterns: readonly string[], text: string) =>
  patterns.flatMap((pattern) => Array.from({ length: text.length }, (_, start) => start).filter((start) => text.startsWith(pattern, start)).map((start) => ({ start, end: start + pattern.length })))
const sorted = (spans: { start: number; end: number }[]) => spans.toSorted((a, b) => a.start - b.start || a.end - b.end)

test('finds every place of every pattern, and nothing else', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '\u0161', '\u4161', '\n'), maxLength: 60 })
  const patterns = fc.uniqueArray(fc.string({ unit: fc.constantFrom('a', 'b', '\u0161', '\u4161'), minLength: 1, maxLength: 6 }), { maxLength: 6 })
  fc.assert(fc.property(patterns, letters, (some, text) => {
    expect(sorted(createFinder(some)(text))).toEqual(sorted(naive(some, text)))
  }), { numRuns: 2_000 })
})

test('a pattern longer than any window is found too', () => {
  const long = 'ab'.repeat(400)
  expect(createFinder([long])(`x${long}y`)).toEqual([{ start: 1, end: 801 }])
  expect(createFinder([long, 'x'])(`x${long.slice(1)}`)).toEqual([{ start: 0, end: 1 }])
})
