import type { LedgerEntry } from '../contract/schemas/ledger.ts'
import { canonicalJson, type ChainRow } from './ledger-chain.ts'

/** One line of a JSON lines export: canonical JSON, so that each entry has one text only and can be checked anywhere. */
export const jsonLine = (entry: LedgerEntry): string => canonicalJson(entry)

/** The entry as the chain sees it. */
export const toRow = ({ body, pruned, ...entry }: LedgerEntry): ChainRow => ({ ...entry, body: pruned ? '' : canonicalJson(body) })

const CSV_COLUMNS = ['sequence', 'at', 'kind', 'session', 'body', 'hash'] as const

/** RFC 4180. A cell that a spreadsheet would run as a formula gets an apostrophe in front. */
const cell = (value: string): string => `"${(/^[=+\-@\t\r]/.test(value) ? `'${value}` : value).replaceAll('"', '""')}"`

export const csvHeading = (): string => CSV_COLUMNS.map(cell).join(',')

/** Times are ISO 8601 in UTC; the body is canonical JSON, empty where it was pruned. */
export const csvLine = (entry: LedgerEntry): string =>
  [
    String(entry.sequence),
    new Date(entry.at).toISOString(),
    entry.kind,
    entry.sessionId ?? '',
    entry.pruned ? '' : canonicalJson(entry.body),
    entry.hash,
  ]
    .map(cell)
    .join(',')
