import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { HoldfastError } from '../../contract/errors.ts'
import type { SessionId } from '../../contract/ids.ts'
import type { McpConfig } from '../../contract/schemas/mcp-config.ts'
import type { KillProof } from '../ports.ts'
import { readToken, serveDownstream } from './downstream-connection.ts'
import type { Downstream } from './downstream-connection.ts'
import { createKeptResults } from './kept-results.ts'
import { createOffers } from './offers.ts'
import { listenPrivately } from './private-listener.ts'
import { originOf } from './rounds.ts'
import type { ServerHold } from './server-container.ts'
import { createSessionServers } from './session-servers.ts'
import type { BrokerHost, SessionServers } from './session-servers.ts'
import { createStatusTool } from './status-tool.ts'
import { createPipeline } from './tool-call-pipeline.ts'
import { buildToolCatalog } from './tool-catalog.ts'
import type { ToolCatalog } from './tool-catalog.ts'
import type { Urgency } from './upstream-process.ts'
import type { AgentKind, UpstreamStatus } from './upstream-server.ts'

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

/** Before an agent has connected, or when none does: nothing is asked of it. */
const UNKNOWN_AGENT: AgentKind = { capabilities: {}, era: 'legacy' }

/** A session's servers run, and its socket is open. Throws HoldfastError `unsupported` when the socket's path is too long. */
export const openBrokerSession = async (
  host: BrokerHost,
  params: BrokerSessionParams,
): Promise<BrokerSession & Pick<SessionServers, 'running' | 'secretChanged'>> => {
  const { sessionId, agent, proof, token, socketPath } = params
  const { timing } = host
  const listener = await listenPrivately(socketPath)
  const downstreams = new Set<Downstream>()
  const agentReady = Promise.withResolvers<AgentKind>()
  const giveUp = setTimeout(() => agentReady.resolve(UNKNOWN_AGENT), timing.agentGraceMs).unref()
  let closed = false
  let catalog: ToolCatalog = new Map()
  const changed = (kind: 'tools' | 'resources' | 'prompts'): void => {
    for (const downstream of downstreams) downstream.changed(kind)
  }
  const onChanged = (): void => {
    catalog = buildToolCatalog([statusTool, ...servers.all])
    changed('tools')
  }
  const unasked = originOf(
    (question, signal) => {
      const able = [...downstreams].findLast((downstream) => downstream.unasked !== null)?.unasked
      return able?.ask(question, signal) ?? Promise.reject(new HoldfastError('illegal-state', 'No agent is there to answer.'))
    },
    (notification) => {
      for (const downstream of downstreams) downstream.unasked?.notify(notification)
    },
  )
  const statusTool = createStatusTool(() => ({ agent, sessionId, ...host.status(sessionId), servers: servers.states() }))
  const servers = createSessionServers({ host, params, agentKind: agentReady.promise, unasked, onChanged, onOfferChanged: changed })
  onChanged()

  const startedCatalog = async (): Promise<ToolCatalog> => {
    await Promise.race([servers.started, delay(timing.startGraceMs, undefined, { ref: false })])
    return catalog
  }
  const offers = createOffers(servers.all)
  const kept = createKeptResults(() => changed('resources'))
  const pipeline = createPipeline({
    kept,
    sessionId,
    agent,
    proof,
    gate: host.gate,
    redactor: host.redactor,
    offers,
    raiseAlarm: (message) => host.raiseAlarm(sessionId, message),
    progressEveryMs: timing.progressEveryMs,
    catalog: () => catalog,
    startedCatalog,
  })

  let alarmRaised = false
  const refuse = (socket: Socket): void => {
    socket.destroy()
    if (alarmRaised) return
    alarmRaised = true
    host.raiseAlarm(sessionId, 'A connection to the broker was refused: wrong token, or a process outside the session.')
  }
  const accept = async (socket: Socket): Promise<void> => {
    socket.on('error', () => {})
    const known = (await readToken(socket, token)) && (await host.peerCheck(sessionId, socket).catch(() => false))
    if (closed) socket.destroy()
    else if (!known) refuse(socket)
    else if (!socket.destroyed) await serve(socket)
  }
  const serve = async (socket: Socket): Promise<void> => {
    const downstream = await serveDownstream(socket, { version: host.version, pipeline, offers, kept, redactor: host.redactor, onAgent: agentReady.resolve, startedCatalog })
    if (closed || socket.destroyed) return downstream.close()
    downstreams.add(downstream)
    socket.once('close', () => downstreams.delete(downstream))
  }
  listener.on('connection', (socket) => accept(socket).catch(() => socket.destroy()))

  return {
    servers: servers.states,
    started: servers.started,
    running: servers.running,
    secretChanged: servers.secretChanged,
    close: async (urgency) => {
      closed = true
      clearTimeout(giveUp)
      agentReady.resolve(UNKNOWN_AGENT)
      listener.close()
      for (const downstream of downstreams) downstream.close()
      return servers.close(urgency)
    },
  }
}
