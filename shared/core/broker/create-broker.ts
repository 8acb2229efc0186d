import { once } from 'node:events'
import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Server as NetServer, Socket } from 'node:net'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { HoldfastError } from '../../contract/errors.ts'
import type { SessionId } from '../../contract/ids.ts'
import type { McpConfig } from '../../contract/schemas/mcp-config.ts'
import type { RunningServer } from '../../contract/schemas/server.ts'
import { parseServerBoundary } from '../../domain/boundary/server-boundary.ts'
import type { Clock, Container, KillProof, Ledger, SecretStore, ToolCallGate } from '../ports.ts'
import { readToken, serveDownstream } from './downstream-connection.ts'
import type { Downstream } from './downstream-connection.ts'
import { attachHttpServer } from './upstream-http.ts'
import { createKeptResults } from './kept-results.ts'
import { createOffers } from './offers.ts'
import { pinLaunch } from './package-pin.ts'
import type { Redactor } from './redactor.ts'
import { startServerContainer } from './server-container.ts'
import type { ServerContainerDeps, ServerHold } from './server-container.ts'
import { isSecretCommand } from './secret-command.ts'
import { resolveServerLaunch, secretNames } from './server-launch.ts'
import { originOf } from './rounds.ts'
import { createStatusTool } from './status-tool.ts'
import { createPipeline, gatedOrigin } from './tool-call-pipeline.ts'
import { serverIdentity } from './tool-pins.ts'
import type { ToolPins } from './tool-pins.ts'
import { buildToolCatalog } from './tool-catalog.ts'
import type { ToolCatalog } from './tool-catalog.ts'
import { attachUpstreamProcess } from './upstream-process.ts'
import type { Urgency } from './upstream-process.ts'
import { createUpstreamServer } from './upstream-server.ts'
import type { AgentKind, Upstream, UpstreamStatus } from './upstream-server.ts'

export interface BrokerDeps {
  readonly gate: ToolCallGate
  readonly secrets: SecretStore
  readonly ledger: Ledger
  readonly clock: Clock
  readonly redactor: Redactor
  readonly toolPins: Pick<ToolPins, 'admit' | 'onAccepted' | 'packageOf' | 'pinPackage'>
  readonly version: string
  readonly containers: ServerContainerDeps
  /** The host's own environment, from which servers get PATH and LANG alone, and npm HOME. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Whether the process at the other end belongs to the session; a rejection counts as no. */
  peerCheck(sessionId: SessionId, socket: Socket): Promise<boolean>
  /** What the agent may know of its session: its identity, usage and limits. */
  status(sessionId: SessionId): Record<string, unknown>
  /** Tells a person, and the ledger. */
  raiseAlarm(sessionId: SessionId, message: string): void
  readonly timing?: Partial<BrokerTiming>
}

export interface BrokerTiming {
  /** While a person thinks, the agent's client hears this often that its call is alive. */
  readonly progressEveryMs: number
  /** How long the first list of tools waits for servers that are still starting. */
  readonly startGraceMs: number
  /** How long servers wait for the agent to say what it can do, before they are taken up without. */
  readonly agentGraceMs: number
  /** First wait before a crashed server is started again. */
  readonly restartDelayMs: number
}

const TIMING: BrokerTiming = { progressEveryMs: 5_000, startGraceMs: 2_000, agentGraceMs: 20_000, restartDelayMs: 250 }

/** A secret that ends is renewed when this share of its life is left, and no earlier than this long before. */
const RENEW_SHARE = 0.2
const MAX_RENEW_MS = 5 * 60_000
/** The longest that a timer can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1
const ISSUE_AGAIN_MS = 60_000

const renewalDelay = (leftMs: number): number => Math.min(leftMs - Math.min(leftMs * RENEW_SHARE, MAX_RENEW_MS), MAX_TIMER_MS)

/** A socket's path must fit into sockaddr_un, see unix(7). */
const MAX_SOCKET_PATH_BYTES = 107
const MAX_CONNECTIONS = 16

/** Before an agent has connected, or when none does: nothing is asked of it. */
const UNKNOWN_AGENT: AgentKind = { capabilities: {}, era: 'legacy' }

export interface BrokerSessionParams {
  readonly sessionId: SessionId
  readonly agent: string
  /** A signed statement of who the agent is, good for some minutes; null without a key. */
  readonly proof: () => Promise<string | null>
  /** Where the servers run. */
  readonly cwd: string
  readonly hold: ServerHold
  /** What a connection must send as its first line. */
  readonly token: string
  readonly servers: McpConfig
  /** The session's own socket; its folder is made for the user alone. */
  readonly socketPath: string
}

export interface BrokerSession {
  /** The state of each configured server, with what to do where one is unavailable. */
  servers(): readonly UpstreamStatus[]
  /** Resolves, never rejects, once the first start of every server has gone well or badly. */
  readonly started: Promise<unknown>
  /** Ends connections and servers; calls in flight are withdrawn. Resolves, never rejects, with what was found when the servers' containers were emptied. */
  close(urgency: Urgency): Promise<KillProof>
}

export interface Broker {
  /**
   * Starts the session's servers and listens on its socket. A server that cannot start is a state of that server, not
   * an error here. Throws HoldfastError `unsupported` when the socket's path is too long.
   */
  openSession(params: BrokerSessionParams): Promise<BrokerSession>
  /** Starts anew, in every session, the servers that are given this secret: see SecretStore. */
  secretChanged(name: string): void
  /** The servers of every open session, as they are now. */
  running(): RunningServer[]
  /** Whether a process, by its id in the host's view, belongs to a server: no such process may decide anything. */
  isInsideServer(pid: number): Promise<boolean>
}

/** The broker: one MCP server towards each session's agent, in front of the user's own servers. */
export const createBroker = (deps: BrokerDeps): Broker => {
  const timing = { ...TIMING, ...deps.timing }
  const containers = new Set<Container>()
  const compared = new Set<string>()
  const open = new Set<() => RunningServer[]>()
  /** Who is given which secret, by session. */
  const holders = new Set<{ readonly secrets: readonly string[]; restart(): void }>()

  return {
    secretChanged: (name) => {
      for (const holder of holders) if (holder.secrets.includes(name)) holder.restart()
    },
    running: () => [...open].flatMap((servers) => servers()),
    isInsideServer: async (pid) => {
      for (const container of containers) if (await container.contains(pid)) return true
      return false
    },
    openSession: async ({ sessionId, agent, proof, cwd, hold, token, servers, socketPath }) => {
      const listener = await listenPrivately(socketPath)
      const downstreams = new Set<Downstream>()
      let closed = false
      let catalog: ToolCatalog = new Map()
      const onChanged = (): void => {
        catalog = buildToolCatalog(upstreams)
        for (const downstream of downstreams) downstream.changed('tools')
      }
      const agentReady = Promise.withResolvers<AgentKind>()
      const giveUp = setTimeout(() => agentReady.resolve(UNKNOWN_AGENT), timing.agentGraceMs).unref()
      const unasked = originOf(
        (question, signal) => {
          const able = [...downstreams].findLast((downstream) => downstream.unasked !== null)?.unasked
          return able?.ask(question, signal) ?? Promise.reject(new HoldfastError('illegal-state', 'No agent is there to answer.'))
        },
        (notification) => {
          for (const downstream of downstreams) downstream.unasked?.notify(notification)
        },
      )

      const upstreams: Upstream[] = []
      /** By server: when it is started anew, since a secret of it ends. */
      const renewals = new Map<string, NodeJS.Timeout>()
      const renewIn = (delayMs: number, name: string): void => {
        clearTimeout(renewals.get(name))
        if (!closed) renewals.set(name, setTimeout(() => configured.find((upstream) => upstream.name === name)?.restart(), delayMs).unref())
      }
      const othersOf = (name: string) =>
        Object.keys(servers.mcpServers)
          .filter((other) => other !== name)
          .map((other) => ({ name: other, tools: upstreams.find((upstream) => upstream.name === other)?.tools().map((tool) => tool.name) ?? [] }))
      const configured = Object.entries(servers.mcpServers).map(([name, config]) => {
        const env = config.type === 'stdio' ? config.env : {}
        const bounds = parseServerBoundary({ env, tools: config.tools, cwd })
        return createUpstreamServer({
          name,
          boundary: bounds.ok ? bounds.boundary : null,
          admit: (tools) => deps.toolPins.admit({ sessionId, server: serverIdentity(name, config), tools, others: othersOf(name) }),
          version: deps.version,
          clock: deps.clock,
          redactor: deps.redactor,
          restartDelayMs: timing.restartDelayMs,
          start: async () => {
            if (!bounds.ok) throw new HoldfastError('profile-invalid', `Server ${name} is not started: ${bounds.problem}.`)
            const launch = await resolveServerLaunch(deps, { sessionId, agent, cwd, name, config }).catch((error: unknown) => {
              // Whoever issues a secret may be away for a while.
              if (secretNames(config).some(isSecretCommand)) renewIn(ISSUE_AGAIN_MS, name)
              throw error
            })
            if (launch.expiresAt !== null) renewIn(renewalDelay(launch.expiresAt - deps.clock.now()), name)
            if (launch.kind === 'http') return attachHttpServer(launch, { agent, sessionId, proof })
            const identity = serverIdentity(name, config)
            const packages = { pins: deps.toolPins, folder: deps.containers.homes, home: deps.environment['HOME'], compared }
            const exact = await pinLaunch(packages, sessionId, identity, launch)
            const container = await startServerContainer(deps.containers, exact, { sessionId, name, key: identity.key, cwd, hold, granted: config.type === 'stdio' ? config.network : undefined })
            containers.add(container)
            const process = attachUpstreamProcess(container)
            void process.ended.then(() => containers.delete(container))
            return process
          },
          agent: agentReady.promise,
          onChanged,
          onOfferChanged: (kind) => {
            for (const downstream of downstreams) downstream.changed(kind)
          },
          unasked: gatedOrigin({ gate: deps.gate, sessionId }, name, unasked),
        })
      })
      const own = Object.values(servers.mcpServers).flatMap((config, index) => {
        const upstream = configured[index]
        return upstream === undefined ? [] : [{ secrets: secretNames(config), restart: upstream.restart }]
      })
      for (const holder of own) holders.add(holder)
      const stopListening = deps.toolPins.onAccepted(() => {
        for (const upstream of configured) upstream.reviewTools()
      })
      const running = () => configured.map((upstream) => ({ ...upstream.status(), sessionId, log: upstream.log() }))
      open.add(running)
      const serverStates = (): UpstreamStatus[] => configured.map((upstream) => upstream.status())
      const readStatus = () => ({ agent, sessionId, ...deps.status(sessionId), servers: serverStates() })
      upstreams.push(createStatusTool(readStatus), ...configured)
      onChanged()

      const started = Promise.all(configured.map((upstream) => upstream.firstStart))
      const startedCatalog = async (): Promise<ToolCatalog> => {
        await Promise.race([started, delay(timing.startGraceMs, undefined, { ref: false })])
        return catalog
      }
      const offers = createOffers(configured)
      const kept = createKeptResults(() => {
        for (const downstream of downstreams) downstream.changed('resources')
      })
      const pipeline = createPipeline({
        kept,
        sessionId,
        agent,
        proof,
        gate: deps.gate,
        redactor: deps.redactor,
        offers,
        progressEveryMs: timing.progressEveryMs,
        catalog: () => catalog,
        startedCatalog,
      })

      let alarmRaised = false
      const refuse = (socket: Socket): void => {
        socket.destroy()
        if (alarmRaised) return
        alarmRaised = true
        deps.raiseAlarm(sessionId, 'A connection to the broker was refused: wrong token, or a process outside the session.')
      }
      const accept = async (socket: Socket): Promise<void> => {
        socket.on('error', () => {})
        const known = (await readToken(socket, token)) && (await deps.peerCheck(sessionId, socket).catch(() => false))
        if (closed) socket.destroy()
        else if (!known) refuse(socket)
        else if (!socket.destroyed) await serve(socket)
      }
      const serve = async (socket: Socket): Promise<void> => {
        const downstream = await serveDownstream(socket, { version: deps.version, pipeline, offers, kept, onAgent: agentReady.resolve, startedCatalog })
        if (closed || socket.destroyed) return downstream.close()
        downstreams.add(downstream)
        socket.once('close', () => downstreams.delete(downstream))
      }

      listener.on('connection', (socket) => accept(socket).catch(() => socket.destroy()))

      return {
        servers: serverStates,
        started,
        close: async (urgency) => {
          closed = true
          open.delete(running)
          stopListening()
          for (const holder of own) holders.delete(holder)
          clearTimeout(giveUp)
          for (const renewal of renewals.values()) clearTimeout(renewal)
          agentReady.resolve(UNKNOWN_AGENT)
          listener.close()
          for (const downstream of downstreams) downstream.close()
          const proofs = await Promise.all(configured.map((upstream) => upstream.close(urgency)))
          return {
            killed: proofs.reduce((sum, proof) => sum + proof.killed, 0),
            survivors: proofs.flatMap((proof) => proof.survivors),
            durationMs: Math.max(0, ...proofs.map((proof) => proof.durationMs)),
          }
        },
      }
    },
  }
}

const listenPrivately = async (path: string): Promise<NetServer> => {
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
