import { bodyOf } from '../contract/schemas/ledger-bodies.ts'
import type { LedgerEntry } from '../contract/schemas/ledger.ts'

/** How much an entry asks for a look, where other systems want to know. */
export const severityOf = (entry: LedgerEntry): 'info' | 'warn' | 'error' => {
  if (entry.kind === 'alarm/raised') return 'error'
  const isBad = entry.kind === 'tool-call/decision' || entry.kind === 'network/refused' || bodyOf(entry, 'tool-call/outcome')?.ok === false
  return isBad ? 'warn' : 'info'
}
