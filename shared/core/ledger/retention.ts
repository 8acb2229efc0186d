import { bodyOf } from '../../contract/schemas/ledger-bodies.ts'
import type { Clock, Ledger } from '../ports.ts'

const DAY_MS = 24 * 3_600_000

/**
 * Empties the content that is older than so many days, where there is any that was not emptied before. The ledger's proof
 * stays: see Ledger.prune. Rejects as that does.
 */
export const pruneOlderThan = async (ledger: Pick<Ledger, 'read' | 'tail' | 'prune'>, clock: Clock, days: number): Promise<void> => {
  const before = clock.now() - days * DAY_MS
  const [last] = ledger.tail(1, { kinds: ['ledger/pruned'] }).entries
  const after = (last === undefined ? null : bodyOf(last, 'ledger/pruned'))?.through ?? 0
  if (ledger.read({ after, limit: 1, until: before }).entries.length > 0) await ledger.prune(before)
}
