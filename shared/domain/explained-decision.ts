import type { ExplainedDecision } from '../contract/schemas/policy.ts'
import type { Policy } from '../contract/schemas/profile.ts'
import type { PolicyDecision } from '../contract/schemas/tool-call.ts'

/** The decision with the layer of each of its rules: it says where the rule stands. */
export const explainedDecision = (policy: Policy, decision: PolicyDecision): ExplainedDecision => ({
  ...decision,
  rules: decision.rules.map((rule) => ({ ...rule, layer: policy.layers.find(({ rules }) => rules.some(({ source }) => source === rule.source))?.origin ?? 'built-in' })),
})
