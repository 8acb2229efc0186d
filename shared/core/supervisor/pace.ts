import type { SessionId } from '../../contract/ids.ts'
import { activeMs, ALWAYS_ACTIVE, pauseTime, resumeTime, type ActiveTime } from '../../domain/active-time.ts'
import { formatUsd } from '../../domain/format.ts'
import { takePlace, type RateWindow } from '../../domain/rate-window.ts'
import type { ProfileLimits } from '../policy/agent-profile.ts'
import type { Clock } from '../ports.ts'

/** How long a call waits for its place under a rate before it is denied, in ms. */
const MAX_WAIT_MS = 60_000
/** The longest that setTimeout can do. */
const MAX_TIMER_MS = 2 ** 31 - 1

export type PacedAction = 'tool-call' | 'model-request'

/** Keeps each session to its rates and its points of review. Its time stands still while the session is paused. */
export interface Pace {
  /** Starts the session's time. */
  begin(sessionId: SessionId): void
  /**
   * null when the action may go on at once. Else resolves when it may, with null, or with the reason why it may not.
   * While the session is paused nothing goes on; whoever waits is let go when `signal` aborts or the session ends.
   */
  admit(sessionId: SessionId, action: PacedAction, signal: AbortSignal): Promise<string | null> | null
  /** Like `admit`, under no rate: null when the session is not paused, else resolves when it goes on or has ended. */
  whileActive(sessionId: SessionId, signal: AbortSignal): Promise<void> | null
  /** One more tool call was decided. */
  counted(sessionId: SessionId): void
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
}

interface Paced {
  readonly limits: ProfileLimits
  readonly windows: Record<PacedAction, RateWindow>
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

const RATE = {
  'tool-call': { limit: 'toolCallsPerMinute', name: 'tool calls' },
  'model-request': { limit: 'modelRequestsPerMinute', name: 'model requests' },
} as const

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`

export const createPace = ({ clock, limitsOf, onReviewDue }: PaceDeps): Pace => {
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
      windows: { 'tool-call': [], 'model-request': [] },
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

  return {
    begin: (sessionId) => void find(sessionId),

    admit: (sessionId, action, signal) => {
      const paced = find(sessionId)
      if (paced === null) return null
      const { limit, name } = RATE[action]
      const perMinute = paced.limits[limit]
      const now = nowOf(paced)
      const place = perMinute === null ? { window: paced.windows[action], at: now } : takePlace(paced.windows[action], { perMinute, now, maxWaitMs: MAX_WAIT_MS })
      if (place === null) {
        return Promise.resolve(`the limit for ${name} is ${perMinute} a minute (limits.${limit}), and too many wait already. Try again in a minute.`)
      }
      paced.windows[action] = place.window
      if (place.at <= now && paced.time.pausedAt === null) return null
      return sleepUntil(paced, place.at, signal).then(() => null)
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
