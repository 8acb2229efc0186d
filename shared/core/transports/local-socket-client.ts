import { connect, type Socket } from 'node:net'
import { createClient, type Client } from '../../contract/client.ts'
import { HoldfastError } from '../../contract/errors.ts'
import { PROTOCOL_VERSION } from '../../contract/protocol.ts'
import type { Endpoint } from './endpoint-file.ts'
import { frameSocketOf } from './frames.ts'

const connectTo = (socketPath: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(socketPath)
    const fail = (error: NodeJS.ErrnoException) =>
      reject(
        new HoldfastError('no-host', `No host answers at ${socketPath} (${error.code}). Start one with: holdfast up`),
      )
    socket.once('error', fail)
    socket.once('connect', () => {
      socket.off('error', fail)
      resolve(socket)
    })
  })

/** How long a host may take to accept a client: one that takes longer hangs. */
const READY_TIMEOUT_MS = 10_000

const readyInTime = async (client: Client, timeoutMs: number): Promise<Client> => {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    reject(
      new HoldfastError(
        'host-busy',
        'The host does not answer. Wait and try again; if that does not help, end it and start it anew.',
      ),
    )
    client.close()
  }, timeoutMs)
  try {
    await Promise.race([client.ready, promise])
    return client
  } finally {
    clearTimeout(timer)
  }
}

/**
 * A client of the host at this endpoint, once the host has accepted it; `client` names this program to the host.
 * Throws HoldfastError `no-host` when none answers, `version-mismatch` when it is of another version, `unauthorised`
 * when it refuses this process, `host-busy` when it does not answer within `readyWithinMs`: then nothing of the try is
 * left that would keep this program alive.
 */
export const connectLocal = async (endpoint: Endpoint, client: string, readyWithinMs = READY_TIMEOUT_MS): Promise<Client> => {
  if (endpoint.protocol !== PROTOCOL_VERSION) {
    throw new HoldfastError(
      'version-mismatch',
      `The running host (process ${endpoint.pid}) speaks protocol ${endpoint.protocol}, and this program ` +
        `${PROTOCOL_VERSION}. Stop that host and try again.`,
    )
  }
  const socket = await connectTo(endpoint.socketPath)
  return readyInTime(createClient(frameSocketOf(socket), { token: endpoint.token, client }), readyWithinMs)
}
