import { isCollection, isMap, isPair, isScalar, LineCounter, type Node, parseDocument, visit } from 'yaml'
import type { z } from 'zod'
import { HoldfastError } from '../contract/errors.ts'
import { type PolicyLayer, ProfileFile, type SourcedRule } from '../contract/schemas/profile.ts'
import type { PolicyEffect } from '../contract/schemas/tool-call.ts'
import { nearestName } from './nearest-name.ts'
import { parseRule, saysDestructive } from './rule-match.ts'

/** Longest profile that is read, in bytes. */
export const MAX_PROFILE_BYTES = 256 * 1024
const MAX_DEPTH = 32

export interface ReadProfile {
  readonly path: string
  readonly profile: ProfileFile
  readonly layer: PolicyLayer
}

interface Place {
  readonly line: number
  readonly column: number
}

type Key = PropertyKey

/** A fault in a profile: where it is, and what would be valid. */
export const invalidProfile = (path: string, place: Place | null, field: string, problem: string): HoldfastError => {
  const where = place === null ? path : `${path}:${place.line}:${place.column}`
  const message = `${where}: ${field === '' ? '' : `${field}: `}${problem}`
  return new HoldfastError('profile-invalid', message.slice(0, 4_000), {
    at: { file: path, ...place, ...(field === '' ? {} : { field }) },
  })
}

/** A parsed document, and where each of its fields stands. */
interface Located {
  readonly value: unknown
  /** The place of a field's value, or of its key; of the nearest parent where it is missing. */
  readonly placeOf: (fields: readonly Key[], ofKey: boolean) => Place
}

const locate = (path: string, text: string): Located => {
  const counter = new LineCounter()
  const document = parseDocument(text, { lineCounter: counter, strict: true, uniqueKeys: true, merge: false })
  const at = (offset: number): Place => {
    const { line, col } = counter.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  const [fault] = document.errors
  if (fault !== undefined) throw invalidProfile(path, at(fault.pos[0]), '', fault.message.split('\n')[0]?.replace(/ at line \d.*$/, '') ?? '')
  visit(document, {
    Alias: (_, node) => {
      throw invalidProfile(path, at(node.range?.[0] ?? 0), '', 'uses an alias (*name); write the value out')
    },
    Node: (_, node, ancestors) => {
      if (ancestors.length > MAX_DEPTH * 2) throw invalidProfile(path, at(node.range?.[0] ?? 0), '', 'is nested too deep')
    },
  })
  const placeOf = (fields: readonly Key[], ofKey: boolean): Place => {
    let node: Node | null = document.contents
    let place = at(node?.range?.[0] ?? 0)
    fields.forEach((field, index) => {
      if (!isCollection(node)) return
      const wantsKey = ofKey && index === fields.length - 1
      if (isMap(node)) {
        const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === field)
        const found = (wantsKey ? pair?.key : (pair?.value ?? pair?.key)) as Node | null | undefined
        if (found?.range) place = at(found.range[0])
        node = (pair?.value ?? null) as Node | null
      } else {
        node = (node.items[Number(field)] ?? null) as Node | null
        if (node?.range) place = at(node.range[0])
      }
    })
    return place
  }
  return { value: document.toJS({ maxAliasCount: 0 }) as unknown, placeOf }
}

const fieldName = (fields: readonly Key[]): string =>
  fields.map((field, index) => (typeof field === 'number' ? `[${field}]` : `${index === 0 ? '' : '.'}${String(field)}`)).join('')

/** The keys that an object schema takes at a path, for saying what would be valid. */
const keysAt = (fields: readonly Key[]): string[] => {
  let schema: unknown = ProfileFile
  for (const field of [...fields, null]) {
    while (typeof schema === 'object' && schema !== null && 'unwrap' in schema && typeof schema.unwrap === 'function') {
      schema = (schema.unwrap as () => unknown)()
    }
    if (typeof schema !== 'object' || schema === null || !('shape' in schema)) return []
    const shape = schema.shape as Record<string, unknown>
    if (field === null) return Object.keys(shape)
    schema = shape[String(field)]
  }
  return []
}

const explain = (path: string, located: Located, issue: z.core.$ZodIssue): HoldfastError => {
  if (issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys
    const valid = keysAt(issue.path)
    const near = nearestName(key, valid)
    const hint = near === null ? `valid here: ${valid.join(', ')}` : `did you mean ${near}?`
    const fields = [...issue.path, key]
    return invalidProfile(path, located.placeOf(fields, true), fieldName(fields), `is not a known key; ${hint}`)
  }
  return invalidProfile(path, located.placeOf(issue.path, false), fieldName(issue.path), issue.message)
}

/** Whose a profile's file is. */
export type ProfileOrigin = Exclude<PolicyLayer['origin'], 'built-in' | 'session'>

const layerOf = (path: string, origin: ProfileOrigin, profile: ProfileFile, located: Located): PolicyLayer => {
  const rules: SourcedRule[] = []
  for (const effect of ['deny', 'ask', 'allow'] as const satisfies readonly PolicyEffect[]) {
    profile.policy?.[effect]?.forEach((text, index) => {
      const fields = ['policy', effect, index]
      const place = located.placeOf(fields, false)
      const parsed = parseRule(text)
      if (!parsed.ok) throw invalidProfile(path, place, fieldName(fields), `"${text}" ${parsed.problem}`)
      if (effect !== 'allow' && saysDestructive(parsed.rule)) throw invalidProfile(path, place, fieldName(fields), `"${text}" has its place under allow; here write ${parsed.rule.tool}`)
      rules.push({ rule: parsed.rule, effect, source: `${path}:${place.line}` })
    })
  }
  return { origin, rules }
}

/** Reads the text of a profile file. Throws HoldfastError `profile-invalid` with file, line, column, field and what would be valid. */
export const parseProfileText = (path: string, origin: ProfileOrigin, text: string): ReadProfile => {
  const located = locate(path, text)
  const parsed = ProfileFile.safeParse(located.value ?? {})
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw issue === undefined ? invalidProfile(path, null, '', 'is not a profile') : explain(path, located, issue)
  }
  return { path, profile: parsed.data, layer: layerOf(path, origin, parsed.data, located) }
}
