import type { Policy, PolicyLayer, SourcedRule } from '../contract/schemas/profile.ts'
import type { Classification, MatchedRule, PolicyDecision, PolicyEffect } from '../contract/schemas/tool-call.ts'
import { createSubject, isExactFor, matchesRule, parseRule } from './rule-match.ts'

const builtIn = (effect: PolicyEffect, texts: readonly string[]): SourcedRule[] =>
  texts.map((text) => {
    const parsed = parseRule(text)
    if (!parsed.ok) throw new TypeError(`${text} ${parsed.problem}`)
    return { rule: parsed.rule, effect, source: 'built-in' }
  })

/** What no file can lift: an agent does not answer its own questions, nor change what governs it unasked. */
export const BUILT_IN_LAYER: PolicyLayer = {
  origin: 'built-in',
  rules: [
    ...builtIn('deny', ['approve', 'deny', 'resume', 'undo', 'secret'].map((verb) => `Bash(holdfast ${verb}:*)`)),
    ...builtIn('ask', ['Edit(holdfast.yaml)', 'Edit(.claude/settings*.json)', 'Edit(.git/hooks)', 'Edit(.git/config)']),
  ],
}

/** The rule by which a program that nothing is known of is asked about once a session. */
export const UNKNOWN_PROGRAMS = 'unknown programs'

/** What happens to a class when no rule speaks. */
const DEFAULT_EFFECT = { read: 'allow', write: 'allow', destructive: 'ask' } as const

/** Whose allow rules lift a question that no rule asks: the user's own, in a profile or where a session is started. */
const SPEAKS_FOR_THE_USER: ReadonlySet<PolicyLayer['origin']> = new Set(['user', 'session'])

const strictestOf = (rules: readonly MatchedRule[]): PolicyEffect | null => {
  if (rules.some((rule) => rule.effect === 'deny')) return 'deny'
  return rules.some((rule) => rule.effect === 'ask') ? 'ask' : null
}

export interface PolicyQuestion {
  readonly policy: Policy
  readonly tool: string
  readonly input: unknown
  readonly cwd: string
  /** The agent's home folder, when known. */
  readonly home?: string
  readonly classification: Classification
}

/**
 * What policy says of one call: the strictest of all matching rules, with the rules that made it. Where none denies or
 * asks, reads and writes are allowed and a destructive call is asked about, unless a rule of the user's own profile or
 * of the session allows exactly that call (see isExactFor). A program that nothing is known of is a write, and asked about unless the
 * user's own profile allows the call; who asks remembers the answer for the session. The built-in layer holds whether or not the policy lists it.
 */
export const evaluatePolicy = ({ policy, tool, input, cwd, home, classification }: PolicyQuestion): PolicyDecision => {
  const subject = createSubject(tool, input, cwd, home)
  const rules: MatchedRule[] = []
  let lifted = false
  let isAllowed = false
  for (const layer of [BUILT_IN_LAYER, ...policy.layers.filter((each) => each.origin !== 'built-in')]) {
    for (const { rule, effect, source } of layer.rules) {
      if (!matchesRule(rule, subject, effect)) continue
      rules.push({ rule: rule.text, effect, source })
      if (effect !== 'allow' || !SPEAKS_FOR_THE_USER.has(layer.origin)) continue
      isAllowed = true
      if (isExactFor(rule, subject)) lifted = true
    }
  }
  const strictest = strictestOf(rules)
  if (strictest !== null) return { effect: strictest, classification, rules }
  if (lifted) return { effect: 'allow', classification, rules }
  const unknown = classification.unknown ?? []
  if (classification.class === 'write' && unknown.length > 0 && !isAllowed) {
    return { effect: 'ask', classification, rules: [...rules, { rule: UNKNOWN_PROGRAMS, effect: 'ask', source: 'built-in' }] }
  }
  const effect = DEFAULT_EFFECT[classification.class]
  rules.push({ rule: `${classification.class} actions`, effect, source: 'built-in' })
  return { effect, classification, rules }
}
