import type { LedgerFilter } from '../contract/schemas/ledger.ts'
import type { ChainRow } from './ledger-chain.ts'

/** Whether an entry is one of those asked for, its session apart. A pruned entry holds no text. */
export const filterOf = ({ kinds, since, until, text }: LedgerFilter): ((row: ChainRow) => boolean) => {
  const wanted = kinds === undefined ? null : new Set<string>(kinds)
  const sought = text?.toLowerCase()
  return ({ kind, at, body }) =>
    (wanted === null || wanted.has(kind)) &&
    (since === undefined || at >= since) &&
    (until === undefined || at < until) &&
    (sought === undefined || body.toLowerCase().includes(sought))
}
