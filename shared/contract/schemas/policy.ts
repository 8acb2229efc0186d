import { z } from 'zod'
import { SessionId, ToolCallId } from '../ids.ts'
import { ApprovalScope } from './approval.ts'
import { Timestamp } from './time.ts'
import { MatchedRule, PolicyDecision, PolicyEffect } from './tool-call.ts'

const Origin = z.enum(['built-in', 'organisation', 'user', 'project', 'session'])

/** The rules of one origin, as they are in force. */
export const PolicyLayerRules = z.object({ origin: Origin, rules: z.array(MatchedRule) })
export type PolicyLayerRules = z.infer<typeof PolicyLayerRules>

/** A decision with the layer of each rule that made it; `granted`: a person's answer that covers the call in the session asked about, so that nobody is asked. */
export const ExplainedDecision = PolicyDecision.extend({ rules: z.array(MatchedRule.extend({ layer: Origin })), granted: ApprovalScope.exclude(['once']).nullable().optional() })
export type ExplainedDecision = z.infer<typeof ExplainedDecision>

/** A past call that would be decided otherwise now. */
export const ReplayDifference = z.object({
  toolCallId: ToolCallId,
  sessionId: SessionId,
  at: Timestamp,
  tool: z.string(),
  input: z.unknown(),
  cwd: z.string(),
  was: PolicyEffect,
  now: PolicyDecision,
})
export type ReplayDifference = z.infer<typeof ReplayDifference>

const count = z.number().int().nonnegative()

export const Replay = z.object({
  calls: count,
  same: count,
  stricter: count,
  laxer: count,
  /** Not recorded whole, so not judged. */
  incomplete: count,
  /** The newest of them, newest first. */
  differences: z.array(ReplayDifference),
})
export type Replay = z.infer<typeof Replay>
