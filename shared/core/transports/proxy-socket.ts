import { chmod, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import type { EgressProxy } from '../egress/egress.ts'

const MAX_CONNECTIONS = 256

/** A proxy on a unix socket made at `socketPath`, for this user alone, and nothing else there. */
export const listenAsProxy = async (socketPath: string, proxy: EgressProxy): Promise<{ close(): void }> => {
  const server = createServer({ keepAlive: true, requestTimeout: 0 }, (request, response) => {
    proxy.forward(request, response).catch(() => response.destroy())
  })
  server.maxConnections = MAX_CONNECTIONS
  server.on('connect', (request, socket: Socket, head) => {
    socket.on('error', () => socket.destroy())
    proxy.connect(request.url ?? '', socket, head).catch(() => socket.destroy())
  })
  await rm(socketPath, { force: true })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(socketPath, resolve))
  await chmod(socketPath, 0o600)
  return {
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}
