import { createHash, timingSafeEqual } from 'node:crypto'
import type { Socket } from 'node:net'
import { CLIENT_CAPABILITIES_META_KEY, Server } from '@modelcontextprotocol/server'
import type { ClientCapabilities, McpServerFactory, Result } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { z } from 'zod'
import { addCompletionHandler, addLoggingHandler, addPromptHandlers, addResourceHandlers, addToolHandlers } from './downstream-handlers.ts'
import type { KeptResults } from './kept-results.ts'
import { createLineTransport } from './line-transport.ts'
import type { Offers } from './offers.ts'
import { createPlainAnswers } from './plain-calls.ts'
import type { Redactor } from './redactor.ts'
import { createRounds, originOf } from './rounds.ts'
import { BROKER_NAME } from './tool-catalog.ts'
import type { ToolCatalog } from './tool-catalog.ts'
import type { Pipeline } from './tool-call-pipeline.ts'
import type { AgentKind, Origin } from './upstream-server.ts'

const TOKEN_TIMEOUT_MS = 5_000
const MAX_TOKEN_BYTES = 512
const MAX_OPENING_BYTES = 65_536
/** People answer what servers ask. */
const QUESTION_TIMEOUT_MS = 15 * 60 * 1_000

/**
 * Reads the token line that opens every connection and compares it in constant time.
 * Leaves the socket paused, with what follows the line still to be read. False for anything but the right token.
 */
export const readToken = async (socket: Socket, token: string): Promise<boolean> => {
  const line = await readFirstLine(socket, MAX_TOKEN_BYTES, 'take')
  return line !== null && timingSafeEqual(digest(line), digest(token))
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Leaves the socket paused; the line itself stays to be read when it is to be kept. null when none came in time. */
const readFirstLine = async (socket: Socket, maxBytes: number, then: 'take' | 'keep'): Promise<string | null> => {
  const { promise, resolve } = Promise.withResolvers<string | null>()
  let seen = Buffer.alloc(0)
  const onData = (chunk: Buffer): void => {
    seen = Buffer.concat([seen, chunk])
    const end = seen.indexOf(0x0a)
    if (end === -1 && seen.length <= maxBytes) return
    socket.pause()
    if (then === 'keep') socket.unshift(seen)
    else if (end !== -1 && end + 1 < seen.length) socket.unshift(seen.subarray(end + 1))
    if (end === -1) return resolve(null)
    resolve(seen.toString('utf8', 0, end))
  }
  const onClose = (): void => resolve(null)
  // Who has shown the token may take its time.
  const timer = then === 'take' ? setTimeout(onClose, TOKEN_TIMEOUT_MS) : undefined
  socket.on('data', onData).once('close', onClose).resume()
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    socket.off('data', onData).off('close', onClose)
  }
}

export interface DownstreamDeps {
  readonly version: string
  readonly pipeline: Pipeline
  readonly offers: Offers
  readonly kept: KeptResults
  readonly redactor: Redactor
  /** Called once the agent has said what it is. */
  onAgent(agent: AgentKind): void
  /** The tools to show, once servers have had their time to start. */
  startedCatalog(): Promise<ToolCatalog>
}

/** An agent's connection that is being served. */
export interface Downstream {
  /** Tells the agent that the tools, resources or prompts have changed. */
  changed(kind: 'tools' | 'resources' | 'prompts'): void
  /** For what a server says or asks outside of every request; null where the agent speaks the newer protocol, which has no such thing. */
  readonly unasked: Origin | null
  close(): void
}

/** What the agent can do and speaks, from the message that opens its connection. */
const agentIn = (line: string | null): AgentKind => {
  const { method, params } = Opening.safeParse(parseJson(line ?? '')).data ?? {}
  const capabilities = (params?.capabilities ?? params?._meta?.[CLIENT_CAPABILITIES_META_KEY] ?? {}) as ClientCapabilities
  return { capabilities, era: method === 'initialize' ? 'legacy' : 'modern' }
}

const Opening = z.object({
  method: z.string().optional(),
  params: z
    .object({
      capabilities: z.record(z.string(), z.unknown()).optional(),
      _meta: z.object({ [CLIENT_CAPABILITIES_META_KEY]: z.record(z.string(), z.unknown()).optional() }).optional(),
    })
    .optional(),
})

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Serves MCP, either era, on a socket whose token was right. When the socket ends, calls in flight are aborted. */
export const serveDownstream = async (socket: Socket, deps: DownstreamDeps): Promise<Downstream> => {
  const opening = await readFirstLine(socket, MAX_OPENING_BYTES, 'keep')
  if (!socket.destroyed) deps.onAgent(agentIn(opening))
  const servers = new Set<Server>()
  const rounds = createRounds()
  let unasked: Origin | null = null
  const plain = createPlainAnswers(createLineTransport(socket, socket, () => socket.destroySoon()), deps.pipeline.callTool)

  const createServer: McpServerFactory = async ({ era }) => {
    await deps.startedCatalog()
    const capabilities = deps.offers.capabilities()
    const server = new Server({ name: BROKER_NAME, version: deps.version }, { capabilities })
    addToolHandlers(server, deps, rounds, plain)
    addResourceHandlers(server, deps, rounds)
    if (capabilities.prompts !== undefined) addPromptHandlers(server, deps, rounds)
    if (capabilities.completions !== undefined) addCompletionHandler(server, deps, rounds)
    if (capabilities.logging !== undefined) addLoggingHandler(server, deps, rounds)
    server.setNotificationHandler('notifications/roots/list_changed', () => {
      for (const upstream of deps.offers.all) upstream.notify({ method: 'notifications/roots/list_changed' })
    })
    server.onclose = () => servers.delete(server)
    servers.add(server)
    if (era === 'legacy') {
      const origin = (unasked = originOf(
        (question, signal) => server.request(question as never, { signal, timeout: QUESTION_TIMEOUT_MS }) as Promise<Result>,
        (notification) => void server.notification(notification).catch(() => {}),
      ))
      server.oninitialized = () => plain.begin({ origin, notify: (notification) => server.notification(notification) })
    }
    return server
  }
  serveStdio(createServer, { transport: plain.transport })
  socket.resume()
  socket.once('close', rounds.close)
  const tell = {
    tools: (server: Server) => server.sendToolListChanged(),
    resources: (server: Server) => server.sendResourceListChanged(),
    prompts: (server: Server) => server.sendPromptListChanged(),
  }
  return {
    changed: (kind) => {
      for (const server of servers) tell[kind](server).catch(() => {})
    },
    get unasked() {
      return unasked
    },
    close: () => socket.destroy(),
  }
}
