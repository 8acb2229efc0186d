import { hash } from 'node:crypto'
import type { RecordMode } from '../../contract/schemas/profile.ts'
import type { PolicyDecision } from '../../contract/schemas/tool-call.ts'
import { canonicalJson } from '../../domain/ledger-chain.ts'
import { ownText } from '../own-text.ts'

/** Longest input, in UTF-16 units of canonical JSON, that an entry holds whole; of a longer one the hash and the beginning. */
const MAX_INPUT = 65_536
const BEGINNING = 4_096
/** Longest result that an entry holds beside its hash. */
const MAX_RESULT = 16_384

const sha256 = (text: string): string => hash('sha256', text)

/** An input as canonical JSON, and the SHA-256 of that: made once for all who look at it. */
export interface CanonicalInput {
  readonly text: string
  readonly sha256: string
}

/** null for what is no JSON. */
export const canonicalInput = (input: unknown): CanonicalInput | null => {
  try {
    const text = canonicalJson(input)
    return { text, sha256: sha256(text) }
  } catch {
    return null
  }
}

/** What an entry keeps of a tool's input; null for what is no JSON, or is not to be kept. */
export const recordedInput = (mode: RecordMode, input: unknown, canonical = canonicalInput(input)): unknown => {
  if (mode === 'off' || canonical === null) return null
  const { text, sha256 } = canonical
  if (mode === 'full' && text.length <= MAX_INPUT) return input
  return { sha256, characters: text.length, beginning: mode === 'full' ? ownText(text.slice(0, BEGINNING)) : '' }
}

/** What an entry keeps of a decision: its reasons quote the input, and stay where that does. */
export const recordedDecision = <Decision extends PolicyDecision | null>(mode: RecordMode, decision: Decision): Decision => {
  if (mode === 'full' || decision === null) return decision
  const { unknown: _, ...classification } = decision.classification
  return { ...decision, classification: { ...classification, reasons: [] } }
}

/** What an entry keeps of why a call was denied: see `recordedDecision`. */
export const recordedReason = (mode: RecordMode, reason: string, decision: PolicyDecision | null): string =>
  mode === 'full' ? reason : (decision?.classification.reasons ?? []).reduce((text, quoting) => text.replaceAll(quoting, '…'), reason)

/** What an entry keeps of the command of a session, whose arguments may be a person's prompt: the program, and of the rest as much as of inputs. */
export const recordedCommand = (mode: RecordMode, [program, ...rest]: readonly string[]): string[] => {
  if (program === undefined || mode === 'off' || rest.length === 0) return program === undefined ? [] : [program]
  return mode === 'full' ? [program, ...rest] : [program, `sha256:${sha256(canonicalJson(rest))}`]
}

/** What an entry keeps of a tool's result: SHA-256 and length in bytes of its canonical JSON, and when `full` that too, cut. */
export const recordedResult = (mode: RecordMode, result: unknown): { sha256: string; bytes: number; text?: string } | null => {
  if (mode === 'off' || result === undefined) return null
  try {
    const text = canonicalJson(result)
    const digest = { sha256: sha256(text), bytes: Buffer.byteLength(text) }
    return mode === 'full' ? { ...digest, text: ownText(text.slice(0, MAX_RESULT)) } : digest
  } catch {
    return null
  }
}
