import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { frameSocketOfWeb } from '../../renderer/connection/web-frame-socket.ts'
import type { FrameSocket } from '../../shared/contract/client.ts'
import { HoldfastError } from '../../shared/contract/errors.ts'
import {
  createDispatcher,
  type Connection,
  type DispatcherDeps,
  type Handlers,
} from '../../shared/core/api/dispatcher.ts'
import { createEventHub, type EventHub } from '../../shared/core/api/event-hub.ts'
import { frameSocketOf } from '../../shared/core/transports/frames.ts'
import { listenLocalSocket } from '../../shared/core/transports/local-socket-server.ts'
import type { ServeDeps } from '../../shared/core/transports/serve-connection.ts'
import { listenWeb } from '../../shared/core/transports/web-server.ts'

export const TOKEN = 'correct-token-0123456789-0123456789'

export const HOST_INFO = { version: '1.2.3', pid: 77, startedAt: 5, dataFolder: '/data', sessions: 0, approvalsPage: null }

/** A host of nothing but its transport: what a transport must carry, and how to reach it. */
export interface TestHost {
  readonly hub: EventHub
  readonly connections: Connection[]
  readonly faults: unknown[]
  /** A connection that has said nothing yet. */
  open(): Promise<FrameSocket>
  close(): Promise<void>
}

export interface Transport {
  readonly name: string
  start(handlers: Partial<Handlers>, deps?: Partial<DispatcherDeps>): Promise<TestHost>
}

/** Handlers that note their connection; whatever a test does not give is refused as unsupported. */
const completeHandlers = (given: Partial<Handlers>, hub: EventHub, connections: Connection[]): Handlers => {
  const known: Partial<Handlers> = {
    'host/info': (_params, connection) => {
      connections.push(connection)
      return HOST_INFO
    },
    'event/subscribe': (_params, connection) => ({ sequence: hub.subscribe(connection) }),
    ...given,
  }
  const refuse = () => {
    throw new HoldfastError('unsupported', 'not in this test')
  }
  return new Proxy({} as Handlers, { get: (_target, name) => known[name as keyof Handlers] ?? refuse })
}

export const localSocketIn = async (folder: string, deps: ServeDeps) => {
  const socketPath = join(folder, 'run', 'host.sock')
  const server = await listenLocalSocket({ socketPath, ...deps, isForbiddenPeer: () => false })
  return { socketPath, server }
}

/** What every transport carries here, and how the test sees it. */
const createCarried = (handlers: Partial<Handlers>, deps: Partial<DispatcherDeps> | undefined) => {
  const hub = createEventHub()
  const connections: Connection[] = []
  const faults: unknown[] = []
  const dispatch = createDispatcher(completeHandlers(handlers, hub, connections), {
    authorise: () => undefined,
    logFault: (_command, error) => void faults.push(error),
    ...deps,
  })
  return { hub, connections, faults, dispatch }
}

const localSocket: Transport = {
  name: 'local socket',
  async start(handlers, deps) {
    const { dispatch, ...carried } = createCarried(handlers, deps)
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-'))
    const { socketPath, server } = await localSocketIn(folder, { token: TOKEN, dispatch, hub: carried.hub })
    return {
      ...carried,
      async open() {
        const socket = connect(socketPath)
        await once(socket, 'connect')
        return frameSocketOf(socket)
      },
      async close() {
        await server.close()
        await rm(folder, { recursive: true })
      },
    }
  },
}

/** Logs in as a browser does: what it then holds. */
export const logIn = async (origin: string, link: string): Promise<{ cookie: string; token: string }> => {
  const answer = await fetch(`${origin}/login`, { method: 'POST', headers: { Origin: origin }, body: JSON.stringify({ link }) })
  if (answer.status !== 200) throw new Error(`login: ${answer.status}`)
  const { token } = (await answer.json()) as { token: string }
  return { token, cookie: (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '' }
}

/** A browser's connection, with its own code around the socket; reads nothing before `onFrame` is called. */
export const openWeb = async (origin: string, cookie: string, headers: Record<string, string> = {}): Promise<FrameSocket> => {
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/contract`, { headers: { Origin: origin, Cookie: cookie, ...headers } })
  await once(socket, 'open')
  socket.pause()
  const frames = frameSocketOfWeb(socket)
  return {
    ...frames,
    onFrame: (listener) => {
      frames.onFrame(listener)
      socket.resume()
    },
  }
}

const web: Transport = {
  name: 'WebSocket',
  async start(handlers, deps) {
    const { dispatch, ...carried } = createCarried(handlers, deps)
    const server = await listenWeb({
      folder: '/nonexistent',
      role: 'dashboard',
      clock: { now: () => 0 },
      newSecret: () => TOKEN,
      isForbiddenPeer: () => false,
      dispatch,
      hub: carried.hub,
    })
    const { cookie } = await logIn(server.origin, server.createLink())
    return { ...carried, open: () => openWeb(server.origin, cookie), close: () => server.close() }
  },
}

/** Every transport; each must hold the whole of contract.test.ts. */
export const TRANSPORTS: readonly Transport[] = [localSocket, web]
