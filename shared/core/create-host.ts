import type { SessionRules } from '../contract/schemas/profile.ts'
import type { LedgerEntry } from '../contract/schemas/ledger.ts'
import type { Session } from '../contract/schemas/session.ts'
import { isOver } from '../domain/session-state.ts'
import { PRICE_TABLE } from '../domain/price-table.ts'
import type { AgentAdapter } from './agents/adapter.ts'
import { claudeCode } from './agents/claude-code/claude-code.ts'
import { codex } from './agents/codex/codex.ts'
import { opencode } from './agents/opencode/opencode.ts'
import { plainCommand } from './agents/plain-command.ts'
import { createEventHub } from './api/event-hub.ts'
import { createLazyBroker } from './broker/lazy-broker.ts'
import { createRedactor } from './broker/redactor.ts'
import { createToolPins } from './broker/tool-pins.ts'
import { createSharedTotals } from './budgets/shared-totals.ts'
import { createCheckpointStore } from './checkpoints/create-checkpoint-store.ts'
import { keepCheckpointsWithinLimits } from './checkpoints/keep-within-limits.ts'
import { chooseContainer, containersFor } from './containers/choose.ts'
import { readRunCounts } from './containers/run-counts.ts'
import { createContainerWrites, RECORDED_AGAIN } from './containers/write-record.ts'
import { createEgress } from './egress/egress.ts'
import { createGateway } from './gateway/gateway.ts'
import { createRequestLogs } from './gateway/request-log.ts'
import { randomIds } from './identifiers.ts'
import { createJudgement } from './judge-sessions.ts'
import { createAgentIdentities } from './identity/agent-identities.ts'
import { keepLedger } from './ledger/keep-ledger.ts'
import { openLedger } from './ledger/ledger.ts'
import { openSearchIndex } from './ledger/search-index.ts'
import { checkRulesMeanwhile } from './policy/check-rules.ts'
import { createConfigurationRecord } from './policy/configuration-record.ts'
import { createExplainInSession } from './policy/explain-in-session.ts'
import { loadProfile } from './policy/load-profile.ts'
import { makeFolders, type Paths } from './paths.ts'
import type { Clock, SecretStore } from './ports.ts'
import { serveClients } from './serve-clients.ts'
import { createAlarms } from './supervisor/alarms.ts'
import { takeOverSessions } from './supervisor/earlier-sessions.ts'
import { takeKillNote } from './supervisor/kill-note.ts'
import { createSessionLauncher } from './supervisor/launch-session.ts'
import { createReviewPoint } from './supervisor/review-point.ts'
import { createIdleTimes } from './supervisor/idle-times.ts'
import { createSessionActivity } from './supervisor/session-activity.ts'
import { createSessionChanges } from './supervisor/session-changes.ts'
import { createSessionCheckpoints } from './supervisor/session-checkpoints.ts'
import { createSessionMessages } from './supervisor/session-messages.ts'
import { createSessionRegistry } from './supervisor/session-registry.ts'
import { createSupervisor } from './supervisor/supervisor.ts'
import { listenForAgents } from './transports/agent-server.ts'
import type { Endpoint } from './transports/endpoint-file.ts'
import { peerOf } from './transports/peer-credentials.ts'
import { undoAll, type Undo } from './undo.ts'
import { VERSION } from './version.ts'

export interface HostOptions {
  readonly paths: Paths
  readonly clock: Clock
  readonly secrets: SecretStore
  /** A part of the keychain of its own, which no profile or server can name: what signs the ledger. */
  readonly ledgerKeys: SecretStore
  /** Another part of its own: the agents' keys. */
  readonly agentKeys: SecretStore
  /** The host's own environment: MCP servers get PATH, HOME and LANG of it. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** What of ours runs elsewhere, absolute: programs in other processes, and the folder of the pages in a browser. */
  readonly programs: { readonly shim: string; readonly plainInit: string; readonly repositoryWatcher: string; readonly gitSigner: string; readonly ledgerSender: string; readonly pages: string }
  /** Adapters beside those that every host has. */
  readonly adapters?: readonly AgentAdapter[]
  /** Tells the host's own log about a fault. */
  readonly log: (line: string) => void
}

export interface Host {
  readonly endpoint: Endpoint
  /** Resolves when the host was asked to stop, and has. */
  readonly stopped: Promise<void>
  stop(): Promise<void>
}

/**
 * Puts a host together from its parts, and starts it: the only place where that is done. The ledger's lock is what
 * keeps a second host out. Throws HoldfastError `host-busy`, `disk-full`, `read-only`, `ledger-unavailable`; then
 * nothing of it runs, and what was opened is closed.
 */
export const createHost = async (options: HostOptions): Promise<Host> => {
  const opened: Undo = []
  try {
    return await assemble(options, opened)
  } catch (error) {
    await undoAll(opened, options.log)
    throw error
  }
}

const assemble = async (options: HostOptions, opened: Undo): Promise<Host> => {
  const { paths, clock, secrets, log } = options
  makeFolders(paths)
  const hub = createEventHub((sessionId) => registry.find(sessionId)?.container === 'off')
  const listeners: ((entry: LedgerEntry) => void)[] = [(entry) => hub.publish('ledger/appended', entry)]
  const ledger = openLedger({ file: paths.ledger, openSearch: (searched) => openSearchIndex(paths.ledgerSearch, searched), clock, onAppended: (entry) => listeners.forEach((listener) => listener(entry)) })
  opened.push(() => ledger.close())
  const startedAt = clock.now()
  ledger.append('host/started', null, { version: VERSION, pid: process.pid })

  const registry = createSessionRegistry((session: Session) => hub.publish('session/changed', session), clock)
  const alarms = createAlarms({
    ledger,
    publish: (alarm) => hub.publish('alarm/raised', alarm),
    pause: (named, rule, reason) => {
      for (const sessionId of named === null ? supervisor.list().map(({ id }) => id) : [named]) {
        if (supervisor.liveSession(sessionId)?.profile.pauseOn.includes(rule) !== true) continue
        supervisor.pause(sessionId, reason).catch((error: unknown) => log(`session ${sessionId} could not be paused for an alarm: ${String(error)}`))
      }
    },
    log,
  })
  const keeping = keepLedger({
    ...{ settingsFile: paths.ledgerSettings, folder: paths.data, program: options.programs.ledgerSender, keys: options.ledgerKeys },
    ...{ ledger, clock, secrets, log, raise: alarms.raise, onChanged: () => void configuration.look() },
  })
  listeners.push(keeping.saw)
  opened.push(() => keeping.close())
  opened.push(checkRulesMeanwhile((message) => alarms.raise(null, message)))
  opened.push(async () => {
    ledger.append('host/stopped', null, {})
    await keeping.sealer.close()
  })
  const { approvals, pace, judge, trail, gate, caps } = createJudgement({
    ...{ clock, ledger, hub, registry, alarms, log, grantsFile: paths.grants },
    supervisor: () => supervisor,
    activity: () => activity,
    review: (sessionId, reason) => void reviewPoint(sessionId, reason),
  })
  const redactor = createRedactor()
  const requestLogs = createRequestLogs({ folder: paths.modelRequests, redactor, clock, log })
  opened.push(() => requestLogs.close())
  const gateway = createGateway({
    clock,
    ledger,
    trail,
    environment: options.environment,
    admit: (sessionId, signal) => pace.admit(sessionId, { kind: 'model-request' }, signal)?.then((held) => (held !== null && 'denied' in held ? held.denied : null)) ?? null,
    onUsage: (sessionId, usage) => {
      registry.apply(sessionId, { type: 'usage-counted', usage })
      pace.spent(sessionId, usage.costMicroUsd)
    },
    onCharged: (sessionId, { tokens }) => pace.usedTokens(sessionId, tokens),
    onCapNear: (sessionId, message) => alarms.raise(sessionId, message),
    onCapReached: (stopped) => caps.reached(stopped),
  })
  opened.push(() => gateway.close())
  const toolPins = createToolPins({ file: paths.toolPins, clock, ledger, raiseAlarm: alarms.raise })
  const broker = createLazyBroker({
    toolPins,
    containers: { ids: randomIds, homes: paths.servers, killFiles: paths.killFiles, hidden: [paths.config, paths.data, paths.run] },
    gate,
    secrets,
    ledger,
    clock,
    redactor,
    raiseAlarm: alarms.raise,
    version: VERSION,
    environment: options.environment,
    peerCheck: async (sessionId, socket) => {
      const peer = peerOf(socket)
      return peer !== null && (await supervisor.isInside(sessionId, peer.pid))
    },
    status: (sessionId) => {
      const { agent, usage, toolCalls } = registry.get(sessionId)
      return { agent, sessionId, usage, toolCalls }
    },
  })
  const agentServer = await listenForAgents()
  opened.push(() => agentServer.close())
  const adapters = [...(options.adapters ?? []), claudeCode, opencode, codex, plainCommand]
  const resolveProfile = (params: { cwd: string; command: readonly string[]; profile?: string | undefined; rules?: SessionRules | undefined }) =>
    loadProfile({ cwd: params.cwd, configFolder: paths.config, name: params.profile, command: params.command, sessionRules: params.rules })
  const configuration = createConfigurationRecord({ ledger, profiles: paths.profiles, ledgerSettings: paths.ledgerSettings, stateFile: paths.configurationSeen, log })
  opened.push(async () => {
    await configuration.look()
    configuration.close()
  })
  void configuration.look()
  const writes = createContainerWrites((problem) => alarms.raise(null, problem ?? RECORDED_AGAIN))
  opened.push(async () => writes.close())
  const containers = containersFor(process.platform, options.programs.plainInit, writes)
  const idle = createIdleTimes()
  const checkpoints = createCheckpointStore({ folder: paths.checkpoints, clock, ids: randomIds, wasIdle: idle.wasIdle, writes })
  const identities = createAgentIdentities({
    file: paths.identities,
    allowedSignersFile: paths.allowedSigners,
    keys: options.agentKeys,
    clock,
    ids: randomIds,
    ledger,
  })
  const messages = createSessionMessages()
  const launcher = createSessionLauncher({
    paths,
    clock,
    ids: randomIds,
    ledger,
    registry,
    checkpoints,
    secrets,
    priceTable: PRICE_TABLE,
    totals: createSharedTotals({ ledger, clock }),
    gateway,
    gate,
    broker,
    agentServer,
    requestLogs,
    egress: createEgress({ clock, gate, ledger, judge }),
    judge,
    adapters,
    resolveProfile: async (params) => {
      await configuration.look(params.cwd)
      return resolveProfile(params)
    },
    chooseContainer: (sandbox) => chooseContainer(sandbox, containers),
    onTampering: async (sessionId, message) => {
      alarms.raise(sessionId, message)
      await supervisor.pause(sessionId, message).catch((error: unknown) => log(`session ${sessionId} could not be paused: ${String(error)}`))
    },
    raiseAlarm: alarms.raise,
    takeMessage: messages.take,
    shimFile: options.programs.shim,
    repositoryWatcherFile: options.programs.repositoryWatcher,
    gitSignerFile: options.programs.gitSigner,
    identities,
  })
  const sessionCheckpoints = createSessionCheckpoints({ checkpoints, ledger })
  const reviewPoint = createReviewPoint({
    supervisor: { pause: (...params) => supervisor.pause(...params), whileStill: (...params) => supervisor.whileStill(...params) },
    sessionCheckpoints,
    pace,
    alarms,
  })
  const activity = createSessionActivity({
    checkpoints,
    sessionCheckpoints,
    changes: createSessionChanges({ checkpoints, ledger, recordOf: (sessionId) => supervisor.recordOf(sessionId), signedBy: (sessionId) => supervisor.signedBy(sessionId), raiseAlarm: alarms.raise, log }),
    whileStill: (sessionId, work) => supervisor.whileStill(sessionId, work),
    processesOf: (sessionId) => supervisor.processesOf(sessionId),
    idle,
    runCountsOf: (sessionId, own) => readRunCounts(() => supervisor.processesOf(sessionId), own),
  })
  const supervisor = createSupervisor({
    clock,
    ledger,
    registry,
    checkpoints,
    ...{ gate, approvals, pace, alarms, messages },
    launcher,
    recordChanges: async (sessionId) => {
      await configuration.look(registry.find(sessionId)?.cwd)
      await activity.recordAll(sessionId)
    },
    killedElsewhere: (sessionId) => takeKillNote(paths.killFiles, sessionId),
  })
  await takeOverSessions({ paths, clock, ledger, registry, checkpoints, alarms, adopt: supervisor.adopt, log })

  opened.push(keepCheckpointsWithinLimits(checkpoints, (sessionId) => !isOver(registry.find(sessionId)?.state ?? 'ended'), log))

  const { promise: stopped, resolve: tellStopped } = Promise.withResolvers<void>()
  let stopping: Promise<void> | null = null
  const stop = (): Promise<void> => {
    stopping ??= undoAll(opened, log).then(tellStopped)
    return stopping
  }

  const endpoint = await serveClients(opened, {
    paths,
    broker,
    clock,
    startedAt,
    ledger,
    keeping,
    supervisor,
    gate,
    approvals,
    checkpoints,
    sessionCheckpoints,
    identities,
    secrets,
    toolPins,
    adapters,
    resolveProfile,
    explainIn: createExplainInSession({ sessionOf: (sessionId) => supervisor.liveSession(sessionId), judge, grants: approvals.grants }),
    writeProblem: writes.problem,
    hub,
    pages: options.programs.pages,
    environment: options.environment,
    stop: () => setImmediate(() => void stop()),
    log,
  })
  opened.push(() => supervisor.close())
  return { endpoint, stopped, stop }
}
