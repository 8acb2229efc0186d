import { once } from 'node:events'
import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Server } from 'node:net'
import { dirname } from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'

/** A socket's path must fit into sockaddr_un, see unix(7). */
const MAX_SOCKET_PATH_BYTES = 107
const MAX_CONNECTIONS = 16

/** Listens on a socket in a folder for the user alone. Throws HoldfastError `unsupported` when its path is too long. */
export const listenPrivately = async (path: string): Promise<Server> => {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
    throw new HoldfastError(
      'unsupported',
      `The socket path ${path} is longer than ${MAX_SOCKET_PATH_BYTES} bytes. Use a shorter HOLDFAST_HOME.`,
    )
  }
  const folder = dirname(path)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  chmodSync(folder, 0o700)
  rmSync(path, { force: true })
  const listener = createServer()
  listener.maxConnections = MAX_CONNECTIONS
  listener.listen(path)
  await once(listener, 'listening')
  chmodSync(path, 0o600)
  return listener
}
