import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { SessionId } from '../../shared/contract/ids.ts'
import type { ProfileLimits } from '../../shared/core/policy/agent-profile.ts'
import { createPace } from '../../shared/core/supervisor/pace.ts'
import { activeMs, ALWAYS_ACTIVE, pauseTime, resumeTime } from '../../shared/domain/active-time.ts'
import { type PacedAction, ratesOf, type RateWindows, takePlaces } from '../../shared/domain/rates.ts'
import { SESSION } from '../support/fakes.ts'
import { NO_LIMITS } from '../support/supervision.ts'

const CALL: PacedAction = { kind: 'tool-call', tool: 'Bash', class: 'write', hash: 'a' }
const REQUEST: PacedAction = { kind: 'model-request' }

describe('a rate', () => {
  const take = (limits: Partial<ProfileLimits>) => {
    const rates = ratesOf({ ...NO_LIMITS, ...limits })
    let windows: RateWindows = new Map()
    return (now: number, action: PacedAction = CALL, maxWaitMs = 60_000): number | string => {
      const place = takePlaces(windows, rates, action, { now, maxWaitMs })
      if ('over' in place) return `${place.over.name} ${place.waitMs}`
      windows = place.windows
      return place.at
    }
  }

  it('lets no span of its length, wherever it begins, hold more than it says, with others beside it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 20 }), fc.array(fc.nat(30_000), { maxLength: 60 }), (perMinute, perHour, gaps) => {
        const next = take({ toolCallsPerMinute: perMinute, rates: [{ class: 'write', perHour }] })
        let now = 0
        const taken: number[] = []
        for (const gap of gaps) {
          now += gap
          const at = next(now)
          if (typeof at === 'string') continue
          expect(at).toBeGreaterThanOrEqual(now)
          taken.push(at)
        }
        const most = (span: number) => Math.max(0, ...taken.map((from) => taken.filter((at) => at >= from && at < from + span).length))
        expect(most(60_000)).toBeLessThanOrEqual(perMinute)
        expect(most(3_600_000)).toBeLessThanOrEqual(perHour)
      }),
    )
  })

  it('gives those who wait their places in turn, and none that is too far away', () => {
    const next = take({ toolCallsPerMinute: 1 })
    expect([next(0), next(0), next(0), next(60_000)]).toEqual([0, 60_000, 'limits.toolCallsPerMinute 120000', 120_000])
  })

  it('is by class, by tool, by the very same call and by the hour, each by itself', () => {
    const hour = 'limits.rates'
    const next = take({ sameCallPerHour: 2, modelRequestsPerHour: 1, rates: [{ class: 'destructive', perHour: 1 }, { tool: 'mcp__db__*', perMinute: 1 }, { tool: 'Bash', class: 'read', perMinute: 1 }] })
    const call = (changes: Partial<Extract<PacedAction, { kind: 'tool-call' }>>): PacedAction => ({ kind: 'tool-call', tool: 'Bash', class: 'write', hash: String(Math.random()), ...changes })
    expect([next(0, call({ hash: 'x' })), next(0, call({ hash: 'x' })), next(0, call({ hash: 'x' }), 0), next(0, call({ hash: 'y' }))]).toEqual([0, 0, 'limits.sameCallPerHour 3600000', 0])
    expect([next(0, call({ class: 'destructive' })), next(0, call({ class: 'destructive' }))]).toEqual([0, `${hour}[0] 3600000`])
    expect([next(0, call({ tool: 'mcp__db__query' })), next(0, call({ tool: 'mcp__db__list' }), 0), next(0, call({ tool: 'mcp__other__x' }))]).toEqual([0, `${hour}[1] 60000`, 0])
    expect([next(0, call({ class: 'read' })), next(0, call({ class: 'read' }), 0), next(0, call({ class: 'read', tool: 'Read' }))]).toEqual([0, `${hour}[2] 60000`, 0])
    expect([next(0, REQUEST), next(0, REQUEST), next(3_600_000, REQUEST)]).toEqual([0, 'limits.modelRequestsPerHour 3600000', 3_600_000])
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
    const pace = createPace({ clock: { now: () => Date.now() }, limitsOf: () => ({ ...NO_LIMITS, ...limits }), onReviewDue: (_, reason) => void due.push(reason), onOverLimit: (_, reason) => void due.push(reason) })
    const events: string[] = []
    const gone = new AbortController()
    const admit = (name: string, action: PacedAction = CALL) => {
      const late = pace.admit(SESSION, action, gone.signal)
      if (late === null) events.push(`${name} at once`)
      else void late.then((held) => events.push(held === null ? `${name} later` : 'ask' in held ? `${name} asks: ${held.ask.rule} (${held.ask.source})` : `${name} denied: ${held.denied}`))
    }
    return { pace, due, events, admit, gone }
  }

  it('makes a call wait for its place rather than fail, and denies with the limit by name what would wait too long', async () => {
    const { events, admit } = setUp({ toolCallsPerMinute: 1 })
    for (const name of ['first', 'second', 'third']) admit(name)
    admit('model', REQUEST)
    await vi.advanceTimersByTimeAsync(59_999)
    expect(events).toEqual([
      'first at once',
      'model at once',
      'third denied: the limit for tool calls is 1 a minute (limits.toolCallsPerMinute), and its turn would come in 2 min. Try again then.',
    ])
    await vi.advanceTimersByTimeAsync(1)
    expect(events.at(-1)).toBe('second later')
  })

  it('keeps nobody waiting for another session: each has its own turns, in the order it asked for them', async () => {
    const { pace, gone } = setUp({ modelRequestsPerMinute: 2 })
    const other = SessionId.parse('ses_333333333333')
    const turns: string[] = []
    const ask = (sessionId: SessionId, name: string): void => void Promise.resolve(pace.admit(sessionId, REQUEST, gone.signal)).then(() => turns.push(name))
    for (let index = 1; index <= 4; index += 1) ask(SESSION, `greedy ${index}`)
    for (let index = 1; index <= 3; index += 1) ask(other, `modest ${index}`)
    await vi.advanceTimersByTimeAsync(59_999)
    expect(turns).toEqual(['greedy 1', 'greedy 2', 'modest 1', 'modest 2'])
    await vi.advanceTimersByTimeAsync(1)
    expect(turns.slice(4).toSorted()).toEqual(['greedy 3', 'greedy 4', 'modest 3'])
  })

  it('asks a person over the limit, where the profile wants that', () => {
    const { events, admit } = setUp({ toolCallsPerMinute: 1, overLimit: 'ask' })
    admit('first')
    admit('second')
    return Promise.resolve().then(() => expect(events).toEqual(['first at once', 'second asks: limits.toolCallsPerMinute: 1 a minute (profile)']))
  })

  it.each([['pause', CALL, { toolCallsPerHour: 1 }, 'tool calls is 1 a hour (limits.toolCallsPerHour)'], ['ask', REQUEST, { modelRequestsPerMinute: 1 }, 'model requests is 1 a minute (limits.modelRequestsPerMinute)']] as const)(
    'pauses the session over the limit, where the profile wants %s of a %j, and lets it go on from there when it is resumed',
    async (overLimit, action, limits, said) => {
      const { pace, due, events, admit } = setUp({ ...limits, overLimit })
      admit('first', action)
      admit('second', action)
      admit('third', CALL)
      await vi.advanceTimersByTimeAsync(3_600_000)
      expect(events).toEqual(['first at once'])
      expect(due).toEqual([`the limit for ${said}: look at what it does, then resume`])
      pace.pauseSession(SESSION)
      pace.resumeSession(SESSION)
      await vi.advanceTimersByTimeAsync(0)
      expect(events).toEqual(['first at once', 'second later', 'third later'])
    },
  )

  it('makes a model request wait until the tokens of the minute before are below the limit, and no tool call', async () => {
    const { pace, events, admit } = setUp({ tokensPerMinute: 1_000 })
    admit('first', REQUEST)
    pace.usedTokens(SESSION, 600)
    await vi.advanceTimersByTimeAsync(10_000)
    admit('second', REQUEST)
    pace.usedTokens(SESSION, 700)
    admit('third', REQUEST)
    admit('call')
    await vi.advanceTimersByTimeAsync(49_999)
    expect(events).toEqual(['first at once', 'second at once', 'call at once'])
    await vi.advanceTimersByTimeAsync(1)
    expect(events.at(-1)).toBe('third later')
  })

  it('does not let the minute run while the session is paused, and lets nothing go on then', async () => {
    const { pace, events, admit } = setUp({ modelRequestsPerMinute: 1 })
    admit('first', REQUEST)
    admit('second', REQUEST)
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
