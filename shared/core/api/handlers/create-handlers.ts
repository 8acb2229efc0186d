import type { AgentAdapter } from '../../agents/adapter.ts'
import type { Approvals } from '../../approvals/approvals.ts'
import type { Paths } from '../../paths.ts'
import type { AgentProfile } from '../../policy/agent-profile.ts'
import type { CheckpointStore, Clock, Ledger, SecretStore } from '../../ports.ts'
import { adapterFor } from '../../supervisor/launch-session.ts'
import { resolveWorkingFolder } from '../../supervisor/session-folder.ts'
import type { Supervisor } from '../../supervisor/supervisor.ts'
import type { ListedToolCallGate } from '../../supervisor/tool-call-gate.ts'
import { VERSION } from '../../version.ts'
import type { Handlers } from '../dispatcher.ts'
import type { EventHub } from '../event-hub.ts'

export interface HandlerDeps {
  readonly paths: Paths
  readonly clock: Clock
  readonly startedAt: number
  readonly ledger: Ledger
  readonly supervisor: Supervisor
  readonly gate: ListedToolCallGate
  readonly approvals: Approvals
  readonly checkpoints: CheckpointStore
  readonly secrets: SecretStore
  readonly adapters: readonly AgentAdapter[]
  readonly resolveProfile: (params: { cwd: string; command: readonly string[]; profile?: string | undefined }) => Promise<AgentProfile>
  readonly hub: EventHub
  /** Ends the host after this call has been answered. */
  readonly stop: () => void
}

const done = {}

/** Entries of one session that are looked through for its newest. */
const MAX_SESSION_ENTRIES = 100_000

/** Notices a person should read before the session starts. */
const noticesOf = (adapter: AgentAdapter): string[] =>
  adapter.id === 'none'
    ? ['Holdfast does not know this command as an agent: container, checkpoint and kill hold, and single tool calls are not seen.']
    : []

/** One handler a command, each a few lines: the work is done behind the ports. */
export const createHandlers = (deps: HandlerDeps): Handlers => {
  const { supervisor, ledger, approvals, secrets } = deps
  return {
    'host/info': () => ({
      version: VERSION,
      pid: process.pid,
      startedAt: deps.startedAt,
      dataFolder: deps.paths.data,
      sessions: supervisor.list().length,
    }),
    'host/stop': () => {
      deps.stop()
      return done
    },
    'profile/resolve': async ({ cwd, command, profile: name }) => {
      const folder = await resolveWorkingFolder(cwd, deps.paths)
      const profile = await deps.resolveProfile({ cwd: folder, command, profile: name })
      const adapter = adapterFor(deps.adapters, profile.command)
      return { agent: profile.agent, adapter: adapter.id, envNames: [...profile.envPass], notices: [...profile.notices, ...noticesOf(adapter)] }
    },
    'session/start': (params, connection) => supervisor.start(params, connection),
    'session/input': async ({ sessionId, data }) => {
      await supervisor.input(sessionId, Buffer.from(data, 'base64'))
      return done
    },
    'session/end-input': ({ sessionId }) => {
      supervisor.endInput(sessionId)
      return done
    },
    'session/resize': ({ sessionId, terminal }) => {
      supervisor.resize(sessionId, terminal)
      return done
    },
    'session/signal': ({ sessionId, signal }) => {
      supervisor.signal(sessionId, signal)
      return done
    },
    'session/list': () => ({ sessions: [...supervisor.list()] }),
    'session/pause': ({ sessionId }) => supervisor.pause(sessionId, 'paused by the user'),
    'session/resume': ({ sessionId }) => supervisor.resume(sessionId),
    'session/kill': async ({ sessionIds, keepChanges }) => ({ reports: [...(await supervisor.kill(sessionIds, keepChanges))] }),
    'session/undo': ({ sessionId }) => supervisor.undo(sessionId),
    'checkpoint/list': async ({ sessionId }) => ({ checkpoints: [...(await deps.checkpoints.list(sessionId))] }),
    'tool-call/list': ({ sessionId }) => ({ toolCalls: [...deps.gate.list(sessionId)] }),
    'approval/list': () => ({ requests: [...approvals.waiting()] }),
    'approval/decide': ({ approvalId, bindingHash, answer, scope, reason }) =>
      approvals.decide({ approvalId, bindingHash, answer, scope: scope ?? 'once', reason: reason ?? null }),
    'ledger/read': ({ after, last, sessionId }) => {
      if (after !== undefined) return { entries: ledger.read({ after, limit: last ?? 1_000, ...(sessionId === undefined ? {} : { sessionId }) }) }
      const count = last ?? 20
      return { entries: sessionId === undefined ? ledger.tail(count) : ledger.read({ after: 0, limit: MAX_SESSION_ENTRIES, sessionId }).slice(-count) }
    },
    'ledger/verify': () => ledger.verify(),
    'secret/set': async ({ name, value }) => {
      await secrets.set(name, value)
      return done
    },
    'secret/list': async () => ({ secrets: [...(await secrets.list())] }),
    'secret/remove': async ({ name }) => {
      await secrets.remove(name)
      return done
    },
    'event/subscribe': (_params, connection) => ({ sequence: deps.hub.subscribe(connection) }),
  }
}
