import type { ParsedScript } from 'unbash'
import { HIDDEN, isHidden, isKnown, UNKNOWN } from './unknown.ts'

const MAX_VALUE = 65_536
const MAX_VALUES = 8
const MAX_ELEMENTS = 1_000

/** `HOME` stays `~`, so that a path in it is recognised without knowing whose it is. */
const WELL_KNOWN: Readonly<Record<string, string>> = { HOME: '~', PWD: '.', IFS: ' ', TMPDIR: '/tmp', '!': '%!' }

/** What is known of the shell's variables while a command is read. */
export interface Variables {
  /** The one value it can have; null when it is unset, not known, or may have more than one. */
  get(name: string): string | null
  /** Every value that it was given, after UNKNOWN where it may have others; null when it was given none that is known. */
  valuesOf(name: string): readonly string[] | null
  arrayOf(name: string): readonly string[] | null
  /** null: given a value that is not known. Which of several holds is not followed: from the second on it may have any. */
  set(name: string, value: string | null): void
  setArray(name: string, elements: readonly string[]): void
  /** Does some work with a variable having this one value. */
  withValue(name: string, value: string, work: () => void): void
  /** Does some work with `$1`, `$2` … being these; null when they are not known. */
  withArguments(args: readonly string[] | null, work: () => void): void
  /** From now on `$1`, `$2` … are these; null when they are not known. */
  setArguments(args: readonly string[] | null): void
  arguments(): readonly string[] | null
  /** What a command substitution becomes, as far as it can be told. */
  readonly outputOf: (script: ParsedScript) => string
  /** False once `characters` more would pass the budget: from then on values are unknown. Keeps expansion linear. */
  spend(characters: number): boolean
}

interface Entry {
  readonly values: Set<string>
  unclear: boolean
}

/** Variables of one command line. */
export const createVariables = (budget: number, outputOf: Variables['outputOf']): Variables => {
  const entries = new Map<string, Entry>()
  const arrays = new Map<string, readonly string[]>()
  let positional: readonly string[] | null = null
  let left = budget
  const valuesOf = (name: string): readonly string[] | null => {
    if (positional !== null) {
      if (name === '@' || name === '*') return [positional.join(' ')]
      if (/^\d+$/.test(name) && name !== '0') return [positional[Number(name) - 1] ?? '']
    }
    const entry = entries.get(name)
    if (entry === undefined) return Object.hasOwn(WELL_KNOWN, name) ? [WELL_KNOWN[name] ?? ''] : null
    if (entry.values.size === 0) return null
    return entry.unclear || entry.values.size > 1 ? [UNKNOWN, ...entry.values] : [...entry.values]
  }
  return {
    outputOf,
    valuesOf,
    get: (name) => {
      const values = valuesOf(name)
      return values?.length === 1 && !isHidden(values[0] ?? '') ? (values[0] ?? null) : null
    },
    arrayOf: (name) => arrays.get(name) ?? null,
    set: (name, value) => {
      const entry = entries.get(name) ?? { values: new Set(), unclear: false }
      entries.set(name, entry)
      if (value === null) entry.unclear = true
      else if (value.length > MAX_VALUE || isHidden(value) || entry.values.size >= MAX_VALUES) entry.values.add(HIDDEN)
      else if (isKnown(value)) entry.values.add(value)
      else entry.unclear = true
    },
    setArray: (name, elements) => void arrays.set(name, elements.length > MAX_ELEMENTS ? [HIDDEN] : elements),
    withValue: (name, value, work) => {
      const before = entries.get(name)
      entries.set(name, { values: new Set([value.length > MAX_VALUE ? HIDDEN : value]), unclear: false })
      work()
      if (before === undefined) entries.delete(name)
      else entries.set(name, before)
    },
    withArguments: (args, work) => {
      const before = positional
      positional = args
      work()
      positional = before
    },
    setArguments: (args) => void (positional = args),
    arguments: () => positional,
    spend: (characters) => {
      left -= characters
      return left >= 0
    },
  }
}
