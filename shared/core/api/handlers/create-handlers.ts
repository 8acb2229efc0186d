import { HoldfastError } from '../../../contract/errors.ts'
import type { SessionRules } from '../../../contract/schemas/profile.ts'
import type { SessionId } from '../../../contract/ids.ts'
import type { CommandParams } from '../../../contract/protocol.ts'
import type { ResolvedProfile } from '../../../contract/schemas/setup.ts'
import { passesEnv } from '../../../domain/env-pass.ts'
import type { AgentAdapter } from '../../agents/adapter.ts'
import type { Approvals } from '../../approvals/approvals.ts'
import type { ToolPins } from '../../broker/tool-pins.ts'
import type { AgentIdentities } from '../../identity/agent-identities.ts'
import { toPem } from '../../ledger/signing.ts'
import type { LedgerKeeping } from '../../ledger/keep-ledger.ts'
import { examineAll } from '../../doctor/examine.ts'
import type { ProposeSetup } from '../../onboarding/propose-setup.ts'
import type { Paths } from '../../paths.ts'
import { listProfiles } from '../../policy/list-profiles.ts'
import type { AgentProfile } from '../../policy/agent-profile.ts'
import type { CheckpointStore, Clock, Ledger, SecretStore } from '../../ports.ts'
import type { DetachedViewers } from '../../supervisor/detached-viewers.ts'
import { approvalStatistics } from '../../../domain/approval-statistics.ts'
import { shortenRestore } from '../../../domain/restore-report.ts'
import { refuseWhileLocked } from '../../lock.ts'
import { adapterFor } from '../../supervisor/launch-session.ts'
import { resolveWorkingFolder } from '../../supervisor/session-folder.ts'
import type { SessionCheckpoints } from '../../supervisor/session-checkpoints.ts'
import type { Supervisor } from '../../supervisor/supervisor.ts'
import type { ListedToolCallGate } from '../../supervisor/tool-call-gate.ts'
import type { DashboardServer } from '../../transports/dashboard-server.ts'
import { VERSION } from '../../version.ts'
import type { Connection, Handlers } from '../dispatcher.ts'
import type { EventHub } from '../event-hub.ts'
import { createDashboardHandlers, shellOf, type DashboardHandlerDeps } from './dashboard-handlers.ts'

export interface HandlerDeps extends DashboardHandlerDeps {
  readonly paths: Paths
  readonly clock: Clock
  readonly startedAt: number
  readonly ledger: Ledger
  readonly keeping: LedgerKeeping
  readonly supervisor: Supervisor
  readonly gate: ListedToolCallGate
  readonly approvals: Approvals
  readonly checkpoints: CheckpointStore
  readonly sessionCheckpoints: SessionCheckpoints
  readonly secrets: SecretStore
  readonly identities: AgentIdentities
  readonly toolPins: ToolPins
  /** Called once a secret has another value. */
  readonly secretChanged: (name: string) => void
  readonly adapters: readonly AgentAdapter[]
  readonly proposeSetup: ProposeSetup
  readonly resolveProfile: (params: { cwd: string; command: readonly string[]; profile?: string | undefined; rules?: SessionRules | undefined }) => Promise<AgentProfile>
  readonly hub: EventHub
  readonly dashboard: DashboardServer
  readonly viewers: DetachedViewers
  /** The host's own: what a session launched from a page may get of it is what its profile passes. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Why nobody can tell whose an edit is while a session computes; null where that can be told, or never could. */
  readonly writeProblem: () => string | null
  /** Ends the host after this call has been answered. */
  readonly stop: () => void
}

const done = {}

/** Entries about questions that statistics are made of: the newest. */
const MAX_STATISTICS = 10_000

/** So that the answer fits into a frame. */
const MAX_HELD_SHOWN = 50

/** Paths in one answer, in characters of JSON, of 3 bytes at most; how many more there are, it says. See MAX_FRAME_BYTES. */
const MAX_PATH_CHARACTERS = 2 * 1024 * 1024

/** Notices a person should read before the session starts. */
const noticesOf = (adapter: AgentAdapter): string[] =>
  adapter.id === 'none'
    ? ['Holdfast does not know this command as an agent: container, checkpoint and kill hold, single tool calls are not seen, and it is given no MCP servers.']
    : []

/** One handler a command, each a few lines: the work is done behind the ports. */
export const createHandlers = (deps: HandlerDeps): Handlers => {
  const { supervisor, sessionCheckpoints, ledger, approvals, secrets, viewers } = deps

  const resolved = (profile: AgentProfile): ResolvedProfile => {
    const adapter = adapterFor(deps.adapters, profile.command)
    const rules = profile.policy.layers.filter(({ origin }) => origin !== 'built-in').flatMap((layer) => layer.rules.map(({ rule, effect, source }) => ({ rule: rule.text, effect, source })))
    return {
      agent: profile.agent,
      adapter: adapter.id,
      command: [...profile.command],
      envNames: [...profile.envPass],
      sandbox: profile.sandbox,
      network: profile.network,
      spendUsd: profile.limits.spendUsd,
      modelKey: profile.modelKey,
      hasServers: profile.servers !== null,
      rules,
      notices: [...profile.notices, ...noticesOf(adapter)],
    }
  }

  /** A page has no terminal of its own: it gets one that stays when the page goes. */
  const startDetached = async (params: CommandParams<'session/start'>) => {
    if (params.sandbox === 'off') throw new HoldfastError('unauthorised', 'A page starts nothing without a container. Start it in a terminal: holdfast run')
    if ((params.rules?.allow ?? []).length > 0) throw new HoldfastError('unauthorised', 'A page allows nothing beyond your profile: it proposes a change of the profile. Start it in a terminal: holdfast run --allow RULE')
    const profile = await deps.resolveProfile({ cwd: await resolveWorkingFolder(params.cwd, deps.paths), command: params.command, profile: params.profile })
    if (profile.sandbox === 'off') throw new HoldfastError('unauthorised', 'This profile says sandbox: off, and a page starts nothing without a container. Start it in a terminal: holdfast run')
    if (params.checkpoint === 'off') throw new HoldfastError('unauthorised', 'A page starts nothing without a checkpoint. Start it in a terminal: holdfast run --no-checkpoint')
    const [program = ''] = params.command
    if (params.command.length > 0 && (/[/\\]/.test(program) || deps.adapters.find((adapter) => adapter.matches(params.command))?.id === 'none')) {
      throw new HoldfastError('unauthorised', 'A page starts only agents that Holdfast knows, by their name, or what a profile names. Start anything else in a terminal: holdfast run')
    }
    const passed = Object.entries(deps.environment).flatMap(([name, value]) => (value !== undefined && passesEnv(profile.envPass, name) ? [[name, value]] : []))
    const viewer = viewers.create()
    const session = await supervisor.start({ ...params, env: { ...params.env, ...Object.fromEntries(passed) } }, viewer)
    viewer.named(session.id)
    return session
  }

  /** Nothing of a session moves a folder away from under what is read or written there for it. */
  const whileStill = async <Result>(sessionId: SessionId, work: () => Promise<Result>): Promise<Result> => {
    if (supervisor.liveSession(sessionId) === null) return work()
    const { promise, resolve } = Promise.withResolvers<Result>()
    await supervisor.whileStill(sessionId, async () => resolve(await work()))
    return promise
  }

  /** A page types only into what was launched from a page. Throws HoldfastError `unauthorised`. */
  const checkInput = (sessionId: SessionId, { role }: Connection): void => {
    if (role === 'owner' || viewers.has(sessionId)) return
    throw new HoldfastError('unauthorised', `Session ${sessionId} was not launched from a dashboard: type where it was started.`)
  }
  return {
    ...createDashboardHandlers(deps),
    'host/info': () => ({
      version: VERSION,
      pid: process.pid,
      startedAt: deps.startedAt,
      dataFolder: deps.paths.data,
      sessions: supervisor.list().length,
      approvalsPage: deps.dashboard.approvalsPage(),
      writeProblem: deps.writeProblem(),
    }),
    'host/stop': () => {
      deps.stop()
      return done
    },
    'host/examine': async () => ({ findings: await examineAll({ paths: deps.paths, path: deps.environment['PATH'] ?? '', here: deps.paths.config, secrets }) }),
    'dashboard/open': () => deps.dashboard.open(),
    'dashboard/log-out': () => {
      setImmediate(() => deps.dashboard.logOut())
      return done
    },
    'profile/list': async () => ({ profiles: await listProfiles(deps.paths.profiles) }),
    'profile/resolve': async ({ cwd, command, profile }) => resolved(await deps.resolveProfile({ cwd: await resolveWorkingFolder(cwd, deps.paths), command, profile })),
    'setup/propose': async ({ cwd, name }) => {
      const { agent, files, boundaries, secrets, notes, profile } = await deps.proposeSetup(cwd, name)
      return {
        agent,
        files: files.map(({ path, text, state }) => ({ path, text, state })),
        boundaries: boundaries.map(({ calls, ...boundary }) => ({ ...boundary, calls: calls === null ? null : [...calls] })),
        secrets: [...secrets],
        notes: [...notes],
        outlook: resolved(profile),
      }
    },
    'session/start': (params, connection) => {
      refuseWhileLocked(deps.paths)
      return connection.role === 'owner' ? supervisor.start(params, connection) : startDetached(params)
    },
    'session/attach': ({ sessionId }, connection) => ({ data: viewers.attach(sessionId, connection).toString('base64') }),
    'session/input': async ({ sessionId, data }, connection) => {
      checkInput(sessionId, connection)
      await supervisor.input(sessionId, Buffer.from(data, 'base64'))
      return done
    },
    'session/end-input': ({ sessionId }, connection) => {
      checkInput(sessionId, connection)
      supervisor.endInput(sessionId)
      return done
    },
    'session/resize': ({ sessionId, terminal }, connection) => {
      checkInput(sessionId, connection)
      supervisor.resize(sessionId, terminal)
      return done
    },
    'session/signal': ({ sessionId, signal }, connection) => {
      checkInput(sessionId, connection)
      supervisor.signal(sessionId, signal)
      return done
    },
    'session/list': () => ({ sessions: [...supervisor.list()] }),
    'session/pause': ({ sessionId }) => supervisor.pause(sessionId, 'paused by the user'),
    'session/resume': ({ sessionId, message }) => supervisor.resume(sessionId, message),
    'session/kill': async ({ sessionIds, keepChanges }) => {
      const reports = await supervisor.kill(sessionIds, keepChanges)
      return { reports: reports.map((report) => ({ ...report, restore: report.restore === null ? null : shortenRestore(report.restore, MAX_PATH_CHARACTERS / reports.length) })) }
    },
    'session/undo': async ({ sessionId }) => shortenRestore(await supervisor.undo(sessionId), MAX_PATH_CHARACTERS),
    'checkpoint/list': async ({ sessionId }) => ({ checkpoints: [...(await deps.checkpoints.list(sessionId))] }),
    'checkpoint/create': ({ sessionId }) => whileStill(sessionId, () => sessionCheckpoints.create(sessionId, 'on-demand')),
    'checkpoint/diff': ({ sessionId, from, to }) => sessionCheckpoints.diff(sessionId, from, to),
    'checkpoint/restore': async ({ sessionId, target, paths }) => shortenRestore(await whileStill(sessionId, () => sessionCheckpoints.restore(sessionId, target, paths)), MAX_PATH_CHARACTERS),
    'checkpoint/recorded-diff': async (params) => ({ text: await deps.checkpoints.recordedDiff(params) }),
    'checkpoint/pin': ({ sessionId, checkpointId, pinned }) => deps.checkpoints.pin({ sessionId, id: checkpointId, pinned }),
    'checkpoint/usage': async () => ({ projects: [...(await deps.checkpoints.usage())] }),
    'tool-call/list': ({ sessionId }) => ({ toolCalls: [...deps.gate.list(sessionId)] }),
    'approval/list': () => ({ requests: [...approvals.waiting()] }),
    'approval/decide': async (params, connection) => {
      const { approvalId, bindingHash, answer, scope = 'once', reason = null, alike = [], rule, pause = false } = params
      const via = shellOf(connection)
      const changed = 'changedInput' in params && params.changedInput !== undefined ? { changedInput: { value: params.changedInput } } : {}
      if (pause && answer !== 'deny') throw new HoldfastError('unsupported', 'Only a no pauses the session with it.')
      const decided = approvals.decide({ approvalId, bindingHash, answer, scope, reason, via, alike, ...changed, ...(rule === undefined ? {} : { rule }) })
      if (pause) await supervisor.pause(decided.sessionId, `paused with a no to ${decided.tool}`)
      return decided
    },
    'approval/statistics': () => approvalStatistics(ledger.tail(MAX_STATISTICS, { kinds: ['approval/requested', 'approval/decided'] }).entries),
    'grant/list': () => ({ grants: [...approvals.grants.list()] }),
    'grant/revoke': ({ grantId }) => approvals.grants.revoke(grantId),
    'ledger/read': ({ after, last, ...query }) => {
      const { entries, next } = after === undefined ? ledger.tail(last ?? 20, query) : ledger.read({ ...query, after, limit: last ?? 1_000 })
      return { entries: [...entries], next }
    },
    'ledger/verify': () => deps.keeping.selfCheck.check(),
    'ledger/exports': () => ({ exports: deps.keeping.duties.exports() }),
    'ledger/seal': async () => {
      await deps.keeping.sealer.seal()
      return done
    },
    'ledger/key': async () => ({ publicKey: toPem(await deps.keeping.sealer.publicKey()) }),
    'ledger/prune': ({ before }) => ledger.prune(before),
    'agent/list': () => ({ agents: [...deps.identities.list()], allowedSignersFile: deps.paths.allowedSigners }),
    'agent/rotate': ({ agent }) => deps.identities.rotate(agent),
    'agent/retire': ({ agent }) => deps.identities.retire(agent),
    'secret/set': async ({ name, value, details }) => {
      await secrets.set(name, value, details)
      ledger.append('secret/changed', null, { secret: name, change: 'set' })
      deps.secretChanged(name)
      return done
    },
    'secret/list': async () => ({ secrets: [...(await secrets.list())] }),
    'secret/remove': async ({ name }) => {
      if (await secrets.remove(name)) ledger.append('secret/changed', null, { secret: name, change: 'removed' })
      return done
    },
    'server/list': () => ({ servers: deps.toolPins.list() }),
    'server/held': ({ key }) => ({ held: deps.toolPins.held(key).slice(0, MAX_HELD_SHOWN) }),
    'server/accept': ({ key, tools }) => {
      deps.toolPins.accept(key, tools)
      return done
    },
    'event/subscribe': (_params, connection) => ({ sequence: deps.hub.subscribe(connection) }),
  }
}
