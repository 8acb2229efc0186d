import type { LedgerFilter } from '../contract/schemas/ledger.ts'
import type { ChainRow } from './ledger-chain.ts'

/** Whether an entry is one of those asked for, its words apart: see ledger-search. */
export const filterOf = ({ sessionId, kinds, since, until }: LedgerFilter): ((row: ChainRow) => boolean) => {
  const wanted = kinds === undefined ? null : new Set<string>(kinds)
  return (row) =>
    (sessionId === undefined || row.sessionId === sessionId) &&
    (wanted === null || wanted.has(row.kind)) &&
    (since === undefined || row.at >= since) &&
    (until === undefined || row.at < until)
}
