import { HoldfastError } from '../../contract/errors.ts'
import type { SessionId } from '../../contract/ids.ts'
import { QUIET_MINUTE, type Session } from '../../contract/schemas/session.ts'
import { lastMinute, type Mark, withMark } from '../../domain/last-minute.ts'
import { totalTokens } from '../../domain/price.ts'
import { isOver, reduceSession, type SessionEvent } from '../../domain/session-state.ts'
import type { Clock } from '../ports.ts'

export interface SessionRegistry {
  add(session: Session): void
  find(sessionId: SessionId): Session | null
  /** Throws HoldfastError `not-found`. */
  get(sessionId: SessionId): Session
  list(): readonly Session[]
  /** The session after the event, or null when the event is illegal now; then nothing changed and nobody is told. */
  apply(sessionId: SessionId, event: SessionEvent): Session | null
}

/** How often it is looked whether a session's last minute has fallen, as long as one is above nothing. */
const LOOKED_AT_MS = 1_000

/** The sessions of this host's life, and the only place that changes one; `publish` hears of each change, and of a last minute that falls. */
export const createSessionRegistry = (publish: (session: Session) => void, clock: Clock): SessionRegistry => {
  const sessions = new Map<SessionId, Session>()
  const marks = new Map<SessionId, readonly Mark[]>()
  let looking: NodeJS.Timeout | undefined

  const put = (session: Session): Session => {
    sessions.set(session.id, session)
    publish(session)
    return session
  }

  const lookSoon = (): void => {
    if ([...sessions.values()].some(({ lastMinute: { requests, tokens, toolCalls } }) => requests + tokens + toolCalls > 0)) looking ??= setTimeout(look, LOOKED_AT_MS).unref()
  }
  const look = (): void => {
    looking = undefined
    for (const session of sessions.values()) {
      const now = lastMinute(marks.get(session.id) ?? [], clock.now())
      if (JSON.stringify(now) !== JSON.stringify(session.lastMinute)) put({ ...session, lastMinute: now })
    }
    lookSoon()
  }

  /** With what came in its last minute, up to now. */
  const marked = (session: Session): Session => {
    const { id, state, usage, toolCalls } = session
    if (isOver(state)) {
      marks.delete(id)
      return { ...session, lastMinute: QUIET_MINUTE }
    }
    const at = clock.now()
    const known = withMark(marks.get(id) ?? [], { at, requests: usage.requests, tokens: totalTokens(usage.tokens), toolCalls: toolCalls.total })
    marks.set(id, known)
    return { ...session, lastMinute: lastMinute(known, at) }
  }

  const get = (sessionId: SessionId): Session => {
    const session = sessions.get(sessionId)
    if (session === undefined) throw new HoldfastError('not-found', `There is no session ${sessionId}. "holdfast sessions" lists them.`)
    return session
  }
  return {
    add: (session) => void put(marked(session)),
    find: (sessionId) => sessions.get(sessionId) ?? null,
    get,
    list: () => [...sessions.values()],
    apply: (sessionId, event) => {
      const next = reduceSession(get(sessionId), event)
      if (next === null) return null
      const changed = put(marked(next))
      lookSoon()
      return changed
    },
  }
}
