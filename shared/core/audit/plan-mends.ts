import { readFile, realpath, stat } from 'node:fs/promises'
import { HoldfastError } from '../../contract/errors.ts'
import { formatOf } from '../../domain/audit/audit-file.ts'
import { type Edit, ITEM, type Mend, type Registry } from '../../domain/audit/finding.ts'
import { freeName } from '../../domain/audit/item-name.ts'
import { applyEdit, changedLines } from '../../domain/audit/mend-text.ts'
import { createRedactor, REDACTED } from '../../domain/redact.ts'
import { acceptanceOf } from './accepted.ts'
import { type AuditParams, auditText, type LocatedFinding } from './audit.ts'
import type { Place } from './places.ts'

/** What --fix would do to one file. */
export interface PlannedMend {
  /** Where the bytes are: links are followed, and stay. */
  readonly file: string
  readonly before: Buffer
  readonly after: Buffer
  readonly mode: number
  readonly newMode: number
  /** For a person; secrets taken out. */
  readonly lines: readonly string[]
  /** What it mends, and what that means, for a person. */
  readonly mended: readonly string[]
  /** Secrets that go to the keychain first. */
  readonly keep: readonly { readonly item: string; readonly value: string }[]
}

/** A finding that stays, and why. */
export interface Left {
  readonly finding: LocatedFinding
  readonly why: string
}

export interface PlanDeps extends Pick<AuditParams, 'home' | 'scan' | 'key' | 'accepted'> {
  /** Names of the items that the keychain has; why it can take none where it cannot. */
  readonly taken: readonly string[] | string
  /** A package with its exact version. Throws HoldfastError that says why it cannot be told. */
  readonly version: (registry: Registry, word: string) => Promise<string>
}

const MAX_MENDS = 500
const AGAIN = 'the same file is mended under another name first; run it again'
const octal = (mode: number): string => mode.toString(8).padStart(3, '0')
const keyOf = ({ rule, about }: LocatedFinding): string => `${rule}\n${about}`
const withItem = (edit: Edit, item: string): Edit =>
  edit.kind === 'span' ? { ...edit, text: edit.text.replaceAll(ITEM, item) } : edit.kind === 'rename' ? { ...edit, value: edit.value.replaceAll(ITEM, item) } : edit

type Mended = { readonly text: string; readonly keep: PlannedMend['keep'] } | { readonly why: string }

const mended = async (place: Place, text: string, mend: Mend, names: Set<string> | string, version: PlanDeps['version']): Promise<Mended> => {
  let edits: readonly Edit[] = []
  let keep: PlannedMend['keep'] = []
  if (mend.kind === 'pin') {
    try {
      edits = [{ kind: 'set', path: mend.path, value: await version(mend.registry, mend.word) }]
    } catch (error) {
      if (error instanceof HoldfastError) return { why: error.message }
      throw error
    }
  } else if (mend.kind === 'edit') {
    edits = mend.edits
    if (mend.keep !== undefined) {
      if (typeof names === 'string') return { why: names }
      const item = freeName(mend.keep.item, names)
      keep = [{ item, value: mend.keep.value }]
      edits = edits.map((edit) => withItem(edit, item))
    }
  }
  let changed: string | null = text
  for (const edit of edits) changed = changed === null ? null : applyEdit(changed, formatOf(place.kind), edit)
  return changed === null || changed === text ? { why: 'it stands in a way that Holdfast does not change by itself' } : { text: changed, keep }
}

/** Mends one file's text fault by fault, looking at the whole file again after each: what does not make its own fault go, and nothing worse, is not done. */
const planFile = async (place: Place, deps: PlanDeps, names: Set<string> | string): Promise<{ plan: PlannedMend | null; left: Left[] }> => {
  const file = await realpath(place.path)
  const before = await readFile(file)
  const mode = (await stat(file)).mode & 0o777
  const why = new Map<string, string>()
  const keep: { item: string; value: string }[] = []
  const done: string[] = []
  const look = async (text: string): Promise<readonly LocatedFinding[] | null> => {
    const { findings, skipped } = await auditText(place, text, mode, deps)
    return skipped === null ? findings.filter((finding) => acceptanceOf({ ...finding, file: place.path }, deps.accepted) === null) : null
  }
  // A byte order mark is none of the text that is looked at, and stays.
  const [, mark = '', old = ''] = /^(\uFEFF?)([^]*)$/.exec(before.toString('utf8')) ?? []
  let text = old
  let open = (await look(text)) ?? []
  for (let count = 0; count < MAX_MENDS; count += 1) {
    const next = open.find((finding) => finding.mend !== null && finding.mend.kind !== 'close' && !why.has(keyOf(finding)))
    if (next === undefined || next.mend === null) break
    const result = await mended(place, text, next.mend, names, deps.version)
    const after = 'why' in result ? null : await look(result.text)
    const still = (findings: readonly LocatedFinding[]): number => findings.filter((finding) => keyOf(finding) === keyOf(next)).length
    if ('why' in result || after === null || still(after) >= still(open)) {
      why.set(keyOf(next), 'why' in result ? result.why : 'no change could be made that is sure to mend it')
      continue
    }
    text = result.text
    open = after
    for (const { item, value } of result.keep) {
      keep.push({ item, value })
      if (typeof names !== 'string') names.add(item)
    }
    done.push(`${next.what}: ${next.fix}`)
  }
  const closes = open.some(({ mend }) => mend?.kind === 'close')
  const newMode = closes ? 0o600 : mode
  if (closes) done.push('other users of this machine can read the credential here: chmod 600')
  const left = open.filter(({ mend }) => mend?.kind !== 'close').map((finding) => ({ finding, why: why.get(keyOf(finding)) ?? 'only you can' }))
  const after = Buffer.from(mark + text)
  if (after.equals(before) && mode === newMode) return { plan: null, left }
  const redact = createRedactor([...(await deps.scan(file, old)).map(({ start, end }) => old.slice(start, end)), ...keep.map(({ value }) => value)])
  const lines = changedLines(redact(old).text, redact(text).text).map((line) => line.replace(/((?:token|secret|passw\w*|key|authorization)["']?\s*[:=]\s*["']?)(?!agent\/)[^"',\s]{6,}/gi, `$1${REDACTED}`))
  return { plan: { file, before, after, mode, newMode, lines: [...(mode === newMode ? [] : [`permissions ${octal(mode)} → ${octal(newMode)}`]), ...lines], mended: done, keep }, left }
}

/** What mending these findings would change, file by file, and which of them stay. Changes nothing. */
export const planMends = async (findings: readonly LocatedFinding[], deps: PlanDeps): Promise<{ readonly plans: readonly PlannedMend[]; readonly left: readonly Left[] }> => {
  const plans: PlannedMend[] = []
  const left: Left[] = findings.filter(({ place }) => place === null).map((finding) => ({ finding, why: 'only you can' }))
  const names = typeof deps.taken === 'string' ? deps.taken : new Set(deps.taken)
  for (const place of new Map(findings.flatMap(({ place: each }) => (each === null ? [] : [[each.path, each] as const]))).values()) {
    const planned = await planFile(place, deps, names)
    const { plan } = planned
    // Under another name it was looked at by other rules.
    if (plan !== null && plans.some(({ file }) => file === plan.file)) left.push(...findings.filter((finding) => finding.place?.path === place.path).map((finding) => ({ finding, why: AGAIN })))
    else {
      if (plan !== null) plans.push(plan)
      left.push(...planned.left)
    }
  }
  return { plans, left }
}
