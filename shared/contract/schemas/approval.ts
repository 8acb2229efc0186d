import { z } from 'zod'
import { ApprovalId, GrantId, SessionId, ToolCallId } from '../ids.ts'
import { Foresight } from './foresight.ts'
import { Timestamp } from './time.ts'
import { ActionClass, AgentWords, PolicyDecision } from './tool-call.ts'

export const ApprovalScope = z.enum(['once', 'session', 'always'])
export type ApprovalScope = z.infer<typeof ApprovalScope>

export const ApprovalState = z.enum(['waiting', 'approved', 'denied', 'expired', 'withdrawn'])
export type ApprovalState = z.infer<typeof ApprovalState>

/** How a person answered lately, and how long it took. */
export const ApprovalStatistics = z.object({
  since: Timestamp.nullable(),
  asked: z.number().int().nonnegative(),
  approved: z.number().int().nonnegative(),
  denied: z.number().int().nonnegative(),
  expired: z.number().int().nonnegative(),
  /** Of those that a person answered; null when there is none. */
  medianWaitMs: z.number().nonnegative().nullable(),
  byRule: z.array(z.object({ rule: z.string(), source: z.string(), asked: z.number().int(), approved: z.number().int() })).max(100),
  /** What would spare the most questions; null when nothing stands out. */
  hint: z.string().nullable(),
})
export type ApprovalStatistics = z.infer<typeof ApprovalStatistics>

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
  /** null where nothing was looked up. */
  foresight: Foresight.nullable(),
  /** Rules that a grant for always may be for, the narrowest first: see `approval/decide`. */
  grantRules: z.array(z.string().max(1_000)).max(20),
  /** Whether a person may change the arguments and approve that. */
  mayChange: z.boolean(),
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

/** A remembered approval: this very call, or those that a rule covers, by this agent, in this folder. */
export const Grant = z.object({
  id: GrantId,
  scope: z.enum(['session', 'always']),
  /** null for always. */
  sessionId: SessionId.nullable(),
  agent: z.string(),
  tool: z.string(),
  /** The call that was approved. */
  input: z.unknown(),
  /** In the syntax of policies: the calls of this tool that it covers, if they are no worse than that one. null: that call alone. */
  rule: z.string().max(1_000).nullable().default(null),
  /** How bad a call it may cover; null for that call alone. */
  class: ActionClass.nullable().default(null),
  /** Hash of what was said of that call: where more is said of it now, as of a script that it runs, the call is another. null with a rule. */
  judgedHash: z.string().nullable().default(null),
  cwd: z.string(),
  grantedAt: Timestamp,
  /** null: with the session. */
  expiresAt: Timestamp.nullable(),
  /** Since the host started. */
  uses: z.number().int().nonnegative(),
  lastUsedAt: Timestamp.nullable(),
})
export type Grant = z.infer<typeof Grant>
