import type { SessionId, ToolCallId } from '../../contract/ids.ts'
import type { ToolCall } from '../../contract/schemas/tool-call.ts'
import { ownText } from '../own-text.ts'

/** Calls kept per session for listing, and sessions that are over; the ledger has them all. */
const MAX_LISTED = 1_000
const MAX_ENDED_SESSIONS = 20
/** Longest input, as JSON, that is listed whole once it is not needed any more. */
export const MAX_LISTED_CHARACTERS = 4_096

/** What is shown of an input of which `text`, as JSON, is too long. */
export const beginningOf = (text: string): unknown => ({ characters: text.length, beginning: ownText(text.slice(0, MAX_LISTED_CHARACTERS)) })

/** The newest calls of each session, and of those that are over no more than a list shows. */
export interface ListedCalls {
  /** Before the call is first kept, and when its input has become another: `text` is that as JSON, null where it is none. */
  setInput(id: ToolCallId, input: unknown, text: string | null): void
  /** The call as it is now. */
  keep(call: ToolCall): void
  running(id: ToolCallId): ToolCall | undefined
  runningOf(sessionId: SessionId): ToolCall[]
  /** Oldest first. */
  list(sessionId: SessionId): readonly ToolCall[]
  endSession(sessionId: SessionId): void
}

export const createListedCalls = (): ListedCalls => {
  const calls = new Map<SessionId, Map<ToolCallId, ToolCall>>()
  const running = new Map<ToolCallId, ToolCall>()
  /** What will be shown of the inputs of calls that are not over. */
  const shown = new Map<ToolCallId, unknown>()
  const endedSessions: SessionId[] = []

  return {
    setInput: (id, input, text) => void shown.set(id, text === null || text.length <= MAX_LISTED_CHARACTERS ? input : beginningOf(text)),
    keep: (call) => {
      const ofSession = calls.get(call.sessionId) ?? new Map<ToolCallId, ToolCall>()
      calls.set(call.sessionId, ofSession)
      ofSession.set(call.id, call.endedAt === null ? call : { ...call, input: shown.get(call.id) ?? null })
      if (call.endedAt !== null) shown.delete(call.id)
      if (call.state === 'running') running.set(call.id, call)
      else running.delete(call.id)
      if (ofSession.size <= MAX_LISTED) return
      for (const [id, { endedAt }] of ofSession) {
        if (endedAt === null) continue
        ofSession.delete(id)
        break
      }
    },
    running: (id) => running.get(id),
    runningOf: (sessionId) => [...running.values()].filter((one) => one.sessionId === sessionId),
    list: (sessionId) => [...(calls.get(sessionId)?.values() ?? [])],
    endSession: (sessionId) => {
      if (!calls.has(sessionId) || endedSessions.includes(sessionId)) return
      endedSessions.push(sessionId)
      if (endedSessions.length > MAX_ENDED_SESSIONS) calls.delete(endedSessions.shift() as SessionId)
    },
  }
}
