import type { LedgerEntry } from '../../../shared/contract/schemas/ledger.ts'
import { csvHeading, csvLine, jsonLine } from '../../../shared/domain/ledger-export.ts'
import type { HostLink } from '../../connection/host-link.ts'
import type { Filter } from './use-search.ts'

export type ExportFormat = 'jsonl' | 'csv'

const PAGE = 2_000

/** Every entry of the audit log that fits, as a file that the browser keeps; calls back with how many are read so far. */
export const exportLog = async (host: HostLink, filter: Filter, format: ExportFormat, onRead: (count: number) => void): Promise<void> => {
  const parts: string[] = format === 'csv' ? [`${csvHeading()}\r\n`] : []
  let count = 0
  for (let after: number | null = 0; after !== null; ) {
    const page: { entries: LedgerEntry[]; next: number | null } = await host.call('ledger/read', { ...filter, after, last: PAGE })
    parts.push(page.entries.map((entry) => (format === 'csv' ? `${csvLine(entry)}\r\n` : `${jsonLine(entry)}\n`)).join(''))
    count += page.entries.length
    onRead(count)
    after = page.next
  }
  const url = URL.createObjectURL(new Blob(parts, { type: format === 'csv' ? 'text/csv' : 'application/x-ndjson' }))
  const link = document.createElement('a')
  link.href = url
  link.download = `holdfast-audit-log.${format}`
  link.click()
  URL.revokeObjectURL(url)
}
