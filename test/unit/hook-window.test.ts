import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createHookWindow, watchHooks } from '../../shared/core/gateway/hook-window.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const create = () => {
  let missed = 0
  const state = { isRunning: true }
  const window = createHookWindow({ isRunning: () => state.isRunning, onMissed: () => (missed += 1), windowMs: 1_000 })
  return { window, state, missed: () => missed }
}

test('a call that no hook reports is told of, once: a false claim to have hooks buys nothing', () => {
  const { window, missed } = create()
  window.released('posed', 't1')
  window.released('posed', 't2')
  vi.advanceTimersByTime(999)
  expect(missed()).toBe(0)
  vi.advanceTimersByTime(60_000)
  expect(missed()).toBe(1)
})

test('nothing is told of calls that are reported, however long the one before them runs', () => {
  const { window, missed } = create()
  window.released('c', 't1')
  window.released('c', 't2')
  window.began('c', 't1')
  vi.advanceTimersByTime(3_600_000)
  window.ended('c', 't1')
  vi.advanceTimersByTime(999)
  window.began('c', 't2')
  window.ended('c', 't2')
  vi.advanceTimersByTime(60_000)
  expect(missed()).toBe(0)
})

test('a call left over after the one before it has ended is told of', () => {
  const { window, missed } = create()
  window.released('c', 't1')
  window.released('c', 't2')
  window.began('c', 't1')
  window.ended('c', 't1')
  vi.advanceTimersByTime(1_000)
  expect(missed()).toBe(1)
})

test('another conversation that runs something excuses nothing', () => {
  const { window, missed } = create()
  window.began('honest', 't1')
  window.released('posed', 't2')
  vi.advanceTimersByTime(1_000)
  expect(missed()).toBe(1)
})

test.each<[string, (window: ReturnType<typeof createHookWindow>) => void]>([
  ['the agent told what came of it', (window) => window.answered('t1')],
  ['the person stopped the agent', (window) => window.interrupted('c')],
  ['the session ended', (window) => window.close()],
])('nothing is told when %s', (_, happens) => {
  const { window, missed } = create()
  window.released('c', 't1')
  happens(window)
  vi.advanceTimersByTime(60_000)
  expect(missed()).toBe(0)
})

test('no time passes while the session is paused', () => {
  const { window, state, missed } = create()
  window.released('c', 't1')
  state.isRunning = false
  vi.advanceTimersByTime(60_000)
  expect(missed()).toBe(0)
  state.isRunning = true
  vi.advanceTimersByTime(1_000)
  expect(missed()).toBe(1)
})

test('from the first call that is not reported, every call is asked about at the gateway', () => {
  const judged: (string | null)[] = []
  const inner = {
    judge: (_: unknown, conversation: string | null) => {
      judged.push(conversation)
      return conversation === null ? Promise.resolve({ released: false as const, reason: 'no' }) : { released: true as const }
    },
    observe: () => undefined,
    heardFrom: () => undefined,
    promptOf: () => null,
    deniedAs: () => null,
    report: () => ({ kind: 'ask' as const }),
  }
  let missed = 0
  const { guard } = watchHooks(inner, { isBrokered: (tool) => tool === 'ours', isRunning: () => true, onMissed: () => (missed += 1), windowMs: 1_000 })
  const gone = new AbortController().signal
  const judge = (id: string, tool = 'Bash') => guard.judge({ id, tool, input: {} }, 'posed', gone)
  void judge('t0', 'ours')
  vi.advanceTimersByTime(60_000)
  void judge('t1')
  guard.observe([{ toolUseId: 't1', isError: true }])
  vi.advanceTimersByTime(60_000)
  expect(missed).toBe(0)
  void judge('t2')
  vi.advanceTimersByTime(1_000)
  expect(missed).toBe(1)
  void judge('t3')
  expect(judged).toEqual(['posed', 'posed', 'posed', null])
})
