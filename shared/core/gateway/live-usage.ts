import type { SessionId } from '../../contract/ids.ts'
import type { Usage } from '../../contract/schemas/usage.ts'

/** Usage is told of this long after the first bytes that changed it: with many streams, one event stands for many. In ms. */
const TOLD_AFTER_MS = 40

/** Tells of usage while it grows, as often as a screen can show it, and exactly once it has stopped. */
export interface LiveUsage {
  /** The session's usage has changed; `read` gives it as it is when it is told of. */
  changed(sessionId: SessionId, read: () => Usage): void
  /** Tells at once what is still to be told of a session: one of its requests is over. */
  settle(sessionId: SessionId): void
  /** Tells of nothing more. */
  close(): void
}

export const createLiveUsage = (tell: (sessionId: SessionId, usage: Usage) => void): LiveUsage => {
  const untold = new Map<SessionId, { readonly read: () => Usage; readonly timer: NodeJS.Timeout }>()

  const settle = (sessionId: SessionId): void => {
    const waiting = untold.get(sessionId)
    if (waiting === undefined) return
    clearTimeout(waiting.timer)
    untold.delete(sessionId)
    tell(sessionId, waiting.read())
  }

  return {
    changed(sessionId, read) {
      if (untold.has(sessionId)) return
      untold.set(sessionId, { read, timer: setTimeout(() => settle(sessionId), TOLD_AFTER_MS) })
    },
    settle,
    close() {
      for (const { timer } of untold.values()) clearTimeout(timer)
      untold.clear()
    },
  }
}
