import { createHash, timingSafeEqual } from 'node:crypto'
import type { Socket } from 'node:net'
import { Server } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { createLineTransport } from './line-transport.ts'
import { BROKER_NAME } from './tool-catalog.ts'
import type { ToolCatalog } from './tool-catalog.ts'
import type { ToolCallPipeline } from './tool-call-pipeline.ts'

const TOKEN_TIMEOUT_MS = 5_000
const MAX_TOKEN_BYTES = 512

/**
 * Reads the token line that opens every connection and compares it in constant time.
 * Leaves the socket paused, with what follows the line still to be read. False for anything but the right token.
 */
export const readToken = async (socket: Socket, token: string): Promise<boolean> => {
  const line = await readFirstLine(socket)
  return line !== null && timingSafeEqual(digest(line), digest(token))
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

const readFirstLine = async (socket: Socket): Promise<string | null> => {
  const { promise, resolve } = Promise.withResolvers<string | null>()
  let seen = Buffer.alloc(0)
  const onData = (chunk: Buffer): void => {
    seen = Buffer.concat([seen, chunk])
    const end = seen.indexOf(0x0a)
    if (end === -1 && seen.length <= MAX_TOKEN_BYTES) return
    socket.pause()
    if (end === -1) return resolve(null)
    if (end + 1 < seen.length) socket.unshift(seen.subarray(end + 1))
    resolve(seen.toString('utf8', 0, end))
  }
  const onClose = (): void => resolve(null)
  const timer = setTimeout(onClose, TOKEN_TIMEOUT_MS)
  socket.on('data', onData).once('close', onClose)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    socket.off('data', onData).off('close', onClose)
  }
}

export interface DownstreamDeps {
  readonly version: string
  readonly callTool: ToolCallPipeline
  /** The tools to show, once servers have had their time to start. */
  startedCatalog(): Promise<ToolCatalog>
}

/** An agent's connection that is being served. */
export interface Downstream {
  /** Tells the agent that the tools have changed. */
  toolsChanged(): void
  close(): void
}

/** Serves MCP, either era, on a socket whose token was right. When the socket ends, calls in flight are aborted. */
export const serveDownstream = (socket: Socket, deps: DownstreamDeps): Downstream => {
  const servers = new Set<Server>()
  const createServer = (): Server => {
    const server = new Server(
      { name: BROKER_NAME, version: deps.version },
      { capabilities: { tools: { listChanged: true } } },
    )
    server.setRequestHandler('tools/list', async () => {
      const catalog = await deps.startedCatalog()
      return { tools: [...catalog.values()].map((entry) => entry.tool) }
    })
    server.setRequestHandler('tools/call', ({ params }, { mcpReq }) => deps.callTool(params, mcpReq))
    server.onclose = () => servers.delete(server)
    servers.add(server)
    return server
  }
  serveStdio(createServer, { transport: createLineTransport(socket, socket, () => socket.destroySoon()) })
  socket.resume()
  return {
    toolsChanged: () => {
      for (const server of servers) server.sendToolListChanged().catch(() => {})
    },
    close: () => socket.destroy(),
  }
}
