import type { LedgerFault } from '../contract/schemas/ledger.ts'

/** SHA-256 of the text's UTF-8 bytes as 64 lower-case hex digits. An argument, so that this file runs anywhere. */
export type Sha256 = (text: string) => string

/**
 * An entry as the chain sees it: `body` is the canonical JSON text that was stored, never parsed and rewritten, and ''
 * once its content was pruned. `bodyHash` is null in entries of the first format, whose hash covers the body itself.
 */
export interface ChainRow {
  readonly sequence: number
  readonly at: number
  readonly kind: string
  readonly sessionId: string | null
  readonly body: string
  readonly bodyHash: string | null
  readonly previousHash: string
  readonly hash: string
}

/** The newest entry's place in the chain. */
export interface LedgerHead {
  readonly sequence: number
  readonly hash: string
}

/** Where every chain begins: the `previousHash` of entry 1. */
export const GENESIS: LedgerHead = { sequence: 0, hash: '0'.repeat(64) }

/** One opens every hash input and names its format, so that neither can be taken for the other. */
const FIRST_FORMAT = 'holdfast-ledger-1\n'
const FORMAT = 'holdfast-ledger-2\n'
const MAX_DEPTH = 256
const MAX_FAULTS = 100
/** How far around its place the origin of a moved entry is looked for. */
const ORIGIN_REACH = 1_000

/**
 * JSON in one form only, after RFC 8785: no white space, keys in UTF-16 order, numbers and strings as ECMAScript
 * writes them. A lone surrogate, which the RFC refuses, keeps its `\udXXX` escape: what an agent sent must not
 * escape its record by being odd. Properties that are undefined are left out, as JSON.stringify does.
 * Throws TypeError for what JSON cannot hold, and for nesting deeper than 256.
 */
export const canonicalJson = (value: unknown): string => canonical(value, 0)

const canonical = (value: unknown, depth: number): string => {
  if (typeof value === 'string') return quoted(value)
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`JSON has no ${value}`)
    return String(value)
  }
  if (typeof value !== 'object') throw new TypeError(`JSON has no ${typeof value}`)
  if (depth === MAX_DEPTH) throw new TypeError(`nested deeper than ${MAX_DEPTH}`)
  if (Array.isArray(value)) {
    let text = '['
    for (let at = 0; at < value.length; at += 1) {
      if (at > 0) text += ','
      text += canonical(value[at], depth + 1)
    }
    return `${text}]`
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) throw new TypeError('JSON has only plain objects')
  const members = value as Readonly<Record<string, unknown>>
  let text = '{'
  for (const key of Object.keys(members).sort()) {
    const member = members[key]
    if (member === undefined) continue
    if (text.length > 1) text += ','
    text += nameOf(key)
    text += canonical(member, depth + 1)
  }
  return `${text}}`
}

/** What JSON.stringify gives, sooner for the many strings that need no escape. */
const quoted = (text: string): string => (needsEscape(text) ? JSON.stringify(text) : `"${text}"`)
/** In a long text single characters are found sooner one after the other. */
const needsEscape = (text: string): boolean =>
  text.length < 1_000 ? NEEDS_ESCAPE.test(text) : text.includes('"') || text.includes('\\') || CONTROL.test(text) || !text.isWellFormed()
/** Control characters, of which some need none, halves of a pair, quote and backslash (RFC 8785, 3.2.2.2). */
const NEEDS_ESCAPE = /[\p{Cc}\p{Cs}"\\]/u
const CONTROL = /\p{Cc}/u

/** A member's name and its colon. Entries have the same few names: those met first are kept, of short ones. */
const nameOf = (key: string): string => {
  const known = names.get(key)
  if (known !== undefined) return known
  const name = `${quoted(key)}:`
  if (names.size < MAX_NAMES && key.length <= MAX_NAME) names.set(key, name)
  return name
}
const names = new Map<string, string>()
const MAX_NAMES = 1_000
const MAX_NAME = 40

/** What an entry's hash is taken of: the format's name, then canonical JSON of every field but the hash. */
export const hashInput = (row: Omit<ChainRow, 'hash'>): string => {
  const content = row.bodyHash === null ? `"body":${row.body}` : `"bodyHash":"${row.bodyHash}"`
  return (
    `${row.bodyHash === null ? FIRST_FORMAT : FORMAT}{"at":${row.at},${content},"kind":${JSON.stringify(row.kind)}` +
    `,"previousHash":"${row.previousHash}","sequence":${row.sequence}` +
    `,"sessionId":${row.sessionId === null ? 'null' : JSON.stringify(row.sessionId)}}`
  )
}

const HASH = /^[0-9a-f]{64}$/

/** Whether the body is what the entry's hash was taken of, or gone and still vouched for by its own hash. */
const isOwnBody = ({ body, bodyHash }: ChainRow, sha256: Sha256): boolean =>
  bodyHash === null || (body === '' ? HASH.test(bodyHash) : sha256(body) === bodyHash)

/** Where a verification stands between two rows. */
export interface ChainState {
  /** The head kept outside the database, or null when there is none to be had. */
  readonly expected: LedgerHead | null
  readonly entries: number
  readonly last: LedgerHead
  /** The last row's own `previousHash`. */
  readonly lastPrevious: string
  /** The hash found at the expected head's sequence. */
  readonly hashAtExpected: string | null
  readonly faults: readonly LedgerFault[]
}

export interface ChainVerdict {
  readonly ok: boolean
  readonly entries: number
  readonly headHash: string
  readonly faults: readonly LedgerFault[]
}

export const beginChain = (expected: LedgerHead | null): ChainState => ({
  expected,
  entries: 0,
  last: GENESIS,
  lastPrevious: GENESIS.hash,
  hashAtExpected: expected?.sequence === 0 ? GENESIS.hash : null,
  faults: [],
})

/** Folds in the next row. Rows come in the order of their sequence; at most 100 faults are kept. */
export const stepChain = (state: ChainState, row: ChainRow, sha256: Sha256): ChainState => {
  const sound =
    row.sequence === state.last.sequence + 1 &&
    row.previousHash === state.last.hash &&
    hasTypes(row) &&
    isOwnBody(row, sha256) &&
    sha256(hashInput(row)) === row.hash
  const full = state.faults.length >= MAX_FAULTS
  const faults = sound || full ? state.faults : [...state.faults, ...diagnose(state, row, sha256)]
  if (!(row.sequence > state.last.sequence)) return { ...state, entries: state.entries + 1, faults }
  return {
    expected: state.expected,
    entries: state.entries + 1,
    last: { sequence: row.sequence, hash: row.hash },
    lastPrevious: row.previousHash,
    hashAtExpected: row.sequence === state.expected?.sequence ? row.hash : state.hashAtExpected,
    faults,
  }
}

/** Ends the fold: compares with the head kept outside and orders the faults, first bad sequence first. */
export const endChain = (state: ChainState): ChainVerdict => {
  const missed = headFault(state.expected, state.last, state.hashAtExpected)
  const known = missed === null || state.faults.some((found) => found.sequence === missed.sequence)
  const faults = (known ? [...state.faults] : [...state.faults, missed]).sort((a, b) => a.sequence - b.sequence)
  return { ok: faults.length === 0, entries: state.entries, headHash: state.last.hash, faults }
}

/**
 * Whether the chain still reaches the head kept outside it, which may lag behind but never run ahead.
 * `found` is the hash at the expected sequence, null when there is no such entry.
 */
export const headFault = (expected: LedgerHead | null, last: LedgerHead, found: string | null): LedgerFault | null => {
  if (expected === null) {
    if (last.sequence === 0) return null
    return fault(last.sequence, 'unreadable', 'the head kept beside the database is gone: later entries may be missing')
  }
  if (expected.sequence > last.sequence) {
    const next = last.sequence + 1
    return fault(next, 'truncated', `entries ${next} to ${expected.sequence} are missing at the end`)
  }
  if (found === expected.hash) return null
  return fault(expected.sequence, 'altered', 'differs from the head kept beside the database: it or one before it changed')
}

/** A fault with its place in words. */
export const fault = (sequence: number, problem: LedgerFault['problem'], message: string): LedgerFault => ({
  sequence,
  problem,
  message: `entry ${sequence}: ${message}`,
})

const hasTypes = (row: ChainRow): boolean =>
  Number.isSafeInteger(row.sequence) &&
  Number.isSafeInteger(row.at) &&
  typeof row.kind === 'string' &&
  (row.sessionId === null || typeof row.sessionId === 'string') &&
  typeof row.body === 'string' &&
  (row.bodyHash === null || typeof row.bodyHash === 'string') &&
  typeof row.previousHash === 'string'

const isWellTyped = (row: ChainRow): boolean =>
  hasTypes(row) && HASH.test(row.previousHash) && (row.bodyHash === null || HASH.test(row.bodyHash))

/** Says what is wrong with a row that does not follow from the one before. */
const diagnose = (state: ChainState, row: ChainRow, sha256: Sha256): LedgerFault[] => {
  const { last, lastPrevious } = state
  const next = last.sequence + 1
  if (!isWellTyped(row)) return [fault(next, 'unreadable', 'a column holds what this ledger never writes')]
  if (row.sequence < next) {
    return [fault(Math.max(row.sequence, 0), 'inserted', `stands outside the count, as number ${row.sequence}`)]
  }

  const isOwn = isOwnBody(row, sha256)
  const hashWorksAs = (sequence: number): boolean => isOwn && sha256(hashInput({ ...row, sequence })) === row.hash
  const intact = hashWorksAs(row.sequence)
  if (row.sequence > next) {
    const missing = fault(next, 'removed', `entries ${next} to ${row.sequence - 1} are missing`)
    return intact ? [missing] : [missing, fault(row.sequence, 'altered', 'its content does not match its hash')]
  }
  if (row.previousHash === last.hash) return [fault(next, 'altered', 'its content does not match its hash')]
  if (intact) {
    const suspect = Math.max(last.sequence, 1)
    const known = state.faults.some((found) => found.sequence === suspect)
    return known ? [] : [fault(suspect, 'altered', 'the entry after it was chained to another content')]
  }
  if (row.previousHash === lastPrevious && hashWorksAs(last.sequence)) {
    return row.hash === last.hash
      ? [fault(next, 'inserted', 'repeats the entry before it')]
      : [fault(last.sequence, 'inserted', 'was put in front of an entry that had its place')]
  }
  for (let away = 1; away <= ORIGIN_REACH; away += 1) {
    for (const origin of [next - away, next + away]) {
      if (hashWorksAs(origin)) return [fault(next, 'reordered', `holds what was recorded as entry ${origin}`)]
    }
  }
  return [fault(next, 'altered', 'neither its content nor its place matches its hash')]
}
