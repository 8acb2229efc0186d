import type { ApprovalRequest } from '../contract/schemas/approval.ts'
import type { Timestamp } from '../contract/schemas/time.ts'

export type ApprovalEvent = {
  readonly type: 'approved' | 'denied' | 'expired' | 'withdrawn'
  readonly at: Timestamp
  readonly reason: string | null
}

/**
 * The request after the event, or null when the event changes nothing: every answer is the last one, and an
 * approval given at or after `expiresAt` is none.
 */
export const reduceApproval = (request: ApprovalRequest, event: ApprovalEvent): ApprovalRequest | null => {
  if (request.state !== 'waiting') return null
  if (event.type === 'approved' && event.at >= request.expiresAt) return null
  return { ...request, state: event.type, decidedAt: event.at, reason: event.reason }
}
