import fc from 'fast-check'
import { expect, test } from 'vitest'
import { lastMinute, withMark, type Mark } from '../../shared/domain/last-minute.ts'

const mark = (at: number, tokens: number, requests = 0, toolCalls = 0): Mark => ({ at, tokens, requests, toolCalls })
const all = (...marks: Mark[]): readonly Mark[] => marks.reduce(withMark, [] as readonly Mark[])

test('the last minute is what came in it, and no more', () => {
  const marks = all(mark(0, 0), mark(10_000, 500, 1, 2), mark(50_000, 900, 2, 5), mark(65_000, 1_000, 3, 6))
  expect(lastMinute(marks, 65_000)).toEqual({ tokens: 1_000, requests: 3, toolCalls: 6 })
  expect(lastMinute(marks, 75_000)).toEqual({ tokens: 500, requests: 2, toolCalls: 4 })
  expect(lastMinute(marks, 130_000)).toEqual({ tokens: 0, requests: 0, toolCalls: 0 })
})

test('what a session had used before it was looked at is not counted, and a correction downwards is no use', () => {
  expect(lastMinute(all(mark(1_000, 700), mark(4_000, 900, 1)), 13_000)).toEqual({ tokens: 200, requests: 1, toolCalls: 0 })
  expect(lastMinute(all(mark(1_000, 700), mark(4_000, 600)), 13_000)).toEqual({ tokens: 0, requests: 0, toolCalls: 0 })
  expect(lastMinute([], 13_000)).toEqual({ tokens: 0, requests: 0, toolCalls: 0 })
})

test('however often it is told of, few marks are kept, and the sum is off by no more than came within a quarter of a second', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(2_000), fc.nat(50)), { minLength: 100, maxLength: 400 }), (steps) => {
      let [at, tokens] = [0, 0]
      let marks: readonly Mark[] = []
      const told: Mark[] = []
      for (const [after, more] of steps) {
        at += after
        tokens += more
        told.push(mark(at, tokens))
        marks = withMark(marks, mark(at, tokens))
      }
      expect(marks.length).toBeLessThanOrEqual(60_000 / 125 + 3)
      const upTo = (time: number): Mark => told.findLast((one) => one.at <= time) ?? mark(0, told[0]?.tokens ?? 0)
      const base = upTo(at - 60_000)
      const shown = lastMinute(marks, at).tokens
      expect(shown).toBeGreaterThanOrEqual(tokens - base.tokens)
      expect(shown).toBeLessThanOrEqual(tokens - upTo(base.at - 250).tokens)
    }),
  )
})
