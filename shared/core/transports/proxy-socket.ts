import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import type { EgressProxy } from '../egress/egress.ts'
import type { Listen } from '../ports.ts'
import { listening } from './agent-server.ts'

const MAX_CONNECTIONS = 256

/** Serves a proxy, and nothing else, where it is told to listen. */
export const serveProxy = (proxy: EgressProxy): { readonly listen: Listen; close(): void } => {
  const server = createServer({ keepAlive: true, requestTimeout: 0 }, (request, response) => {
    proxy.forward(request, response).catch(() => response.destroy())
  })
  server.maxConnections = MAX_CONNECTIONS
  server.on('connect', (request, socket: Socket, head) => {
    socket.on('error', () => socket.destroy())
    proxy.connect(request.url ?? '', socket, head).catch(() => socket.destroy())
  })
  return {
    listen: (where) => listening(server, where),
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}
