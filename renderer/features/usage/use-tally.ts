import { useEffect, useRef, useState } from 'react'
import type { LedgerEntry } from '../../../shared/contract/schemas/ledger.ts'
import { createTally, USAGE_KINDS, type Tally } from '../../../shared/domain/usage-tally.ts'
import { faultText, useHost, useLive } from '../../connection/hooks.ts'

const PAGE = 5_000
/** How often what came meanwhile is drawn, in ms. */
const DRAW_EVERY_MS = 1_000

/** What the audit log since then adds up to, read once and kept current; drawn anew every second that brings something. */
export const useTally = (sinceMs: number | null, stretchMs: number): { tally: Tally; version: number; read: number | null; fault: string | null } => {
  const host = useHost()
  const connection = useLive((snapshot) => snapshot.connection)
  const tally = useRef<Tally>(createTally(stretchMs))
  const [version, setVersion] = useState(0)
  const [state, setState] = useState<{ read: number | null; fault: string | null }>({ read: 0, fault: null })

  useEffect(() => {
    if (connection === 0) return undefined
    const own = createTally(stretchMs)
    let early: LedgerEntry[] | null = []
    let wanted = true
    let changed = true
    const off = host.on('ledger/appended', (entry) => {
      if (!USAGE_KINDS.includes(entry.kind)) return
      if (early === null) own.add(entry)
      else early.push(entry)
      changed = true
    })
    const timer = setInterval(() => {
      if (!changed || early !== null) return
      changed = false
      setVersion((count) => count + 1)
    }, DRAW_EVERY_MS)
    const load = async (): Promise<void> => {
      let read = 0
      const since = sinceMs === null ? {} : { since: Date.now() - sinceMs }
      for (let after: number | null = 0; after !== null && wanted; ) {
        const page: { entries: LedgerEntry[]; next: number | null } = await host.call('ledger/read', { after, last: PAGE, kinds: USAGE_KINDS, ...since })
        for (const entry of page.entries) own.add(entry)
        read += page.entries.length
        after = page.next
        if (wanted) setState({ read, fault: null })
      }
      for (const entry of early ?? []) own.add(entry)
      early = null
      if (!wanted) return
      tally.current = own
      setState({ read: null, fault: null })
      setVersion((count) => count + 1)
    }
    setState({ read: 0, fault: null })
    load().catch((error: unknown) => wanted && setState({ read: null, fault: faultText(error) }))
    return () => {
      wanted = false
      clearInterval(timer)
      off()
    }
  }, [host, connection, sinceMs, stretchMs])

  return { tally: tally.current, version, ...state }
}
