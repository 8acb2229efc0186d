import type { CheckpointId } from '../contract/ids.ts'
import type { Session, SessionState } from '../contract/schemas/session.ts'
import type { Timestamp } from '../contract/schemas/time.ts'
import type { ActionClass } from '../contract/schemas/tool-call.ts'
import type { Usage } from '../contract/schemas/usage.ts'

export type SessionEvent =
  | { readonly type: 'checkpointed'; readonly checkpoint: CheckpointId }
  | { readonly type: 'launched' }
  | { readonly type: 'paused'; readonly reason: string }
  | { readonly type: 'resumed' }
  | { readonly type: 'kill-started' }
  | { readonly type: 'kill-unproven'; readonly reason: string }
  | { readonly type: 'killed'; readonly at: Timestamp; readonly reason: string }
  | { readonly type: 'ended'; readonly at: Timestamp; readonly exitCode: number | null }
  | { readonly type: 'failed'; readonly at: Timestamp; readonly reason: string }
  | { readonly type: 'tool-call-counted'; readonly class: ActionClass; readonly denied: boolean }
  | { readonly type: 'approvals-counted'; readonly waiting: number }
  | { readonly type: 'usage-counted'; readonly usage: Usage }
  | { readonly type: 'noticed'; readonly notice: string }

const LEGAL_IN: Readonly<Record<SessionEvent['type'], readonly SessionState[]>> = {
  checkpointed: ['starting'],
  launched: ['starting'],
  paused: ['running'],
  resumed: ['paused'],
  'kill-started': ['starting', 'running', 'paused', 'killing'],
  'kill-unproven': ['killing'],
  killed: ['killing'],
  ended: ['starting', 'running', 'paused'],
  failed: ['starting', 'running', 'paused', 'killing'],
  'tool-call-counted': ['starting', 'running', 'paused', 'killing'],
  'approvals-counted': ['starting', 'running', 'paused', 'killing', 'killed', 'ended', 'failed'],
  'usage-counted': ['starting', 'running', 'paused', 'killing', 'killed', 'ended', 'failed'],
  noticed: ['starting', 'running', 'paused'],
}

/** States in which nothing of the session runs any more. */
export const isOver = (state: SessionState): boolean => state === 'killed' || state === 'ended' || state === 'failed'

/** The session after the event, or null when the event is illegal in its state and so changes nothing. */
export const reduceSession = (session: Session, event: SessionEvent): Session | null => {
  if (!LEGAL_IN[event.type].includes(session.state)) return null
  switch (event.type) {
    case 'checkpointed':
      return { ...session, startCheckpoint: event.checkpoint }
    case 'launched':
      return { ...session, state: 'running' }
    case 'paused':
      return { ...session, state: 'paused', reason: event.reason }
    case 'resumed':
      return { ...session, state: 'running', reason: null }
    case 'kill-started':
      return { ...session, state: 'killing', reason: null }
    case 'kill-unproven':
      return { ...session, reason: event.reason }
    case 'killed':
      return { ...session, state: 'killed', endedAt: event.at, exitCode: 137, reason: event.reason }
    case 'ended':
      return { ...session, state: 'ended', endedAt: event.at, exitCode: event.exitCode }
    case 'failed':
      return { ...session, state: 'failed', endedAt: event.at, reason: event.reason }
    case 'tool-call-counted': {
      const { toolCalls } = session
      return {
        ...session,
        toolCalls: {
          ...toolCalls,
          total: toolCalls.total + 1,
          [event.class]: toolCalls[event.class] + 1,
          denied: toolCalls.denied + (event.denied ? 1 : 0),
        },
      }
    }
    case 'approvals-counted':
      return { ...session, waitingApprovals: event.waiting }
    case 'usage-counted':
      return { ...session, usage: event.usage }
    case 'noticed':
      return { ...session, notices: [...session.notices, event.notice] }
  }
}
