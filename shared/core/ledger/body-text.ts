import { HoldfastError } from '../../contract/errors.ts'
import type { LedgerKind } from '../../contract/schemas/ledger.ts'
import { canonicalJson } from '../../domain/ledger-chain.ts'

/** Longest body of an entry, in bytes of canonical JSON. */
export const MAX_BODY_BYTES = 256 * 1024

/** A body as it is stored. Throws HoldfastError `bad-params` when it is not JSON or longer than MAX_BODY_BYTES. */
export const bodyText = (kind: LedgerKind, body: Record<string, unknown>): string => {
  const refuse = (why: string, cause?: unknown) => new HoldfastError('bad-params', `A ${kind} entry cannot be recorded: ${why}.`, { cause })
  let text: string
  try {
    text = canonicalJson(body)
  } catch (cause) {
    throw refuse(cause instanceof Error ? cause.message : String(cause), cause)
  }
  // No UTF-16 unit takes more than three.
  const bytes = text.length * 3 > MAX_BODY_BYTES ? Buffer.byteLength(text) : 0
  if (bytes > MAX_BODY_BYTES) throw refuse(`its body has ${bytes} bytes, the limit is ${MAX_BODY_BYTES}`)
  return text
}
