import type { PolicyEffect } from '../../contract/schemas/tool-call.ts'
import { parseRule } from '../rule-match.ts'
import { visibleText } from '../visible-text.ts'
import type { Boundary } from './boundaries.ts'
import { type ActionFacts, meaningOf } from './known-actions.ts'

/** One entry of `permissions` in a settings file of Claude Code. */
export interface PermissionEntry {
  /** The list it stands in, or the setting's own name: `defaultMode`, `additionalDirectories`. */
  readonly kind: string
  readonly text: string
  /** `file:line`. */
  readonly source: string
  /** Whether the file is the user's own, and no project's: an agent may write those. */
  readonly isUsers: boolean
}

export interface ImportedRule {
  readonly effect: PolicyEffect
  readonly rule: string
  readonly sources: readonly string[]
}

export interface ImportedPolicy {
  readonly rules: readonly ImportedRule[]
  /** What could not be turned into a rule, or was not, and why. */
  readonly leftOut: readonly { readonly text: string; readonly source: string; readonly why: string }[]
}

const EFFECTS: readonly PolicyEffect[] = ['deny', 'ask', 'allow']

const isEffect = (kind: string): kind is PolicyEffect => EFFECTS.some((effect) => effect === kind)

const OTHER_SETTINGS: Readonly<Record<string, string>> = {
  defaultMode: 'Holdfast asks by what a call does; there is no mode that lets everything pass',
  additionalDirectories: 'folders are given to a session with --add-dir',
  disableBypassPermissionsMode: 'Holdfast always sets this',
}

/**
 * The permissions of Claude Code's settings, and the boundaries of instruction files, as rules of a policy. Nothing that a
 * project's files allow is taken over: a project may only tighten.
 */
export const importPolicy = (entries: readonly PermissionEntry[], boundaries: readonly Boundary[], facts: ActionFacts): ImportedPolicy => {
  const rules = new Map<string, { effect: PolicyEffect; rule: string; sources: string[] }>()
  const leftOut: { text: string; source: string; why: string }[] = []
  const add = (effect: PolicyEffect, rule: string, source: string): void => {
    const key = `${effect} ${rule}`
    const known = rules.get(key) ?? { effect, rule, sources: [] }
    rules.set(key, { ...known, sources: [...new Set([...known.sources, source])] })
  }
  for (const { kind, text, source, isUsers } of entries) {
    const parsed = isEffect(kind) ? parseRule(text) : null
    if (!isEffect(kind) || parsed === null) leftOut.push({ text: `${kind}: ${text}`, source, why: OTHER_SETTINGS[kind] ?? 'Holdfast has no such setting' })
    else if (!parsed.ok) leftOut.push({ text, source, why: parsed.problem })
    else if (kind === 'allow' && !isUsers) leftOut.push({ text, source, why: 'a project allows nothing by itself: write it into your profile if you mean it' })
    else add(kind, text, source)
  }
  for (const boundary of boundaries) {
    const source = `${boundary.file}:${boundary.line}`
    const meaning = meaningOf(boundary, facts)
    if (meaning === null) leftOut.push({ text: boundary.text, source, why: boundary.kind === 'forbidden' ? 'nothing here knows which calls that means: write a rule for them' : 'nothing here knows which calls that means; what changes nothing needs no rule' })
    else if (meaning.ask.length > 0) for (const rule of meaning.ask) add('ask', rule, source)
    else if (boundary.kind === 'forbidden') leftOut.push({ text: boundary.text, source, why: 'needs no rule: such calls are asked about by what they do' })
    else leftOut.push({ text: boundary.text, source, why: 'needs no rule: such calls pass by what they do, where they destroy nothing' })
  }
  return { rules: [...rules.values()].sort((left, right) => EFFECTS.indexOf(left.effect) - EFFECTS.indexOf(right.effect)), leftOut }
}

const comment = (text: string): string => `# ${visibleText(text).replaceAll(/\s+/g, ' ').slice(0, 300)}`

/** The policy as a part of a profile's file, with where each rule comes from, and what was left out. */
export const policyText = ({ rules, leftOut }: ImportedPolicy): string => {
  const lists = EFFECTS.flatMap((effect) => {
    const own = rules.filter((rule) => rule.effect === effect)
    return own.length === 0 ? [] : [`  ${effect}:`, ...own.map(({ rule, sources }) => `    - ${JSON.stringify(rule)} ${comment(sources.join(', '))}`)]
  })
  const missing = leftOut.map(({ text, source, why }) => comment(`${source}: ${text}: ${why}`))
  return `${[...(lists.length === 0 ? ['# No rule was found to import.'] : ['policy:', ...lists]), ...(missing.length === 0 ? [] : ['# Not turned into rules:', ...missing])].join('\n')}\n`
}
