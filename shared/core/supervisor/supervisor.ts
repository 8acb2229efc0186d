import { HoldfastError } from '../../contract/errors.ts'
import type { SessionId } from '../../contract/ids.ts'
import type { CommandParams } from '../../contract/protocol.ts'
import type { RestoreReport } from '../../contract/schemas/checkpoint.ts'
import type { KillReport, Session } from '../../contract/schemas/session.ts'
import { isOver } from '../../domain/session-state.ts'
import type { AgentProfile } from '../policy/agent-profile.ts'
import type { CheckpointStore, Clock, Container, Ledger, TerminalSize } from '../ports.ts'
import type { ListedToolCallGate } from './tool-call-gate.ts'
import type { Approvals } from '../approvals/approvals.ts'
import type { LiveSession, SessionLauncher } from './launch-session.ts'
import type { SessionRegistry } from './session-registry.ts'
import { endInput, giveInput, showOutput, type SessionViewer } from './viewer.ts'

/** How long a command whose viewer has gone gets to end by itself, in ms. */
const HANGUP_GRACE_MS = 3_000

export interface Supervisor {
  /** Starts a session and shows its output to `viewer`; when that goes, the session ends. */
  start(params: CommandParams<'session/start'>, viewer: SessionViewer): Promise<Session>
  list(): readonly Session[]
  input(sessionId: SessionId, data: Buffer): Promise<void>
  endInput(sessionId: SessionId): void
  resize(sessionId: SessionId, size: TerminalSize): void
  signal(sessionId: SessionId, signal: NodeJS.Signals): void
  pause(sessionId: SessionId, reason: string): Promise<Session>
  resume(sessionId: SessionId): Promise<Session>
  /** Kills every session named, at once; a session that is over already gets no report. */
  kill(sessionIds: readonly SessionId[] | 'all', keepChanges: boolean): Promise<readonly KillReport[]>
  /** Puts back what a session's last revert took away. Throws HoldfastError `nothing-to-undo`. */
  undo(sessionId: SessionId): Promise<RestoreReport>
  /** What judges the session's tool calls; null when it does not run. */
  liveSession(sessionId: SessionId): { profile: AgentProfile; cwd: string; home: string } | null
  /** Whether a process, by its id in the host's view, is inside the session's container. */
  isInside(sessionId: SessionId, pid: number): Promise<boolean>
  /** Whether a process belongs to any session, and so may never decide anything. */
  isInsideAnySession(pid: number): Promise<boolean>
  /** Ends every session, keeping its changes. */
  close(): Promise<void>
}

export interface SupervisorDeps {
  readonly clock: Clock
  readonly ledger: Ledger
  readonly registry: SessionRegistry
  readonly checkpoints: CheckpointStore
  readonly gate: ListedToolCallGate
  readonly approvals: Approvals
  readonly launcher: SessionLauncher
}

/** Runs sessions from start to end: the one place where each step's order is laid down. */
export const createSupervisor = (deps: SupervisorDeps): Supervisor => {
  const { clock, ledger, registry, checkpoints, launcher } = deps
  const live = new Map<SessionId, LiveSession>()
  const kills = new Map<SessionId, Promise<KillReport>>()

  const running = (sessionId: SessionId): { session: LiveSession; container: Container } => {
    const { state } = registry.get(sessionId)
    const session = live.get(sessionId)
    if (session?.container == null) throw new HoldfastError('illegal-state', `Session ${sessionId} is ${state}.`)
    return { session, container: session.container }
  }

  /** An entry that tells what has happened already: without it, the rest of the end must still be done. */
  const record = (kind: 'session/ended' | 'session/killed', session: Session, body: Record<string, unknown>): void => {
    try {
      ledger.append(kind, session.id, { ...body, usage: session.usage, toolCalls: session.toolCalls })
    } catch {
      // The next intent will fail too, and stop every session that still runs.
    }
  }

  const forget = (sessionId: SessionId): void => {
    deps.gate.endSession(sessionId)
    deps.approvals.endSession(sessionId)
    live.delete(sessionId)
  }

  /** After the command has ended by itself: whatever it left behind ends too. */
  const finish = async (session: LiveSession, container: Container, shown: Promise<void>): Promise<void> => {
    const { code, signal } = await container.exited
    await shown
    if (registry.get(session.id).state === 'killing') return
    session.revoke()
    const proof = await container.kill()
    await session.close('gently').catch(() => undefined)
    const exitCode = code ?? (signal === null ? null : 128)
    record('session/ended', registry.get(session.id), { exitCode, signal, leftBehind: proof.killed, survivors: proof.survivors })
    forget(session.id)
    registry.apply(session.id, { type: 'ended', at: clock.now(), exitCode })
  }

  /** DESIGN, "Kill". Nothing here may stop the rest: what fails is said in the report. */
  const killOne = async (sessionId: SessionId, keepChanges: boolean): Promise<KillReport> => {
    const startedAt = performance.now()
    registry.apply(sessionId, { type: 'kill-started' })
    const session = live.get(sessionId)
    await session?.container?.freeze().catch(() => undefined)
    session?.revoke()
    await session?.launched.catch(() => undefined)
    const container = session?.container ?? null
    const proof = (await container?.kill().catch(() => null)) ?? { killed: 0, survivors: container === null ? [] : await container.processes() }
    await session?.close('at-once').catch(() => undefined)
    const durationMs = performance.now() - startedAt
    let restore: RestoreReport | null = null
    let restoreProblem: string | null = null
    const target = registry.get(sessionId).startCheckpoint
    if (target === null) restoreProblem = 'Nothing was put back: the session had no checkpoint yet.'
    else if (keepChanges) restoreProblem = 'The changes were kept, as asked.'
    else {
      try {
        restore = await checkpoints.revert({ sessionId, target })
        ledger.append('checkpoint/restored', sessionId, { ...restore })
      } catch (error) {
        restoreProblem = `The folder could not be put back: ${error instanceof Error ? error.message : String(error)}`
      }
    }
    const report: KillReport = { sessionId, processesKilled: proof.killed, survivors: [...proof.survivors], durationMs, restore, restoreProblem }
    record('session/killed', registry.get(sessionId), { processesKilled: proof.killed, survivors: proof.survivors, durationMs, restoreProblem })
    forget(sessionId)
    registry.apply(sessionId, { type: 'killed', at: clock.now(), reason: 'killed by the user' })
    return report
  }

  const hangUp = async (session: LiveSession): Promise<void> => {
    const { container } = session
    if (container === null || isOver(registry.get(session.id).state)) return
    if (registry.get(session.id).state === 'paused') {
      await container.kill()
      return
    }
    container.signal('SIGHUP')
    const grace = new Promise((resolve) => setTimeout(resolve, HANGUP_GRACE_MS).unref())
    await Promise.race([container.exited, grace])
    await container.kill()
  }

  return {
    start: async (params, viewer) => {
      const session = launcher.launch(params)
      live.set(session.id, session)
      const container = await session.launched.catch((error: unknown) => {
        forget(session.id)
        throw error
      })
      const shown = showOutput(container, session.id, viewer)
      viewer.onClose(() => void hangUp(session).catch(() => undefined))
      void finish(session, container, shown)
      return registry.get(session.id)
    },

    list: () => registry.list(),
    input: (sessionId, data) => giveInput(running(sessionId).container, data),
    endInput: (sessionId) => endInput(running(sessionId).container),
    resize: (sessionId, size) => running(sessionId).container.terminal?.resize(size),
    signal: (sessionId, signal) => running(sessionId).container.signal(signal),

    pause: async (sessionId, reason) => {
      const { container } = running(sessionId)
      const { state } = registry.get(sessionId)
      if (state !== 'running') throw new HoldfastError('illegal-state', `Session ${sessionId} is ${state}, and cannot be paused.`)
      await container.freeze()
      const paused = registry.apply(sessionId, { type: 'paused', reason }) ?? registry.get(sessionId)
      ledger.append('session/paused', sessionId, { reason })
      return paused
    },

    resume: async (sessionId) => {
      const { container } = running(sessionId)
      if (registry.get(sessionId).state !== 'paused') throw new HoldfastError('illegal-state', `Session ${sessionId} is ${registry.get(sessionId).state}, not paused.`)
      ledger.append('session/resumed', sessionId, {})
      await container.thaw()
      return registry.apply(sessionId, { type: 'resumed' }) ?? registry.get(sessionId)
    },

    kill: async (sessionIds, keepChanges) => {
      const all = sessionIds === 'all' ? registry.list().map(({ id }) => id) : sessionIds
      const chosen = [...new Set(all)].filter((id) => kills.has(id) || !isOver(registry.get(id).state))
      return Promise.all(
        chosen.map((id) => {
          const kill = kills.get(id) ?? killOne(id, keepChanges).finally(() => kills.delete(id))
          kills.set(id, kill)
          return kill
        }),
      )
    },

    undo: async (sessionId) => {
      const running = live.get(sessionId)
      if (running !== undefined) throw new HoldfastError('illegal-state', `Session ${sessionId} still runs; there is nothing to undo before it was killed.`)
      const report = await checkpoints.undo({ sessionId })
      ledger.append('checkpoint/restored', sessionId, { ...report, undo: true })
      return report
    },

    liveSession: (sessionId) => {
      const session = live.get(sessionId)
      if (session?.profile == null || session.cwd === null || session.homeAt === null || session.revoked) return null
      return { profile: session.profile, cwd: session.cwd, home: session.homeAt }
    },

    isInside: async (sessionId, pid) => (await live.get(sessionId)?.container?.contains(pid)) === true,

    isInsideAnySession: async (pid) => {
      for (const { container } of live.values()) {
        if (container !== null && (await container.contains(pid))) return true
      }
      return false
    },

    close: async () => {
      await Promise.all(
        [...live.values()].map(async (session) => {
          session.revoke()
          await session.container?.kill()
          await session.close('at-once')
        }),
      )
    },
  }
}
