import type { SessionId } from '../../contract/ids.ts'

/** Between two samples, at the least; more where one takes long. */
const SAMPLE_MS = 40
const SHARE_OF_TIME = 10
/** A file's time is that of the kernel's last tick before the change; and a clock that was set moves by more than this. */
const TICK_MS = 10
/** Spans that are remembered of one session, and sessions whose are. */
const MAX_SPANS = 10_000
const MAX_SESSIONS = 50

interface Span {
  readonly from: number
  readonly until: number
}

/** Tells of a session at which moments no process of it ran that could have changed a file. */
export interface IdleTimes {
  /** From now on, until `stop`. A sample that cannot be taken, or is null, counts as running. */
  watch(sessionId: SessionId, sample: () => Promise<string | null>): void
  /** Something of the session begins or ends that samples do not show. */
  cut(sessionId: SessionId): void
  stop(sessionId: SessionId): void
  /** Whether nothing ran when a file got this time of change (milliseconds since 1970). False where that is not known. */
  wasIdle(sessionId: SessionId, changedAt: number): boolean
}

/**
 * Three equal samples in a row are one interval in which nothing ran, the first: within the second, what was started and
 * ended unseen would have been waited for, and what runs on a CPU without a break would have been counted.
 */
export const createIdleTimes = (): IdleTimes => {
  const spans = new Map<SessionId, Span[]>()
  const watches = new Map<SessionId, { isOn: boolean; cuts: number }>()

  const add = (sessionId: SessionId, span: Span): void => {
    const known = spans.get(sessionId) ?? []
    spans.set(sessionId, known)
    if (spans.size > MAX_SESSIONS) for (const oldest of [...spans.keys()].slice(0, 1)) spans.delete(oldest)
    const last = known.at(-1)
    if (last !== undefined && last.until >= span.from) known[known.length - 1] = { from: last.from, until: span.until }
    else known.push(span)
    if (known.length > MAX_SPANS) known.shift()
  }

  const run = async (sessionId: SessionId, watch: { isOn: boolean; cuts: number }, sample: () => Promise<string | null>): Promise<void> => {
    let last: { counts: string; cuts: number; began: number; ended: number; clockOffset: number } | null = null
    let before: Span | null = null
    while (watch.isOn) {
      const began = Date.now()
      const clockOffset = began - performance.now()
      const { cuts } = watch
      const counts = await sample().catch(() => null)
      const ended = Date.now()
      const isSame: boolean = last !== null && last.counts === counts && last.cuts === watch.cuts && Math.abs(last.clockOffset - clockOffset) < TICK_MS
      if (isSame && before !== null) add(sessionId, before)
      before = isSame && last !== null ? { from: before === null ? last.ended : last.began, until: began } : null
      last = counts === null ? null : { counts, cuts, began, ended, clockOffset }
      await new Promise((resolve) => void setTimeout(resolve, Math.max(SAMPLE_MS, (ended - began) * SHARE_OF_TIME)).unref())
    }
  }

  return {
    watch: (sessionId, sample) => {
      if (watches.get(sessionId)?.isOn === true) return
      const watch = { isOn: true, cuts: 0 }
      watches.set(sessionId, watch)
      void run(sessionId, watch, sample)
    },
    cut: (sessionId) => {
      const watch = watches.get(sessionId)
      if (watch !== undefined) watch.cuts += 1
    },
    stop: (sessionId) => {
      const watch = watches.get(sessionId)
      if (watch !== undefined) watch.isOn = false
      watches.delete(sessionId)
    },
    wasIdle: (sessionId, changedAt) => (spans.get(sessionId) ?? []).some(({ from, until }) => from <= changedAt && changedAt + TICK_MS <= until),
  }
}
