import { HoldfastError } from '../contract/errors.ts'
import type { PolicyLayer, SessionRules, SourcedRule } from '../contract/schemas/profile.ts'
import { parseRule } from './rule-match.ts'

const EFFECTS = ['deny', 'ask', 'allow'] as const

/** The layer of rules given for one session. Throws HoldfastError `bad-params`, saying which rule is wrong and what would be valid. */
export const sessionLayer = (given: SessionRules): PolicyLayer => {
  const rules: SourcedRule[] = []
  for (const effect of EFFECTS) {
    for (const text of given[effect] ?? []) {
      const parsed = parseRule(text)
      if (!parsed.ok) throw new HoldfastError('bad-params', `The rule to ${effect} in this session: "${text}" ${parsed.problem}${parsed.problem.endsWith('?') ? '' : '.'}`)
      rules.push({ rule: parsed.rule, effect, source: 'given for this session' })
    }
  }
  return { origin: 'session', rules }
}
