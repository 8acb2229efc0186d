import type { SessionId } from '../../contract/ids.ts'
import type { MatchedRule } from '../../contract/schemas/tool-call.ts'
import { activeMs, ALWAYS_ACTIVE, pauseTime, resumeTime, type ActiveTime } from '../../domain/active-time.ts'
import { formatDuration, formatUsd } from '../../domain/format.ts'
import { type PacedAction, type Rate, type RateWindows, ratesOf, takePlaces } from '../../domain/rates.ts'
import { takeRoom, type Use } from '../../domain/token-window.ts'
import type { ProfileLimits } from '../policy/agent-profile.ts'
import type { Clock } from '../ports.ts'

/** How long a call waits for its place under a rate before it is denied, in ms. */
const MAX_WAIT_MS = 60_000
/** The longest that setTimeout can do. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** What is said to an action that may not go on by itself: it is denied, or a person has to be asked. */
export type Held = { readonly denied: string } | { readonly ask: MatchedRule }

/** Keeps each session to its rates and its points of review. Its time stands still while the session is paused. */
export interface Pace {
  /** Starts the session's time. */
  begin(sessionId: SessionId): void
  /**
   * null when the action may go on at once. Else resolves when it may, with null, or with what stands in its way.
   * While the session is paused nothing goes on; whoever waits is let go when `signal` aborts or the session ends.
   */
  admit(sessionId: SessionId, action: PacedAction, signal: AbortSignal): Promise<Held | null> | null
  /** Like `admit`, under no rate: null when the session is not paused, else resolves when it goes on or has ended. */
  whileActive(sessionId: SessionId, signal: AbortSignal): Promise<void> | null
  /** One more tool call was decided. */
  counted(sessionId: SessionId): void
  /** A model request is over, and used so many tokens. */
  usedTokens(sessionId: SessionId, count: number): void
  /** What the session has cost since its start, in micro-dollars. */
  spent(sessionId: SessionId, microUsd: number): void
  pauseSession(sessionId: SessionId): void
  /** Goes on, and counts to the next review from here: whoever resumes has looked. */
  resumeSession(sessionId: SessionId): void
  endSession(sessionId: SessionId): void
}

export interface PaceDeps {
  readonly clock: Clock
  /** null when the session does not run. */
  readonly limitsOf: (sessionId: SessionId) => ProfileLimits | null
  readonly onReviewDue: (sessionId: SessionId, reason: string) => void
  /** The session does more than its profile lets it, and is to be paused. */
  readonly onOverLimit: (sessionId: SessionId, reason: string) => void
}

interface Paced {
  readonly limits: ProfileLimits
  readonly rates: readonly Rate[]
  windows: RateWindows
  /** Tokens of model requests that are over. */
  tokens: readonly Use[]
  /** Called when the session is paused, goes on or ends. */
  readonly sleepers: Set<() => void>
  time: ActiveTime
  isOver: boolean
  calls: number
  microUsd: number
  /** Where the session stood at its start or at the last review. */
  reviewed: { calls: number; microUsd: number; at: number }
  isReviewDue: boolean
  timer: NodeJS.Timeout | undefined
}

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`

export const createPace = ({ clock, limitsOf, onReviewDue, onOverLimit }: PaceDeps): Pace => {
  const sessions = new Map<SessionId, Paced>()

  const nowOf = (paced: Paced): number => activeMs(paced.time, clock.now())

  const find = (sessionId: SessionId): Paced | null => {
    const known = sessions.get(sessionId)
    if (known !== undefined) return known
    const limits = limitsOf(sessionId)
    if (limits === null) return null
    const at = clock.now()
    const fresh: Paced = {
      limits,
      rates: ratesOf(limits),
      windows: new Map(),
      tokens: [],
      sleepers: new Set(),
      time: ALWAYS_ACTIVE,
      isOver: false,
      calls: 0,
      microUsd: 0,
      reviewed: { calls: 0, microUsd: 0, at },
      isReviewDue: false,
      timer: undefined,
    }
    sessions.set(sessionId, fresh)
    awaitReview(sessionId, fresh)
    return fresh
  }

  const review = (sessionId: SessionId, paced: Paced, what: string): void => {
    if (paced.isReviewDue) return
    paced.isReviewDue = true
    // At once: the pause that follows takes a moment, and no further call may slip through in it.
    paced.time = pauseTime(paced.time, clock.now())
    onReviewDue(sessionId, `review due after ${what}: look at what was done, then resume`)
  }

  const awaitReview = (sessionId: SessionId, paced: Paced): void => {
    clearTimeout(paced.timer)
    const minutes = paced.limits.reviewEvery?.minutes
    if (minutes === undefined || paced.time.pausedAt !== null) return
    const left = paced.reviewed.at + minutes * 60_000 - nowOf(paced)
    if (left <= 0) review(sessionId, paced, plural(minutes, 'minute'))
    else paced.timer = setTimeout(() => awaitReview(sessionId, paced), Math.min(left, MAX_TIMER_MS)).unref()
  }

  const wake = (paced: Paced): void => {
    for (const sleeper of [...paced.sleepers]) sleeper()
  }

  const sleepUntil = async (paced: Paced, at: number, signal: AbortSignal): Promise<void> => {
    for (;;) {
      const left = at - nowOf(paced)
      const isPaused = paced.time.pausedAt !== null
      if (signal.aborted || paced.isOver || (!isPaused && left <= 0)) return
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = isPaused ? undefined : setTimeout(resolve, left)
      paced.sleepers.add(resolve)
      const wakeUp = (): void => resolve()
      signal.addEventListener('abort', wakeUp)
      await promise
      signal.removeEventListener('abort', wakeUp)
      paced.sleepers.delete(resolve)
      clearTimeout(timer)
    }
  }

  const roomAt = (paced: Paced, now: number): number => {
    const perMinute = paced.limits.tokensPerMinute
    if (perMinute === null) return now
    const room = takeRoom(paced.tokens, { perMinute, now })
    paced.tokens = room.uses
    return room.at
  }

  return {
    begin: (sessionId) => void find(sessionId),

    admit: (sessionId, action, signal) => {
      const paced = find(sessionId)
      if (paced === null) return null
      const { overLimit } = paced.limits
      const now = nowOf(paced)
      const place = takePlaces(paced.windows, paced.rates, action, { now, maxWaitMs: overLimit === 'wait' ? MAX_WAIT_MS : 0 })
      if ('over' in place) {
        const { name, what, limit, per } = place.over
        const said = `the limit for ${what} is ${limit} a ${per} (${name})`
        if (overLimit === 'wait') return Promise.resolve({ denied: `${said}, and its turn would come in ${formatDuration(place.waitMs)}. Try again then.` })
        if (overLimit === 'ask' && action.kind === 'tool-call') return Promise.resolve({ ask: { rule: `${name}: ${limit} a ${per}`, effect: 'ask', source: 'profile' } })
        if (paced.time.pausedAt === null) {
          // At once: the pause that follows takes a moment, and no further action may slip through in it.
          paced.time = pauseTime(paced.time, clock.now())
          onOverLimit(sessionId, `${said}: look at what it does, then resume`)
        }
        return sleepUntil(paced, 0, signal).then(() => null)
      }
      paced.windows = place.windows
      const at = action.kind === 'model-request' ? Math.max(place.at, roomAt(paced, now)) : place.at
      if (at <= now && paced.time.pausedAt === null) return null
      return sleepUntil(paced, at, signal).then(() => null)
    },

    whileActive: (sessionId, signal) => {
      const paced = find(sessionId)
      return paced === null || paced.time.pausedAt === null ? null : sleepUntil(paced, 0, signal)
    },

    counted: (sessionId) => {
      const paced = find(sessionId)
      if (paced === null) return
      paced.calls += 1
      const every = paced.limits.reviewEvery?.calls
      if (every !== undefined && paced.calls - paced.reviewed.calls >= every) review(sessionId, paced, plural(every, 'tool call'))
    },

    usedTokens: (sessionId, count) => {
      const paced = find(sessionId)
      if (paced !== null && paced.limits.tokensPerMinute !== null) paced.tokens = [...paced.tokens, { at: nowOf(paced), count }]
    },

    spent: (sessionId, microUsd) => {
      const paced = find(sessionId)
      if (paced === null) return
      paced.microUsd = microUsd
      const every = paced.limits.reviewEvery?.usd
      if (every !== undefined && microUsd - paced.reviewed.microUsd >= every * 1_000_000) review(sessionId, paced, formatUsd(Math.round(every * 1_000_000)))
    },

    pauseSession: (sessionId) => {
      const paced = find(sessionId)
      if (paced === null) return
      paced.time = pauseTime(paced.time, clock.now())
      clearTimeout(paced.timer)
      wake(paced)
    },

    resumeSession: (sessionId) => {
      const paced = find(sessionId)
      if (paced === null) return
      paced.time = resumeTime(paced.time, clock.now())
      paced.reviewed = { calls: paced.calls, microUsd: paced.microUsd, at: nowOf(paced) }
      paced.isReviewDue = false
      if (paced.limits.overLimit !== 'wait') paced.windows = new Map()
      awaitReview(sessionId, paced)
      wake(paced)
    },

    endSession: (sessionId) => {
      const paced = sessions.get(sessionId)
      if (paced === undefined) return
      sessions.delete(sessionId)
      paced.isOver = true
      clearTimeout(paced.timer)
      wake(paced)
    },
  }
}
