import { createClient, type Client } from '../../shared/contract/client.ts'
import { HoldfastError } from '../../shared/contract/errors.ts'
import type { CommandName, CommandParams, CommandResult, EventData, EventName } from '../../shared/contract/protocol.ts'
import { openSocket } from '../login/open-socket.ts'
import { frameSocketOfWeb } from './web-frame-socket.ts'

/** `stranger`: what answers at the page's address does not know its login, and is told nothing. */
export type LinkState = 'connecting' | 'live' | 'away' | 'logged-out' | 'stranger'

/** The contract over a connection that comes back by itself. */
export interface HostLink {
  call<Name extends CommandName>(name: Name, params: CommandParams<Name>): Promise<CommandResult<Name>>
  /** Holds over reconnections. */
  on<Name extends EventName>(event: Name, listener: (data: EventData<Name>) => void): () => void
}

const RETRY_MS = [100, 250, 500, 1_000, 2_000]

/**
 * Connects, and again whenever the connection is lost: at once when the machine wakes or the page is looked at, else
 * after a growing pause. `onConnected` gets a subscribed client each time, before the state is `live`.
 */
export const createHostLink = (
  token: string,
  hooks: { onState(state: LinkState): void; onConnected(client: Client): Promise<void> },
): HostLink => {
  const listeners = new Set<{ on(client: Client): void }>()
  let client: Client | null = null
  let attempt = 0
  let retry: ReturnType<typeof setTimeout> | undefined

  const later = (): void => {
    retry = setTimeout(() => void connect(), RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)])
    attempt += 1
  }

  const connect = async (): Promise<void> => {
    clearTimeout(retry)
    retry = undefined
    try {
      const socket = await openSocket(token)
      if (typeof socket === 'string') return hooks.onState(socket)
      const next = createClient(frameSocketOfWeb(socket), { token, client: 'dashboard' })
      await next.ready
      for (const listen of listeners) listen.on(next)
      await next.call('event/subscribe', {})
      client = next
      await hooks.onConnected(next)
      attempt = 0
      hooks.onState('live')
      await next.closed
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'unauthorised') return hooks.onState('logged-out')
    }
    client = null
    hooks.onState('away')
    later()
  }

  const wake = (): void => {
    if (retry !== undefined && document.visibilityState === 'visible') void connect()
  }
  document.addEventListener('visibilitychange', wake)
  globalThis.addEventListener('online', wake)
  void connect()

  return {
    call: (name, params) => (client === null ? Promise.reject(new HoldfastError('no-host', 'The host cannot be reached just now.')) : client.call(name, params)),
    on: (event, listener) => {
      let off: (() => void) | undefined
      const entry = {
        on: (next: Client): void => {
          off = next.on(event, listener)
        },
      }
      listeners.add(entry)
      if (client !== null) entry.on(client)
      return () => {
        listeners.delete(entry)
        off?.()
      }
    },
  }
}
