import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ProfileLimits } from '../../shared/core/policy/agent-profile.ts'
import { createPace } from '../../shared/core/supervisor/pace.ts'
import { activeMs, ALWAYS_ACTIVE, pauseTime, resumeTime } from '../../shared/domain/active-time.ts'
import { takePlace, type RateWindow } from '../../shared/domain/rate-window.ts'
import { SESSION } from '../support/fakes.ts'
import { NO_LIMITS } from '../support/supervision.ts'

describe('a rate', () => {
  it('lets no minute, wherever it begins, hold more than it says', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(fc.nat(30_000), { maxLength: 40 }), (perMinute, gaps) => {
        let window: RateWindow = []
        let now = 0
        const taken: number[] = []
        for (const gap of gaps) {
          now += gap
          const place = takePlace(window, { perMinute, now, maxWaitMs: 60_000 })
          if (place === null) continue
          window = place.window
          expect(place.at).toBeGreaterThanOrEqual(now)
          taken.push(place.at)
        }
        for (const from of taken) expect(taken.filter((at) => at >= from && at < from + 60_000).length).toBeLessThanOrEqual(perMinute)
      }),
    )
  })

  it('gives those who wait their places in turn, and none that is too far away', () => {
    const rate = { perMinute: 1, now: 0, maxWaitMs: 60_000 }
    const first = takePlace([], rate)
    const second = takePlace(first?.window ?? [], rate)
    expect([first?.at, second?.at]).toEqual([0, 60_000])
    expect(takePlace(second?.window ?? [], rate)).toBeNull()
    expect(takePlace(second?.window ?? [], { ...rate, now: 60_000 })?.at).toBe(120_000)
  })

  it('stands still in a pause', () => {
    const paused = pauseTime(ALWAYS_ACTIVE, 1_000)
    expect(activeMs(paused, 9_000)).toBe(1_000)
    expect(activeMs(pauseTime(paused, 5_000), 9_000)).toBe(1_000)
    expect(activeMs(resumeTime(paused, 9_000), 9_500)).toBe(1_500)
  })
})

describe('the pace of a session', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  const setUp = (limits: Partial<ProfileLimits>) => {
    const due: string[] = []
    const pace = createPace({ clock: { now: () => Date.now() }, limitsOf: () => ({ ...NO_LIMITS, ...limits }), onReviewDue: (_, reason) => void due.push(reason) })
    const events: string[] = []
    const gone = new AbortController()
    const admit = (name: string, action: 'tool-call' | 'model-request' = 'tool-call') => {
      const late = pace.admit(SESSION, action, gone.signal)
      if (late === null) events.push(`${name} at once`)
      else void late.then((reason) => events.push(reason === null ? `${name} later` : `${name} denied: ${reason}`))
    }
    return { pace, due, events, admit, gone }
  }

  it('makes a call wait for its place rather than fail, and denies with the limit by name what would wait too long', async () => {
    const { events, admit } = setUp({ toolCallsPerMinute: 1 })
    for (const name of ['first', 'second', 'third']) admit(name)
    admit('model', 'model-request')
    await vi.advanceTimersByTimeAsync(59_999)
    expect(events).toEqual([
      'first at once',
      'model at once',
      'third denied: the limit for tool calls is 1 a minute (limits.toolCallsPerMinute), and too many wait already. Try again in a minute.',
    ])
    await vi.advanceTimersByTimeAsync(1)
    expect(events.at(-1)).toBe('second later')
  })

  it('does not let the minute run while the session is paused, and lets nothing go on then', async () => {
    const { pace, events, admit } = setUp({ modelRequestsPerMinute: 1 })
    admit('first', 'model-request')
    admit('second', 'model-request')
    await vi.advanceTimersByTimeAsync(30_000)
    pace.pauseSession(SESSION)
    admit('call')
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(events).toEqual(['first at once'])
    pace.resumeSession(SESSION)
    await vi.advanceTimersByTimeAsync(29_999)
    expect(events).toEqual(['first at once', 'call later'])
    await vi.advanceTimersByTimeAsync(1)
    expect(events.at(-1)).toBe('second later')
  })

  it('lets go whoever waits when the session ends or the asker has gone', async () => {
    const { pace, events, admit, gone } = setUp({ toolCallsPerMinute: 1 })
    admit('first')
    admit('second')
    gone.abort()
    await vi.advanceTimersByTimeAsync(0)
    expect(events.at(-1)).toBe('second later')
    pace.pauseSession(SESSION)
    pace.endSession(SESSION)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('asks for a review after the minutes that the session ran, and after what it spent, once each until it goes on', async () => {
    const { pace, due } = setUp({ reviewEvery: { minutes: 2, usd: 0.5 } })
    pace.begin(SESSION)
    await vi.advanceTimersByTimeAsync(60_000)
    pace.pauseSession(SESSION)
    await vi.advanceTimersByTimeAsync(600_000)
    pace.resumeSession(SESSION)
    await vi.advanceTimersByTimeAsync(119_999)
    expect(due).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(due).toEqual(['review due after 2 minutes: look at what was done, then resume'])
    pace.resumeSession(SESSION)
    pace.spent(SESSION, 499_999)
    expect(due).toHaveLength(1)
    pace.spent(SESSION, 500_000)
    pace.spent(SESSION, 700_000)
    expect(due).toHaveLength(2)
    expect(pace.whileActive(SESSION, new AbortController().signal)).not.toBeNull()
  })

  it('keeps a review that is weeks away', async () => {
    const { pace, due } = setUp({ reviewEvery: { minutes: 50_000 } })
    pace.begin(SESSION)
    await vi.advanceTimersByTimeAsync(50_000 * 60_000 - 1)
    expect(due).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(due).toHaveLength(1)
  })
})
