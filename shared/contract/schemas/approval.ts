import { z } from 'zod'
import { ApprovalId, GrantId, SessionId, ToolCallId } from '../ids.ts'
import { Timestamp } from './time.ts'
import { AgentWords, PolicyDecision } from './tool-call.ts'

export const ApprovalScope = z.enum(['once', 'session', 'always'])
export type ApprovalScope = z.infer<typeof ApprovalScope>

export const ApprovalState = z.enum(['waiting', 'approved', 'denied', 'expired', 'withdrawn'])
export type ApprovalState = z.infer<typeof ApprovalState>

/** One question to a person about one tool call. */
export const ApprovalRequest = z.object({
  id: ApprovalId,
  toolCallId: ToolCallId,
  sessionId: SessionId,
  agent: z.string(),
  tool: z.string(),
  input: z.unknown(),
  cwd: z.string(),
  decision: PolicyDecision,
  /** Why the agent says it wants this; null where its model's answer was not seen. */
  words: AgentWords.nullable(),
  /** SHA-256, hex, of what exactly is asked (session, tool, canonical input, working folder): the answer binds to it. */
  bindingHash: z.string().regex(/^[0-9a-f]{64}$/),
  state: ApprovalState,
  requestedAt: Timestamp,
  /** When nobody has answered by then, it is denied. */
  expiresAt: Timestamp,
  decidedAt: Timestamp.nullable(),
  reason: z.string().nullable(),
})
export type ApprovalRequest = z.infer<typeof ApprovalRequest>

/** A remembered approval: this very call, by this agent, in this folder. */
export const Grant = z.object({
  id: GrantId,
  scope: z.enum(['session', 'always']),
  /** null for always. */
  sessionId: SessionId.nullable(),
  agent: z.string(),
  tool: z.string(),
  input: z.unknown(),
  cwd: z.string(),
  grantedAt: Timestamp,
  /** null: with the session. */
  expiresAt: Timestamp.nullable(),
  /** Since the host started. */
  uses: z.number().int().nonnegative(),
  lastUsedAt: Timestamp.nullable(),
})
export type Grant = z.infer<typeof Grant>
