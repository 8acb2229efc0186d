import type { CommandParams } from '../../shared/contract/protocol.ts'
import type { LedgerEntry } from '../../shared/contract/schemas/ledger.ts'
import type { HostLink } from './host-link.ts'

const PAGE = 5_000

/** All entries that fit, oldest first. */
export const readAll = async (host: HostLink, filter: Pick<CommandParams<'ledger/read'>, 'sessionId'>): Promise<LedgerEntry[]> => {
  const all: LedgerEntry[] = []
  for (let after: number | null = 0; after !== null; ) {
    const { entries, next }: { entries: LedgerEntry[]; next: number | null } = await host.call('ledger/read', { ...filter, after, last: PAGE })
    for (const entry of entries) all.push(entry)
    after = next
  }
  return all
}
