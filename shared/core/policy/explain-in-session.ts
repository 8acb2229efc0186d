import { HoldfastError } from '../../contract/errors.ts'
import type { SessionId } from '../../contract/ids.ts'
import type { ExplainedDecision } from '../../contract/schemas/policy.ts'
import type { PolicyDecision } from '../../contract/schemas/tool-call.ts'
import { explainedDecision } from '../../domain/explained-decision.ts'
import type { Approvals } from '../approvals/approvals.ts'
import type { AgentProfile } from './agent-profile.ts'

export interface ExplainInSessionDeps {
  readonly sessionOf: (sessionId: SessionId) => { readonly profile: AgentProfile; readonly cwd: string } | null
  readonly judge: (sessionId: SessionId, tool: string, input: unknown) => PolicyDecision | null
  readonly grants: Approvals['grants']
}

/** How a session that runs would decide a call: by its own rules, and by what a person granted it. Throws HoldfastError `not-found`. */
export const createExplainInSession = ({ sessionOf, judge, grants }: ExplainInSessionDeps) => (sessionId: SessionId, tool: string, input: unknown): ExplainedDecision => {
  const session = sessionOf(sessionId)
  const decision = judge(sessionId, tool, input)
  if (session === null || decision === null) throw new HoldfastError('not-found', `Session ${sessionId} does not run. "holdfast sessions" lists those that do.`)
  const { profile: { agent, policy }, cwd } = session
  const grant = decision.effect === 'ask' ? grants.covers({ sessionId, agent, tool, input, cwd, decision, definition: null }) : null
  return { ...explainedDecision(policy, decision), granted: grant?.scope ?? null }
}
