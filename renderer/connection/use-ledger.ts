import { useEffect, useState } from 'react'
import type { LedgerEntry } from '../../shared/contract/schemas/ledger.ts'
import { faultText, useHost, useLive } from './hooks.ts'
import { readNewest } from './read-ledger.ts'

/** Entries that a page holds at most. */
const MAX_ENTRIES = 10_000

/** The newest entries of the audit log, oldest first, kept current: a new array at most every `everyMs`. */
export const useLedger = (everyMs: number): { entries: readonly LedgerEntry[]; fault: string | null } => {
  const host = useHost()
  const connection = useLive((snapshot) => snapshot.connection)
  const [state, setState] = useState<{ entries: readonly LedgerEntry[]; fault: string | null }>({ entries: [], fault: null })
  useEffect(() => {
    if (connection === 0) return undefined
    let fresh: LedgerEntry[] = []
    let loaded = false
    const off = host.on('ledger/appended', (entry) => void fresh.push(entry))
    const takeIn = (): void => {
      if (!loaded || fresh.length === 0) return
      const added = fresh
      fresh = []
      setState(({ entries }) => {
        const last = entries.at(-1)?.sequence ?? 0
        return { entries: [...entries, ...added.filter(({ sequence }) => sequence > last)].slice(-MAX_ENTRIES), fault: null }
      })
    }
    const timer = setInterval(takeIn, everyMs)
    readNewest(host, MAX_ENTRIES).then(
      (entries) => {
        loaded = true
        setState({ entries, fault: null })
      },
      (error: unknown) => setState((before) => ({ ...before, fault: faultText(error) })),
    )
    return () => {
      off()
      clearInterval(timer)
    }
  }, [host, connection, everyMs])
  return state
}
