import { createContext, useCallback, useContext, useEffect, useState, useSyncExternalStore } from 'react'
import { HoldfastError } from '../../shared/contract/errors.ts'
import type { CommandName, CommandParams, CommandResult } from '../../shared/contract/protocol.ts'
import type { HostLink } from './host-link.ts'
import type { Snapshot, Store } from './store.ts'

export const StoreContext = createContext<Store | null>(null)

const useStore = (): Store => {
  const store = useContext(StoreContext)
  if (store === null) throw new Error('outside the dashboard')
  return store
}

export const useHost = (): HostLink => useStore().host

/** A part of the snapshot; drawn again when that part is another. */
export const useLive = <Part>(part: (snapshot: Snapshot) => Part): Part => {
  const store = useStore()
  return useSyncExternalStore(store.subscribe, () => part(store.snapshot()))
}

/** What a fault says to a person. */
export const faultText = (error: unknown): string => (error instanceof HoldfastError ? error.message : 'Something went wrong in this page. Reload it.')

export interface Query<Result> {
  readonly data: Result | null
  readonly fault: string | null
  reload(): void
}

/** A command's result; asked again after each reconnection, when the parameters differ, and on `reload`. */
export const useQuery = <Name extends CommandName>(name: Name, params: CommandParams<Name>): Query<CommandResult<Name>> => {
  const host = useHost()
  const connection = useLive((snapshot) => snapshot.connection)
  const [round, setRound] = useState(0)
  const [answer, setAnswer] = useState<{ data: CommandResult<Name> | null; fault: string | null }>({ data: null, fault: null })
  const key = JSON.stringify(params)
  useEffect(() => {
    if (connection === 0) return undefined
    let wanted = true
    host.call(name, JSON.parse(key) as CommandParams<Name>).then(
      (data) => wanted && setAnswer({ data, fault: null }),
      (error: unknown) => wanted && setAnswer((before) => ({ ...before, fault: faultText(error) })),
    )
    return () => {
      wanted = false
    }
  }, [host, name, key, connection, round])
  const reload = useCallback(() => setRound((count) => count + 1), [])
  return { ...answer, reload }
}

/** A command on its way at a person's word: what it is busy with, and how it failed. */
export const useAction = (): { busy: string | null; fault: string | null; run(label: string, work: () => Promise<unknown>): void; clear(): void } => {
  const [busy, setBusy] = useState<string | null>(null)
  const [fault, setFault] = useState<string | null>(null)
  const run = useCallback((label: string, work: () => Promise<unknown>) => {
    setBusy(label)
    setFault(null)
    work().then(
      () => setBusy(null),
      (error: unknown) => {
        setBusy(null)
        setFault(faultText(error))
      },
    )
  }, [])
  const clear = useCallback(() => setFault(null), [])
  return { busy, fault, run, clear }
}

/** The part of the address after `#/`, in pieces. */
export const useRoute = (): readonly string[] => {
  const hash = useSyncExternalStore(
    (listener) => {
      globalThis.addEventListener('hashchange', listener)
      return () => globalThis.removeEventListener('hashchange', listener)
    },
    () => location.hash,
  )
  return hash.replace(/^#\/?/, '').split('/').filter((piece) => piece !== '')
}
