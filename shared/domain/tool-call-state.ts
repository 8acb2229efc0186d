import type { Timestamp } from '../contract/schemas/time.ts'
import type { PolicyDecision, ToolCall, ToolCallState } from '../contract/schemas/tool-call.ts'

export type ToolCallEvent =
  | { readonly type: 'evaluated'; readonly decision: PolicyDecision }
  | { readonly type: 'asked' }
  | { readonly type: 'started' }
  | { readonly type: 'completed'; readonly at: Timestamp }
  | { readonly type: 'failed'; readonly at: Timestamp; readonly reason: string }
  | { readonly type: 'denied'; readonly at: Timestamp; readonly reason: string }
  | { readonly type: 'expired'; readonly at: Timestamp; readonly reason: string }
  | { readonly type: 'cancelled'; readonly at: Timestamp; readonly reason: string }

const LEGAL_IN: Readonly<Record<ToolCallEvent['type'], readonly ToolCallState[]>> = {
  evaluated: ['received'],
  asked: ['evaluated'],
  started: ['evaluated', 'awaiting-approval'],
  completed: ['running'],
  failed: ['running'],
  denied: ['received', 'evaluated', 'awaiting-approval'],
  expired: ['awaiting-approval'],
  cancelled: ['received', 'evaluated', 'awaiting-approval', 'running'],
}

/** The call after the event, or null when the event is illegal in its state and so changes nothing. */
export const reduceToolCall = (call: ToolCall, event: ToolCallEvent): ToolCall | null => {
  if (!LEGAL_IN[event.type].includes(call.state)) return null
  switch (event.type) {
    case 'evaluated':
      return { ...call, state: 'evaluated', decision: event.decision }
    case 'asked':
      return { ...call, state: 'awaiting-approval' }
    case 'started':
      return { ...call, state: 'running' }
    case 'completed':
      return { ...call, state: 'completed', endedAt: event.at }
    case 'failed':
    case 'denied':
    case 'expired':
    case 'cancelled':
      return { ...call, state: event.type, endedAt: event.at, reason: event.reason }
  }
}
