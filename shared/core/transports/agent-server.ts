import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Longest hook call that is read, in bytes: a file written whole is in it. */
const MAX_HOOK_BYTES = 64 * 1024 * 1024

/** One session's side of the server. */
export interface AgentRoutes {
  /** Answers a hook; what it throws makes the call fail, and so be blocked. `signal` aborts when the agent has gone. */
  hook(path: string, body: unknown, signal: AbortSignal): Promise<unknown>
  /** Answers a model request; `path` is what follows the session's base URL. */
  model(request: IncomingMessage, response: ServerResponse, path: string): Promise<void>
}

export interface AgentServer {
  /** The address that carries a session's token. */
  baseUrlFor(token: string): string
  /** From now on requests with this token are served. */
  admit(token: string, routes: AgentRoutes): void
  /** From now on they are not, and those that wait are ended. */
  revoke(token: string): void
  close(): Promise<void>
}

/** Looked up by hash, so that no comparison takes longer the closer a guess comes. */
const keyOf = (token: string): string => createHash('sha256').update(token).digest('hex')

const readJson = async (request: IncomingMessage): Promise<unknown> => {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_HOOK_BYTES) throw new Error('too long')
    chunks.push(chunk)
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown
}

const answer = (response: ServerResponse, status: number, body: unknown): void => {
  if (response.destroyed || response.headersSent) return
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

const refusal = (message: string) => ({ type: 'error', error: { type: 'permission_error', message } })

/**
 * The loopback endpoint for agents: `http://127.0.0.1:PORT/session/TOKEN/…`, model requests and hooks. The token stands
 * in the path because a subscription's own bearer needs the header. Any other Host is refused, against DNS rebinding.
 */
export const listenForAgents = async (): Promise<AgentServer> => {
  const sessions = new Map<string, { routes: AgentRoutes; open: Set<ServerResponse> }>()
  let host = ''

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const match = /^\/session\/([A-Za-z0-9_-]{20,128})(\/.*)?$/.exec(request.url ?? '')
    const session = match === null ? undefined : sessions.get(keyOf(match[1] ?? ''))
    if (request.headers.host !== host || session === undefined) {
      answer(response, 403, refusal('This is no session of Holdfast, or it has ended.'))
      return
    }
    const path = match?.[2] ?? '/'
    session.open.add(response)
    response.once('close', () => session.open.delete(response))
    if (!path.startsWith('/hook/')) {
      await session.routes.model(request, response, path)
      return
    }
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    try {
      answer(response, 200, await session.routes.hook(path.slice('/hook/'.length), await readJson(request), gone.signal))
    } catch {
      answer(response, 500, refusal('Holdfast could not judge this call; it is blocked.'))
    }
  }

  const server = createServer({ keepAlive: true, requestTimeout: 0 }, (request, response) => {
    serve(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`

  return {
    baseUrlFor: (token) => `http://${host}/session/${token}`,
    admit: (token, routes) => void sessions.set(keyOf(token), { routes, open: new Set() }),
    revoke: (token) => {
      const session = sessions.get(keyOf(token))
      sessions.delete(keyOf(token))
      for (const response of session?.open ?? []) response.destroy()
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
