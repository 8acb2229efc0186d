import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { SessionId } from '../../shared/contract/ids.ts'
import { createLiveUsage } from '../../shared/core/gateway/live-usage.ts'
import { createBudgetMeter } from '../../shared/domain/budget-meter.ts'
import { PRICE_TABLE } from '../../shared/domain/price-table.ts'
import { NO_TOKENS } from '../../shared/contract/schemas/usage.ts'

const [ONE, TWO] = [SessionId.parse('ses_222222222222'), SessionId.parse('ses_333333333333')]

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const setUp = () => {
  const told: [SessionId, number, number][] = []
  const live = createLiveUsage((sessionId, { tokens }) => told.push([sessionId, tokens.output, Date.now()]))
  const meter = createBudgetMeter({ caps: { microUsd: null, tokens: null }, priceTable: PRICE_TABLE })
  const result = meter.reserve({ unbounded: 'as there is no cap' })
  if (result.kind !== 'reserved') throw new Error('no room')
  const sees = (output: number, sessionId = ONE): void => {
    const model = 'claude-opus-5-5'
    result.reservation.observe({ messageId: 'm', model, parts: [{ model, tokens: { ...NO_TOKENS, output } }], terms: { webSearches: 0, standard: true, usOnly: false }, stopReason: null })
    live.changed(sessionId, meter.usage)
  }
  vi.setSystemTime(0)
  return { told, live, sees }
}

it('many changes are told of as one, the newest, within 50 ms of the first', () => {
  const { told, sees } = setUp()
  for (let output = 1; output <= 100; output += 1) {
    sees(output)
    vi.advanceTimersByTime(1)
  }
  expect(told).toEqual([[ONE, 40, 40], [ONE, 80, 80]])
  vi.advanceTimersByTime(50)
  expect(told.slice(2)).toEqual([[ONE, 100, 120]])
  vi.advanceTimersByTime(1_000)
  expect(told).toHaveLength(3)
})

it('once a request is over its figure is told of exactly and at once, without a word of other sessions', () => {
  const { told, live, sees } = setUp()
  sees(7)
  sees(8, TWO)
  live.settle(ONE)
  expect(told).toEqual([[ONE, 8, 0]])
  live.settle(ONE)
  vi.advanceTimersByTime(1_000)
  expect(told).toEqual([[ONE, 8, 0], [TWO, 8, 40]])
})
