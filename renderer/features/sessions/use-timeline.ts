import { useEffect, useRef, useState } from 'react'
import type { SessionId } from '../../../shared/contract/ids.ts'
import type { LedgerEntry } from '../../../shared/contract/schemas/ledger.ts'
import { faultText, useHost, useLive } from '../../connection/hooks.ts'
import { createPacer } from '../../connection/pacer.ts'
import { readAll } from '../../connection/read-ledger.ts'
import { createTimeline, type Timeline } from './timeline.ts'

/** A session's timeline, loaded and then kept current; `version` rises, at the pacer's rate, when it changed. */
export const useTimeline = (sessionId: SessionId): { timeline: Timeline; version: number; loaded: boolean; fault: string | null } => {
  const host = useHost()
  const connection = useLive((snapshot) => snapshot.connection)
  const timeline = useRef<Timeline>(createTimeline())
  const [version, setVersion] = useState(0)
  const [status, setStatus] = useState<{ loaded: boolean; fault: string | null }>({ loaded: false, fault: null })

  useEffect(() => {
    if (connection === 0) return undefined
    const own = createTimeline()
    let early: LedgerEntry[] | null = []
    let wanted = true
    const pacer = createPacer(() => setVersion((count) => count + 1))
    const offEntry = host.on('ledger/appended', (entry) => {
      if (entry.sessionId !== sessionId) return
      if (early !== null) early.push(entry)
      else {
        own.add(entry)
        pacer.request()
      }
    })
    const offCall = host.on('tool-call/changed', (call) => {
      if (call.sessionId !== sessionId) return
      own.addCall(call)
      pacer.request()
    })
    const load = async (): Promise<void> => {
      for (const entry of await readAll(host, { sessionId })) own.add(entry)
      for (const entry of early ?? []) own.add(entry)
      early = null
      const { toolCalls } = await host.call('tool-call/list', { sessionId })
      for (const call of toolCalls) own.addCall(call)
      if (!wanted) return
      timeline.current = own
      setStatus({ loaded: true, fault: null })
      pacer.request()
    }
    load().catch((error: unknown) => wanted && setStatus({ loaded: true, fault: faultText(error) }))
    return () => {
      wanted = false
      pacer.stop()
      offEntry()
      offCall()
    }
  }, [host, sessionId, connection])

  return { timeline: timeline.current, version, ...status }
}
