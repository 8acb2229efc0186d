import type { Timestamp } from '../contract/schemas/time.ts'

/** How far a clock has come that stands still while its session is paused. */
export interface ActiveTime {
  /** How long it stood still so far, in ms, the pause that lasts not counted. */
  readonly idleMs: number
  /** Since when it stands still, or null when it runs. */
  readonly pausedAt: Timestamp | null
}

export const ALWAYS_ACTIVE: ActiveTime = { idleMs: 0, pausedAt: null }

/** What it shows at `now`, in ms: only differences mean anything. */
export const activeMs = (time: ActiveTime, now: Timestamp): number => (time.pausedAt ?? now) - time.idleMs

export const pauseTime = (time: ActiveTime, now: Timestamp): ActiveTime => (time.pausedAt === null ? { ...time, pausedAt: now } : time)

export const resumeTime = (time: ActiveTime, now: Timestamp): ActiveTime =>
  time.pausedAt === null ? time : { idleMs: time.idleMs + Math.max(0, now - time.pausedAt), pausedAt: null }
