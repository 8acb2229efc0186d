import { useEffect, useRef, useState } from 'react'
import type { CommandParams } from '../../../shared/contract/protocol.ts'
import type { LedgerEntry } from '../../../shared/contract/schemas/ledger.ts'
import { toRow } from '../../../shared/domain/ledger-export.ts'
import { filterOf } from '../../../shared/domain/ledger-filter.ts'
import { matcherOf } from '../../../shared/domain/ledger-search.ts'
import { faultText, useHost, useLive } from '../../connection/hooks.ts'
import { createPacer } from '../../connection/pacer.ts'

export type Filter = Pick<CommandParams<'ledger/read'>, 'kinds' | 'sessionId' | 'since' | 'until' | 'text'>

/** Entries that are read at once, and those a page holds at most while it follows what is appended. */
const PAGE = 1_000
const MAX_ENTRIES = 50_000
/** How long a person pauses before what they typed is looked for, in ms. */
const TYPING_MS = 200

/** Whether an entry that has just come is one of those asked for. */
const matcher = (filter: Filter): ((entry: LedgerEntry) => boolean) => {
  const isAsked = filterOf(filter)
  const holdsWords = filter.text === undefined ? () => true : matcherOf(filter.text)
  return (entry) => {
    const row = toRow(entry)
    return isAsked(row) && holdsWords(row.body)
  }
}

export interface Search {
  /** Oldest first. */
  readonly entries: readonly LedgerEntry[]
  readonly loading: boolean
  readonly fault: string | null
  /** Reads further back; null at the beginning. */
  readonly older: (() => void) | null
}

/** What the whole audit log holds for this filter, the newest first to be read, kept current while entries come. */
export const useSearch = (filter: Filter): Search => {
  const host = useHost()
  const connection = useLive((snapshot) => snapshot.connection)
  const key = JSON.stringify(filter)
  const entries = useRef<LedgerEntry[]>([])
  const next = useRef<number | null>(null)
  const [, setVersion] = useState(0)
  const [state, setState] = useState<{ loading: boolean; fault: string | null }>({ loading: true, fault: null })
  const load = useRef<() => void>(() => undefined)

  useEffect(() => {
    if (connection === 0) return undefined
    const asked = JSON.parse(key) as Filter
    const fits = matcher(asked)
    let wanted = true
    let fresh: LedgerEntry[] | null = []
    const pacer = createPacer(() => setVersion((count) => count + 1))
    const off = host.on('ledger/appended', (entry) => {
      if (!fits(entry)) return
      if (fresh !== null) fresh.push(entry)
      else {
        entries.current.push(entry)
        if (entries.current.length > MAX_ENTRIES * 1.1) entries.current = entries.current.slice(-MAX_ENTRIES)
        pacer.request()
      }
    })
    const read = async (before: number | null): Promise<void> => {
      setState({ loading: true, fault: null })
      const page = await host.call('ledger/read', { ...asked, last: PAGE, ...(before === null ? {} : { before }) })
      if (!wanted) return
      if (before === null) {
        const last = page.entries.at(-1)?.sequence ?? 0
        entries.current = [...page.entries, ...(fresh ?? []).filter(({ sequence }) => sequence > last)]
        fresh = null
      } else entries.current = [...page.entries, ...entries.current]
      next.current = page.next
      setState({ loading: false, fault: null })
    }
    const tell = (error: unknown): void => void (wanted && setState({ loading: false, fault: faultText(error) }))
    load.current = () => {
      const before = next.current
      if (before !== null) read(before).catch(tell)
    }
    const timer = setTimeout(() => read(null).catch(tell), TYPING_MS)
    return () => {
      wanted = false
      clearTimeout(timer)
      pacer.stop()
      off()
    }
  }, [host, connection, key])

  return { entries: entries.current, ...state, older: next.current === null || state.loading ? null : () => load.current() }
}
