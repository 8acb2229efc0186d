import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { LastMinute, Session } from '../../shared/contract/schemas/session.ts'
import { NO_TOKENS } from '../../shared/contract/schemas/usage.ts'
import { createSessionRegistry } from '../../shared/core/supervisor/session-registry.ts'
import { usageLines } from '../../shared/host/cli/render.ts'
import { aSession } from '../support/shell-state.ts'

beforeEach(() => void vi.useFakeTimers({ now: 0 }))
afterEach(() => void vi.useRealTimers())

const setUp = () => {
  const told: (LastMinute & { at: number })[] = []
  const registry = createSessionRegistry(({ lastMinute }) => void told.push({ at: Date.now(), ...lastMinute }), { now: () => Date.now() })
  const session: Session = { ...aSession('b'), state: 'running' }
  registry.add({ ...session, usage: { ...session.usage, requests: 0 } })
  const uses = (requests: number, output: number) => registry.apply(session.id, { type: 'usage-counted', usage: { ...session.usage, requests, tokens: { ...NO_TOKENS, output } } })
  const calls = () => registry.apply(session.id, { type: 'tool-call-counted', class: 'read', denied: false })
  told.splice(0)
  return { told, registry, id: session.id, uses, calls }
}

test('each event of a session says what came in its last minute, and one more follows within a second of each fall, the last at nothing', () => {
  const { told, registry, id, uses, calls } = setUp()
  uses(1, 100)
  vi.advanceTimersByTime(30_000)
  calls()
  uses(2, 350)
  expect(told.splice(0)).toEqual([
    { at: 0, requests: 1, tokens: 100, toolCalls: 0 },
    { at: 30_000, requests: 1, tokens: 100, toolCalls: 1 },
    { at: 30_000, requests: 2, tokens: 350, toolCalls: 1 },
  ])
  vi.advanceTimersByTime(200_000)
  expect(told).toEqual([
    { at: 60_000, requests: 1, tokens: 250, toolCalls: 1 },
    { at: 90_000, requests: 0, tokens: 0, toolCalls: 0 },
  ])
  expect(vi.getTimerCount()).toBe(0)
  expect(registry.get(id).usage.tokens.output).toBe(350)
})

test('a session that is over uses nothing, and is told of no more', () => {
  const { told, registry, id, uses } = setUp()
  uses(1, 100)
  registry.apply(id, { type: 'ended', at: 0, exitCode: 0 })
  uses(2, 200)
  vi.advanceTimersByTime(200_000)
  expect(told).toEqual([{ at: 0, requests: 1, tokens: 100, toolCalls: 0 }, { at: 0, requests: 0, tokens: 0, toolCalls: 0 }, { at: 0, requests: 0, tokens: 0, toolCalls: 0 }])
})

test('the command line shows it beside what was used in all', () => {
  const { registry, uses, calls } = setUp()
  uses(2, 1_250)
  calls()
  expect(usageLines(registry.list())).toEqual([expect.stringMatching(/CAP +LAST MINUTE$/), expect.stringMatching(/ 1,250 tokens, 2 requests, 1 call$/)])
  vi.advanceTimersByTime(61_000)
  expect(usageLines(registry.list())[1]).toMatch(/ -$/)
})
