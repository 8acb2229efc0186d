import { hash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, ListenOptions, Socket } from 'node:net'
import { HoldfastError } from '../../contract/errors.ts'
import type { EgressProxy } from '../egress/egress.ts'
import type { Listen } from '../ports.ts'

/** Longest hook call that is read, in bytes: a file written whole is in it. */
const MAX_HOOK_BYTES = 64 * 1024 * 1024
/** What one session may have under way: more than any agent has, and what no session can hold the host up with. */
const MAX_CONNECTIONS = 256
const MAX_HOOKS_AT_ONCE = 100
const MAX_HOOK_BYTES_AT_ONCE = 2 * MAX_HOOK_BYTES
const MAX_HOOKS_PER_MINUTE = 3_000
const MINUTE_MS = 60_000
/** Connections of all sessions that share the loopback port. */
const MAX_SHARED_CONNECTIONS = 1_024

/** Longest commit or tag that is read to be signed, in bytes. */
const MAX_SIGN_BYTES = 1024 * 1024
/** Below a session's base URL: where it asks for a signature. */
export const SIGN_PATH = '/identity/sign'

/** One session's side of the server. */
export interface AgentRoutes {
  /** Answers a hook; what it throws makes the call fail, and so be blocked. `signal` aborts when the agent has gone. */
  hook(path: string, body: unknown, signal: AbortSignal): Promise<unknown>
  /** Answers a model request; `path` is what follows the session's base URL. */
  model(request: IncomingMessage, response: ServerResponse, path: string): Promise<void>
  /** Signs a commit or tag of the session's; throws HoldfastError with the reason where it does not. */
  sign(payload: Buffer): Promise<string>
  /** The session's way to other hosts; null where it has none, or needs none of ours. */
  readonly proxy: EgressProxy | null
  /** The session sends more hooks than any agent does; told once. */
  onFlood?(): void
}

export interface AgentServer {
  /** The address that carries a session's token. */
  baseUrlFor(token: string): string
  /** The loopback port that agents are told. */
  readonly port: number
  /** From now on requests with this token are served, on the loopback port. */
  admit(token: string, routes: AgentRoutes): void
  /** They are served where the server is told to listen and nowhere else: for a container whose network leads there alone. */
  admitApart(token: string, routes: AgentRoutes): Listen
  /** From now on they are not, and those that wait are ended. */
  revoke(token: string): void
  close(): Promise<void>
}

/** Looked up by hash, so that no comparison takes longer the closer a guess comes. */
const keyOf = (token: string): string => hash('sha256', token)

/** What a session has used of its share. */
interface HookLoad {
  waiting: number
  bytes: number
  minuteBegan: number
  inMinute: number
  isTold: boolean
}

const readJson = async (request: IncomingMessage, load: HookLoad): Promise<unknown> => {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length
      load.bytes += chunk.length
      if (size > MAX_HOOK_BYTES || load.bytes > MAX_HOOK_BYTES_AT_ONCE) throw new Error('too long')
      chunks.push(chunk)
    }
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown
  } finally {
    load.bytes -= size
  }
}

/** Whether the session may have one more hook judged, and notes that it has. */
const takesHook = (load: HookLoad): boolean => {
  const now = performance.now()
  if (now - load.minuteBegan > MINUTE_MS) Object.assign(load, { minuteBegan: now, inMinute: 0 })
  load.inMinute += 1
  return load.waiting < MAX_HOOKS_AT_ONCE && load.inMinute <= MAX_HOOKS_PER_MINUTE
}

const readBytes = async (request: IncomingMessage, most: number): Promise<Buffer> => {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > most) throw new Error('too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

const answerText = (response: ServerResponse, status: number, text: string): void => {
  if (!response.destroyed) response.writeHead(status, { 'content-type': 'text/plain' }).end(text)
}

const answer = (response: ServerResponse, status: number, body: unknown): void => {
  if (response.destroyed || response.headersSent) return
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

const refusal = (message: string) => ({ type: 'error', error: { type: 'permission_error', message } })

interface Admitted {
  readonly routes: AgentRoutes
  /** Ends what is being answered. */
  readonly open: Set<{ destroy(): unknown }>
  readonly load: HookLoad
  /** The session's own, where it has one. */
  readonly server: Server | null
}

/** Resolves when the server listens; rejects when it cannot. */
export const listening = (server: Server, where: ListenOptions | { readonly fd: number }): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject).listen(where, resolve)
  })

const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })

/**
 * The endpoint for agents: `http://127.0.0.1:PORT/session/TOKEN/…`, model requests and hooks. The token stands in the
 * path because a subscription's own bearer needs the header. Any other Host is refused, against DNS rebinding. A
 * session's own socket is its proxy too: CONNECT, and requests for a whole address.
 */
export const listenForAgents = async (): Promise<AgentServer> => {
  const sessions = new Map<string, Admitted>()
  let host = ''

  /** `admitted` gives the session that a key opens here. */
  const serve = async (request: IncomingMessage, response: ServerResponse, admitted: (key: string) => Admitted | undefined): Promise<void> => {
    const match = /^\/session\/([A-Za-z0-9_-]{20,128})(\/.*)?$/.exec(request.url ?? '')
    const session = match?.[1] === undefined ? undefined : admitted(keyOf(match[1]))
    if (request.headers.host !== host || session === undefined || match === null) {
      answer(response, 403, refusal('This is no session of Holdfast, or it has ended.'))
      return
    }
    const path = match[2] ?? '/'
    if (session.open.size >= MAX_CONNECTIONS) {
      answer(response, 429, refusal('This session has too many requests under way.'))
      return
    }
    session.open.add(response)
    response.once('close', () => session.open.delete(response))
    if (path === SIGN_PATH) {
      try {
        answerText(response, 200, await session.routes.sign(await readBytes(request, MAX_SIGN_BYTES)))
      } catch (error) {
        answerText(response, 403, error instanceof HoldfastError ? error.message : 'Holdfast could not sign this, so it is not signed.')
      }
      return
    }
    if (!path.startsWith('/hook/')) {
      await session.routes.model(request, response, path)
      return
    }
    const { load, routes } = session
    if (!takesHook(load)) {
      if (!load.isTold) routes.onFlood?.()
      load.isTold = true
      answer(response, 429, refusal('This session sends too many hooks; the call is blocked.'))
      request.destroy()
      return
    }
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    load.waiting += 1
    try {
      answer(response, 200, await routes.hook(path.slice('/hook/'.length), await readJson(request, load), gone.signal))
    } catch {
      answer(response, 500, refusal('Holdfast could not judge this call; it is blocked.'))
    } finally {
      load.waiting -= 1
    }
  }

  const createOwnServer = (key: string, proxy: EgressProxy | null): Server => {
    const server = createServer({ keepAlive: true, requestTimeout: 0 }, (request, response) => {
      const session = sessions.get(key)
      const isProxied = !(request.url ?? '').startsWith('/')
      if (!isProxied) serve(request, response, (shown) => (shown === key ? session : undefined)).catch(() => response.destroy())
      else if (proxy === null || session === undefined) answer(response, 403, refusal('This session reaches no other host.'))
      else proxy.forward(request, response).catch(() => response.destroy())
    })
    server.maxConnections = MAX_CONNECTIONS
    server.on('connect', (request, socket: Socket, head) => {
      socket.on('error', () => socket.destroy())
      const session = sessions.get(key)
      if (proxy === null || session === undefined) {
        socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
        return
      }
      session.open.add(socket)
      socket.once('close', () => session.open.delete(socket))
      proxy.connect(request.url ?? '', socket, head).catch(() => socket.destroy())
    })
    return server
  }

  const shared = createServer({ keepAlive: true, requestTimeout: 0 }, (request, response) => {
    const admitted = (key: string): Admitted | undefined => {
      const session = sessions.get(key)
      return session?.server === null ? session : undefined
    }
    serve(request, response, admitted).catch(() => response.destroy())
  })
  shared.maxConnections = MAX_SHARED_CONNECTIONS
  await listening(shared, { port: 0, host: '127.0.0.1' })
  const { port } = shared.address() as AddressInfo
  host = `127.0.0.1:${port}`

  const enter = (key: string, routes: AgentRoutes, server: Server | null): void => {
    sessions.set(key, { routes, open: new Set(), load: { waiting: 0, bytes: 0, minuteBegan: performance.now(), inMinute: 0, isTold: false }, server })
  }

  return {
    port,
    baseUrlFor: (token) => `http://${host}/session/${token}`,
    admit: (token, routes) => enter(keyOf(token), routes, null),
    admitApart: (token, routes) => {
      const key = keyOf(token)
      const server = createOwnServer(key, routes.proxy)
      enter(key, routes, server)
      return async (where) => {
        if (sessions.get(key)?.server !== server) throw new HoldfastError('illegal-state', 'This session has ended.')
        await listening(server, where)
      }
    },
    revoke: (token) => {
      const session = sessions.get(keyOf(token))
      sessions.delete(keyOf(token))
      for (const one of session?.open ?? []) one.destroy()
      session?.server?.close()
      session?.server?.closeAllConnections()
    },
    close: async () => {
      await Promise.all([shared, ...[...sessions.values()].flatMap(({ server }) => server ?? [])].map(closed))
    },
  }
}
