import { z } from 'zod'
import { SessionId, ToolCallId } from '../ids.ts'
import { Timestamp } from './time.ts'

export const ActionClass = z.enum(['read', 'write', 'destructive'])
export type ActionClass = z.infer<typeof ActionClass>

export const PolicyEffect = z.enum(['allow', 'ask', 'deny'])
export type PolicyEffect = z.infer<typeof PolicyEffect>

/** What an action is, and why, in words for a person. */
export const Classification = z.object({
  class: ActionClass,
  reasons: z.array(z.string()),
  /** Programs in it that nothing is known of. */
  unknown: z.array(z.string()).optional(),
})
export type Classification = z.infer<typeof Classification>

/** A rule that took part in a decision: its text and where it stands (`built-in`, or a file with line). */
export const MatchedRule = z.object({ rule: z.string(), effect: PolicyEffect, source: z.string() })
export type MatchedRule = z.infer<typeof MatchedRule>

export const PolicyDecision = z.object({
  effect: PolicyEffect,
  classification: Classification,
  rules: z.array(MatchedRule),
})
export type PolicyDecision = z.infer<typeof PolicyDecision>

/** What the model said and thought before it asked for a call: of long ones the end; empty where there was nothing. Its own words, and so no proof. */
export const AgentWords = z.object({ text: z.string().max(8_192), thinking: z.string().max(8_192) })
export type AgentWords = z.infer<typeof AgentWords>

export const ToolCallState = z.enum([
  'received',
  'evaluated',
  'awaiting-approval',
  'running',
  'completed',
  'failed',
  'denied',
  'cancelled',
  'expired',
])
export type ToolCallState = z.infer<typeof ToolCallState>

export const ToolCall = z.object({
  id: ToolCallId,
  sessionId: SessionId,
  /** The agent's own name of the tool: `Bash`, `Write`, `mcp__server__tool`. */
  tool: z.string().max(256),
  input: z.unknown(),
  /** The provider's tool_use id, when the agent gives one: joins hook, broker and model. */
  toolUseId: z.string().max(256).nullable(),
  state: ToolCallState,
  decision: PolicyDecision.nullable(),
  /** Why it was denied, failed or expired, as the agent was told. */
  reason: z.string().nullable(),
  receivedAt: Timestamp,
  endedAt: Timestamp.nullable(),
})
export type ToolCall = z.infer<typeof ToolCall>
