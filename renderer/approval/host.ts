import type { CommandName, CommandParams, CommandResult } from '../../shared/contract/protocol.ts'
import { openSocket } from '../login/open-socket.ts'
import { PROTOCOL_VERSION } from './protocol-version.ts'

/** The contract as far as this page needs it, without any code of others: the host checks all that it is sent. */
export interface ApprovalHost {
  call<Name extends CommandName>(name: Name, params: CommandParams<Name>): Promise<CommandResult<Name>>
}

type Frame = { event: string; data: unknown } | { id: number; result: unknown } | { id: number; error: { code: string; message: string } }

const RETRY_MS = 500

/** Connects, and again when the connection is lost, until the host refuses this page. */
export const connectHost = (
  token: string,
  hooks: { onEvent(name: string, data: unknown): void; onConnected(host: ApprovalHost): void; onAway(): void; onRefused(): void },
): void => {
  const later = (): void => {
    hooks.onAway()
    setTimeout(() => void open(), RETRY_MS)
  }
  const open = async (): Promise<void> => {
    const socket = await openSocket(token).catch(() => 'away' as const)
    if (socket === 'away') return later()
    if (typeof socket === 'string') return hooks.onRefused()
    const pending = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>()
    let lastId = 0
    let refused = false

    const host: ApprovalHost = {
      call: (name, params) =>
        new Promise((resolve, reject) => {
          lastId += 1
          pending.set(lastId, { resolve: resolve as (result: unknown) => void, reject })
          socket.send(JSON.stringify({ id: lastId, command: name, params }))
        }),
    }
    socket.addEventListener('message', ({ data }) => {
      const frame = JSON.parse(String(data)) as Frame
      if ('event' in frame) return hooks.onEvent(frame.event, frame.data)
      if (frame.id === 0) {
        if ('error' in frame) refused = true
        else hooks.onConnected(host)
        return
      }
      const call = pending.get(frame.id)
      pending.delete(frame.id)
      if ('error' in frame) call?.reject(new Error(frame.error.message))
      else call?.resolve(frame.result)
    })
    socket.addEventListener('close', () => {
      for (const call of pending.values()) call.reject(new Error('The host cannot be reached just now.'))
      if (refused) return hooks.onRefused()
      later()
    })
    socket.send(JSON.stringify({ hello: { protocol: PROTOCOL_VERSION, token, client: 'approvals' } }))
  }
  void open()
}
