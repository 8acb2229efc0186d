import { linkSync, rmSync } from 'node:fs'
import { HoldfastError } from '../../contract/errors.ts'
import { canonicalJson } from '../../domain/ledger-chain.ts'
import type { Container } from '../ports.ts'
import { createSharedConnection } from './shared-connection.ts'
import type { SharedConnection } from './shared-connection.ts'
import { attachUpstreamProcess } from './upstream-process.ts'
import type { UpstreamProcess } from './upstream-process.ts'
import type { AgentKind } from './upstream-server.ts'

export interface PoolRequest {
  /** Equal for servers between whose processes there is no difference, walls included; null for one that nobody may share. */
  readonly key: string | null
  /** The server as a person knows it: one that was seen to keep something for its client is shared no more, however it is started. */
  readonly server: string
  /** What the session's agent can do: a server is told that once, and so has to be told the same of all. */
  readonly agent: Promise<AgentKind>
  /** By which the server is killed without the host, with the session. */
  readonly killFile: string
  /** Aborted when the session has ended, and waits for nobody. */
  readonly signal: AbortSignal
  start(): Promise<Container>
  /** The server turned out to be for one session alone: leave it, and ask for another. */
  onDivided(): void
}

export interface ServerPool {
  /** A process of the server: one that runs for another session where it may be shared, else a new one. Rejects with what `start` does. */
  take(request: PoolRequest): Promise<UpstreamProcess>
}

interface Running {
  readonly container: Container
  readonly process: UpstreamProcess
  readonly connection: SharedConnection
  /** Of all who use it: each names the same container. */
  readonly killFiles: Set<string>
  /** Resolves, never rejects, with the processes in its container once it had opened; with none where it kept something for its client. */
  readonly first: Promise<ReadonlySet<number>>
}

interface Entry {
  readonly running: Promise<Running | null>
  /** What its clients are said to be able to do; null until that is known. */
  agent: string | null
}

const NOTHING_ENDED = { killed: 0, survivors: [], durationMs: 0 }

/** Whether something was started inside since the server opened: then it is not clear for whom. */
const hasGrown = async ({ container, first }: Running): Promise<boolean> => {
  const known = await first
  return (await container.processes()).some((pid) => !known.has(pid))
}

/** Another name for one kill file: false where there is none any more. */
const isLinked = ({ killFiles }: Running, file: string): boolean => {
  const [existing] = killFiles
  try {
    if (existing !== undefined) linkSync(existing, file)
    return existing !== undefined
  } catch {
    return false
  }
}

/**
 * Sessions of one agent in one project, before the same walls, use one process of a server together. Who leaves takes
 * the process along where something of theirs may still run in it: the others then get a new one.
 */
export const createServerPool = (): ServerPool => {
  const entries = new Map<string, Entry>()
  const stateful = new Set<string>()

  const sit = (running: Running, request: PoolRequest, close: () => void): UpstreamProcess => {
    const { process, connection } = running
    const member = connection.join(request.onDivided)
    const left = Promise.withResolvers<string>()
    let hasLeft = false
    running.killFiles.add(request.killFile)
    const forget = (): void => {
      running.killFiles.delete(request.killFile)
      rmSync(request.killFile, { force: true })
    }
    void process.ended.then(forget)
    return {
      transport: Object.assign(member.transport, { pid: running.container.pid, stderr: null }),
      ended: Promise.race([process.ended, left.promise]),
      said: process.said,
      stop: async (urgency) => {
        if (hasLeft) return NOTHING_ENDED
        member.leave()
        if (connection.members > 0 && !member.hasWork() && !(await hasGrown(running))) {
          hasLeft = true
          forget()
          left.resolve('goes on for other sessions')
          return NOTHING_ENDED
        }
        close()
        return process.stop(urgency)
      },
    }
  }

  const retire = (key: string, entry: Entry): void => {
    if (entries.get(key) === entry) entries.delete(key)
  }

  const begin = async (request: PoolRequest, key: string): Promise<UpstreamProcess> => {
    const started = request.start().then((container): Running => {
      const process = attachUpstreamProcess(container)
      const connection = createSharedConnection(process.transport)
      const first = connection.opened.then(async (isOpen) => new Set(isOpen ? await container.processes() : [])).catch(() => new Set<number>())
      void process.ended.then(() => retire(key, entry))
      return { container, process, connection, killFiles: new Set(), first }
    })
    const entry: Entry = { running: started.catch(() => null), agent: null }
    entries.set(key, entry)
    void request.agent.then((agent) => (entry.agent = canonicalJson(agent)))
    try {
      return sit(await started, request, () => retire(key, entry))
    } catch (error) {
      retire(key, entry)
      throw error
    }
  }

  /** Whether one more may come; what it is not fit for once, it never is. */
  const isShareable = async (running: Running): Promise<boolean> =>
    (await running.connection.opened) && !(await hasGrown(running)) && !running.connection.asks

  return {
    take: async (request) => {
      const { key, server, signal } = request
      const alone = async (): Promise<UpstreamProcess> => attachUpstreamProcess(await request.start())
      if (key === null || stateful.has(server)) return alone()
      const entry = entries.get(key)
      if (entry === undefined) return begin(request, key)
      const agent = canonicalJson(await request.agent)
      const running = agent === entry.agent ? await unlessAborted(entry.running, signal) : null
      if (running === null) return alone()
      const isFit = await unlessAborted(isShareable(running), signal)
      if (entries.get(key) !== entry) return alone()
      if (!isFit) stateful.add(server)
      return isFit && isLinked(running, request.killFile) ? sit(running, request, () => retire(key, entry)) : alone()
    },
  }
}

/** Rejects with HoldfastError `illegal-state` when the session ends first. */
const unlessAborted = async <Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> => {
  const over = Promise.withResolvers<never>()
  const end = (): void => over.reject(new HoldfastError('illegal-state', 'The session has ended.'))
  if (signal.aborted) end()
  signal.addEventListener('abort', end, { once: true })
  try {
    return await Promise.race([work, over.promise])
  } finally {
    signal.removeEventListener('abort', end)
  }
}
