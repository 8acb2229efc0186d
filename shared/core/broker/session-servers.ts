import { createHmac } from 'node:crypto'
import { HoldfastError } from '../../contract/errors.ts'
import type { RunningServer } from '../../contract/schemas/server.ts'
import type { McpServerConfig } from '../../contract/schemas/mcp-config.ts'
import { parseServerBoundary } from '../../domain/boundary/server-boundary.ts'
import { canonicalJson } from '../../domain/ledger-chain.ts'
import type { Container, KillProof } from '../ports.ts'
import type { SignIns } from '../secrets/sign-in.ts'
import type { BrokerSessionParams } from './broker-session.ts'
import type { BrokerDeps, BrokerTiming } from './create-broker.ts'
import { pinLaunch } from './package-pin.ts'
import { planServerContainer } from './server-container.ts'
import { isIssued, resolveServerLaunch, secretNames } from './server-launch.ts'
import type { StdioLaunch } from './server-launch.ts'
import type { ServerPool } from './server-pool.ts'
import { gatedOrigin } from './tool-call-pipeline.ts'
import { serverIdentity } from './tool-pins.ts'
import { attachHttpServer } from './upstream-http.ts'
import type { UpstreamProcess, Urgency } from './upstream-process.ts'
import { createUpstreamServer } from './upstream-server.ts'
import type { AgentKind, Origin, UpstreamServer, UpstreamStatus } from './upstream-server.ts'

/** What all sessions of a host have in common. */
export interface BrokerHost extends Omit<BrokerDeps, 'timing'> {
  readonly signIns: SignIns
  readonly timing: BrokerTiming
  readonly pool: ServerPool
  /** With it the pool's keys are made, so that they tell nothing of the secrets that went into them. */
  readonly poolKey: Buffer
  /** Containers of servers that run. */
  readonly running: Set<Container>
  /** Keys of the servers whose package was compared with the registry since the host started. */
  readonly compared: Set<string>
}

export interface SessionServersDeps {
  readonly host: BrokerHost
  readonly params: Pick<BrokerSessionParams, 'sessionId' | 'agent' | 'proof' | 'cwd' | 'hold' | 'servers'>
  readonly agentKind: Promise<AgentKind>
  /** For what a server says or asks outside of every request. */
  readonly unasked: Origin
  onChanged(): void
  onOfferChanged(kind: 'resources' | 'prompts'): void
}

/** The user's servers, as one session has them. */
export interface SessionServers {
  readonly all: readonly UpstreamServer[]
  /** Resolves, never rejects, once the first start of every server has gone well or badly. */
  readonly started: Promise<unknown>
  states(): UpstreamStatus[]
  running(): RunningServer[]
  /** Starts those anew that are given this secret. */
  secretChanged(name: string): void
  /** Resolves, never rejects, with what was found when the servers' containers were emptied. */
  close(urgency: Urgency): Promise<KillProof>
}

/** A secret that ends is renewed when this share of its life is left, and no earlier than this long before. */
const RENEW_SHARE = 0.2
const MAX_RENEW_MS = 5 * 60_000
/** The longest that a timer can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1
const ISSUE_AGAIN_MS = 60_000

const renewalDelay = (leftMs: number): number => Math.min(leftMs - Math.min(leftMs * RENEW_SHARE, MAX_RENEW_MS), MAX_TIMER_MS)

/** Starts a session's servers at once. */
export const createSessionServers = (deps: SessionServersDeps): SessionServers => {
  const { host, params, agentKind } = deps
  const { sessionId, agent, proof, cwd, hold, servers } = params
  const over = new AbortController()
  /** By server: when it is started anew, since a secret of it ends. */
  const renewals = new Map<string, NodeJS.Timeout>()
  const serverNamed = (name: string): UpstreamServer | undefined => all.find((one) => one.name === name)

  const renewIn = (delayMs: number, name: string): void => {
    clearTimeout(renewals.get(name))
    if (!over.signal.aborted) renewals.set(name, setTimeout(() => serverNamed(name)?.restart(), delayMs).unref())
  }

  const launchProcess = async (name: string, config: McpServerConfig, launch: StdioLaunch): Promise<UpstreamProcess> => {
    const identity = serverIdentity(name, config)
    const packages = { pins: host.toolPins, folder: host.containers.homes, agentFolders: [cwd, host.containers.homes], home: host.environment['HOME'], compared: host.compared }
    const exact = await pinLaunch(packages, sessionId, identity, launch)
    const granted = config.type === 'stdio' ? config.network : undefined
    const { spec, wholeOf, start } = await planServerContainer(host.containers, exact, { sessionId, name, key: identity.key, cwd, hold, granted })
    const whole = wholeOf === null ? null : canonicalJson({ ...wholeOf, agent, server: identity.key })
    return host.pool.take({
      key: whole === null ? null : createHmac('sha256', host.poolKey).update(whole).digest('hex'),
      server: identity.key,
      agent: agentKind,
      killFile: spec.killFile,
      signal: over.signal,
      start: async () => {
        const container = await start()
        host.running.add(container)
        void container.exited.then(() => container.kill()).finally(() => host.running.delete(container)).catch(() => {})
        return container
      },
      onDivided: () => serverNamed(name)?.restart(),
    })
  }

  const start = async (name: string, config: McpServerConfig): Promise<UpstreamProcess> => {
    const launch = await resolveServerLaunch(host, { sessionId, agent, cwd, name, config }).catch((error: unknown) => {
      // Whoever issues a secret may be away for a while.
      if (isIssued(config)) renewIn(ISSUE_AGAIN_MS, name)
      throw error
    })
    if (launch.expiresAt !== null) renewIn(renewalDelay(launch.expiresAt - host.clock.now()), name)
    return launch.kind === 'http' ? attachHttpServer(launch, { agent, sessionId, proof }) : launchProcess(name, config, launch)
  }

  const othersOf = (name: string) =>
    Object.keys(servers.mcpServers)
      .filter((other) => other !== name)
      .map((other) => ({ name: other, tools: serverNamed(other)?.tools().map((tool) => tool.name) ?? [] }))

  const all: UpstreamServer[] = []
  for (const [name, config] of Object.entries(servers.mcpServers)) {
    const bounds = parseServerBoundary({ env: config.type === 'stdio' ? config.env : {}, tools: config.tools, cwd })
    const server = createUpstreamServer({
      name,
      boundary: bounds.ok ? bounds.boundary : null,
      admit: (tools) => host.toolPins.admit({ sessionId, server: serverIdentity(name, config), tools, others: othersOf(name) }),
      version: host.version,
      clock: host.clock,
      redactor: host.redactor,
      restartDelayMs: host.timing.restartDelayMs,
      start: async () => {
        if (!bounds.ok) throw new HoldfastError('profile-invalid', `Server ${name} is not started: ${bounds.problem}.`)
        return start(name, config)
      },
      agent: agentKind,
      onChanged: deps.onChanged,
      onOfferChanged: deps.onOfferChanged,
      unasked: gatedOrigin({ gate: host.gate, sessionId }, name, deps.unasked),
    })
    all.push(server)
  }
  const stopListening = host.toolPins.onAccepted(() => {
    for (const server of all) server.reviewTools()
  })

  return {
    all,
    started: Promise.all(all.map((server) => server.firstStart)),
    states: () => all.map((server) => server.status()),
    running: () => all.map((server) => ({ ...server.status(), sessionId, log: server.log() })),
    secretChanged: (name) => {
      for (const [server, config] of Object.entries(servers.mcpServers)) if (secretNames(config).includes(name)) serverNamed(server)?.restart()
    },
    close: async (urgency) => {
      over.abort()
      stopListening()
      for (const renewal of renewals.values()) clearTimeout(renewal)
      const proofs = await Promise.all(all.map((server) => server.close(urgency)))
      return {
        killed: proofs.reduce((sum, proof) => sum + proof.killed, 0),
        survivors: proofs.flatMap((proof) => proof.survivors),
        durationMs: Math.max(0, ...proofs.map((proof) => proof.durationMs)),
      }
    },
  }
}
