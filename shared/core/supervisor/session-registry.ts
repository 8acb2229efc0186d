import { HoldfastError } from '../../contract/errors.ts'
import type { SessionId } from '../../contract/ids.ts'
import type { Session } from '../../contract/schemas/session.ts'
import { reduceSession, type SessionEvent } from '../../domain/session-state.ts'

export interface SessionRegistry {
  add(session: Session): void
  find(sessionId: SessionId): Session | null
  /** Throws HoldfastError `not-found`. */
  get(sessionId: SessionId): Session
  list(): readonly Session[]
  /** The session after the event, or null when the event is illegal now; then nothing changed and nobody is told. */
  apply(sessionId: SessionId, event: SessionEvent): Session | null
}

/** The sessions of this host's life, and the only place that changes one. */
export const createSessionRegistry = (publish: (session: Session) => void): SessionRegistry => {
  const sessions = new Map<SessionId, Session>()
  const get = (sessionId: SessionId): Session => {
    const session = sessions.get(sessionId)
    if (session === undefined) throw new HoldfastError('not-found', `There is no session ${sessionId}. "holdfast sessions" lists them.`)
    return session
  }
  return {
    add: (session) => {
      sessions.set(session.id, session)
      publish(session)
    },
    find: (sessionId) => sessions.get(sessionId) ?? null,
    get,
    list: () => [...sessions.values()],
    apply: (sessionId, event) => {
      const next = reduceSession(get(sessionId), event)
      if (next === null) return null
      sessions.set(sessionId, next)
      publish(next)
      return next
    },
  }
}
