import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { WebSocketServer } from 'ws'
import { z } from 'zod'
import { HoldfastError } from '../../contract/errors.ts'
import { MAX_FRAME_BYTES } from '../../contract/protocol.ts'
import type { Role } from '../api/roles.ts'
import type { Clock } from '../ports.ts'
import type { HostFrameSocket } from './frames.ts'
import { serveConnection, type ServeDeps } from './serve-connection.ts'
import { tcpOwnerOf, tcpPeerOf } from './tcp-peer.ts'
import { readWebFiles } from './web-files.ts'
import { webFrameSocketOf } from './web-frames.ts'
import type { LoginKeeper } from './kept-logins.ts'
import { createWebLogins, proofFor, type KeptSession } from './web-logins.ts'

const MAX_BODY_BYTES = 1_024
const MAX_CONNECTIONS = 100
/** Where the contract is spoken. */
const CONTRACT_PATH = '/contract'

export interface WebServerOptions extends Omit<ServeDeps, 'token'> {
  /** Folder of the page's files, flat; `index.html` is the page itself. */
  readonly folder: string
  /** What a connection from this page may do. */
  readonly role: Role
  readonly clock: Clock
  /** A fresh unguessable text. */
  readonly newSecret: () => string
  isForbiddenPeer(pid: number): Promise<boolean> | boolean
  /** Where logins outlive this host; without it they end with it. */
  readonly keeper?: LoginKeeper | undefined
}

export interface WebServer {
  /** `http://127.0.0.1:PORT`, without a slash. */
  readonly origin: string
  /** The secret of a link that logs one browser in, once, within LINK_LIFETIME_MS. */
  createLink(): string
  /** Ends every login and every connection. */
  logOut(): void
  close(): Promise<void>
}

const Login = z.strictObject({ link: z.string().max(256) })
const Doubt = z.strictObject({ nonce: z.string().min(32).max(128) })

/**
 * No script, style, frame, form or request but the page's own. `data:` images are what a style sheet may draw.
 * `require-trusted-types-for` makes the browser refuse to turn text into markup, whatever the page's code does.
 */
const contentPolicy = (host: string): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    `connect-src 'self' ws://${host}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; ')

const headersFor = (host: string): Record<string, string> => ({
  'Content-Security-Policy': contentPolicy(host),
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=(), display-capture=()',
  'Cache-Control': 'no-store',
})

const readBody = async (request: IncomingMessage): Promise<unknown> => {
  let text = ''
  for await (const chunk of request as AsyncIterable<Buffer>) {
    text += chunk.toString('utf8')
    if (text.length > MAX_BODY_BYTES) return undefined
  }
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const cookieOf = (request: IncomingMessage, name: string): string | null => {
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [key, value] = part.trim().split('=')
    if (key === name && value !== undefined) return value
  }
  return null
}

/**
 * Serves one page and its contract connection on a port of 127.0.0.1 of its own, to this user's browser alone.
 *
 * What stands between the page and everything else: the exact Host (a name that was made to point here is refused), the
 * exact Origin for login and connection, a link that works once, a cookie together with a token that only this origin
 * holds, and on Linux the process at the other end: another user's, or one of a session's, is refused.
 * Throws HoldfastError `internal` when no port can be had.
 */
export const listenWeb = async (options: WebServerOptions): Promise<WebServer> => {
  const files = await readWebFiles(options.folder)
  const kept = options.keeper?.load() ?? null
  const connections = new Set<HostFrameSocket>()
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME_BYTES, perMessageDeflate: false })
  let host = ''
  let origin = ''
  let cookieName = ''
  let logins = createWebLogins(options.clock, options.newSecret)

  /** The peer's process id, null where the platform does not tell. Throws `unauthorised` when it may not connect. */
  const admit = async (socket: Socket): Promise<number | null> => {
    if (process.platform !== 'linux') return null
    const peer = await tcpPeerOf(socket)
    if (peer === null || peer.uid !== process.getuid?.() || (await options.isForbiddenPeer(peer.pid))) {
      throw new HoldfastError('unauthorised', 'Holdfast serves the browser of its own user, and no process of a supervised session.')
    }
    return peer.pid
  }

  const answer = (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void => {
    response.writeHead(status, { ...headersFor(host), 'Content-Type': 'application/json', ...headers })
    response.end(JSON.stringify(body))
  }

  const sessionOf = (request: IncomingMessage): KeptSession | null => {
    const cookie = cookieOf(request, cookieName)
    return cookie === null ? null : logins.sessionOf(cookie)
  }

  /** Shows a page that this program knows its login. */
  const prove = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.headers.origin !== origin) return answer(response, 403, { message: 'Another page may not ask here.' })
    await admit(request.socket)
    const session = sessionOf(request)
    const doubt = Doubt.safeParse(await readBody(request)).data
    if (session === null || doubt === undefined) return answer(response, 401, { message: 'This login is not known.' })
    answer(response, 200, { proof: proofFor(session, doubt.nonce) })
  }

  const login = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.headers.origin !== origin) return answer(response, 403, { message: 'Another page may not log in here.' })
    const given = Login.safeParse(await readBody(request)).data
    // First what costs nothing: to look for the process at the other end, every process is looked at.
    if (given !== undefined && logins.isOpen(given.link)) await admit(request.socket)
    const session = given === undefined ? null : logins.redeem(given.link)
    if (session === null) return answer(response, 401, { message: 'This link was used or is too old.' })
    answer(response, 200, { token: session.token }, { 'Set-Cookie': `${cookieName}=${session.cookie}; Path=/; HttpOnly; SameSite=Strict` })
  }

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.headers.host !== host) return answer(response, 421, { message: 'No such host.' })
    const path = request.url ?? ''
    if (request.method === 'POST' && path === '/login') return await login(request, response)
    if (request.method === 'POST' && path === '/prove') return await prove(request, response)
    const file = files.get(path)
    if (request.method !== 'GET' || file === undefined) return answer(response, 404, { message: 'Nothing is here.' })
    response.writeHead(200, { ...headersFor(host), 'Content-Type': file.type, 'Content-Length': file.bytes.length })
    response.end(file.bytes)
  }

  const server = createServer({ maxHeaderSize: 16_384 }, (request, response) => {
    serve(request, response).catch((error: unknown) => {
      const isKnown = error instanceof HoldfastError
      if (!response.headersSent) answer(response, isKnown ? 403 : 500, { message: isKnown ? error.message : 'Something went wrong in the host.' })
    })
  })
  server.maxConnections = MAX_CONNECTIONS
  server.on('connection', (socket) => {
    // Another user of the machine could use up the connections there are. One who cannot be told is looked at when it asks for something.
    void tcpOwnerOf(socket).then((uid) => (uid === null || uid === process.getuid?.() ? undefined : socket.destroy()))
  })

  const upgrade = async (request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> => {
    const session = sessionOf(request)
    const isOurs = request.headers.host === host && request.headers.origin === origin && request.url === CONTRACT_PATH
    if (!isOurs || session === null) throw new HoldfastError('unauthorised', 'not logged in')
    const pid = await admit(socket)
    sockets.handleUpgrade(request, socket, head, (web) => {
      const frames = webFrameSocketOf(web, socket)
      connections.add(frames)
      frames.onClose(() => connections.delete(frames))
      serveConnection(frames, { pid, role: options.role }, { ...options, token: { sha256: session.token } })
    })
  }
  server.on('upgrade', (request, socket: Socket, head) => {
    socket.on('error', () => socket.destroy())
    upgrade(request, socket, head).catch(() => socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'))
  })

  const listen = (wanted: number): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(wanted, '127.0.0.1', () => {
        server.off('error', reject)
        resolve()
      })
    })
  // Where another program has the port, pages from before would reach that one: their logins are worth nothing any more.
  const again = kept !== null && (await listen(kept.port).then(() => true, () => false))
  if (!again) {
    await listen(0).catch((error: Error) => {
      throw new HoldfastError('internal', `The page cannot be served on 127.0.0.1: ${error.message}`)
    })
  }
  const { port } = server.address() as AddressInfo
  logins = createWebLogins(options.clock, options.newSecret, again ? kept.sessions : [], (sessions) => options.keeper?.save({ port, sessions }))
  if (kept !== null && !again) options.keeper?.save({ port, sessions: [] })
  host = `127.0.0.1:${port}`
  origin = `http://${host}`
  cookieName = `holdfast_${port}`

  return {
    origin,
    createLink: () => logins.createLink(),
    logOut: () => {
      logins.forget()
      for (const connection of connections) connection.drop('logged out')
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const connection of connections) connection.drop('the host stopped')
        server.closeAllConnections()
      }),
  }
}
