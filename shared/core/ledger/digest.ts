import { hash } from 'node:crypto'
import { canonicalJson } from '../../domain/ledger-chain.ts'

/** What an entry keeps of a tool's result: SHA-256 and length in bytes of its canonical JSON; null for what is no JSON. */
export const digestOf = (result: unknown): { sha256: string; bytes: number } | null => {
  try {
    const text = canonicalJson(result)
    return { sha256: hash('sha256', text), bytes: Buffer.byteLength(text) }
  } catch {
    return null
  }
}
