import type { SessionId } from '../../contract/ids.ts'

/** What a person says to an agent as its session goes on, until the agent's next step takes it along. */
export interface SessionMessages {
  add(sessionId: SessionId, text: string): void
  /** All that waits, once; null when nothing does. */
  take(sessionId: SessionId): string | null
  endSession(sessionId: SessionId): void
}

const MAX_WAITING = 20

export const createSessionMessages = (): SessionMessages => {
  const waiting = new Map<SessionId, string[]>()
  return {
    add: (sessionId, text) => void waiting.set(sessionId, [...(waiting.get(sessionId) ?? []), text].slice(-MAX_WAITING)),
    take: (sessionId) => {
      const texts = waiting.get(sessionId)
      waiting.delete(sessionId)
      return texts === undefined ? null : texts.join('\n\n')
    },
    endSession: (sessionId) => void waiting.delete(sessionId),
  }
}
