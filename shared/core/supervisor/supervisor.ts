import { constants } from 'node:os'
import { HoldfastError } from '../../contract/errors.ts'
import type { SessionId } from '../../contract/ids.ts'
import type { CommandParams } from '../../contract/protocol.ts'
import type { RestoreReport } from '../../contract/schemas/checkpoint.ts'
import type { KillReport, Session } from '../../contract/schemas/session.ts'
import { isOver } from '../../domain/session-state.ts'
import type { Approvals } from '../approvals/approvals.ts'
import type { AgentProfile } from '../policy/agent-profile.ts'
import type { CheckpointStore, Clock, Container, ContainerExit, KillProof, Ledger, TerminalSize } from '../ports.ts'
import type { Alarms } from './alarms.ts'
import type { LiveSession, SessionLauncher } from './launch-session.ts'
import type { Pace } from './pace.ts'
import { putBack, restoreEntry } from './put-back.ts'
import type { SessionRegistry } from './session-registry.ts'
import type { ListedToolCallGate } from './tool-call-gate.ts'
import { endInput, giveInput, showOutput, type SessionViewer } from './viewer.ts'
import { within } from './within.ts'

/** How long a command whose viewer has gone gets to end by itself, in ms. */
const HANGUP_GRACE_MS = 3_000
/** How long the end of a session waits for its last output, and for its servers, in ms. */
const LAST_OUTPUT_MS = 2_000
const CLOSE_MS = 15_000

export interface Supervisor {
  /** Starts a session and shows its output to `viewer`; when that goes, the session ends. */
  start(params: CommandParams<'session/start'>, viewer: SessionViewer): Promise<Session>
  list(): readonly Session[]
  input(sessionId: SessionId, data: Buffer): Promise<void>
  endInput(sessionId: SessionId): void
  resize(sessionId: SessionId, size: TerminalSize): void
  signal(sessionId: SessionId, signal: NodeJS.Signals): void
  /** Freezes it; one that is paused stays so. Throws HoldfastError `illegal-state` when it neither runs nor is paused. */
  pause(sessionId: SessionId, reason: string): Promise<Session>
  /** Thaws it; one that runs goes on. Throws HoldfastError `illegal-state` when it neither runs nor is paused. */
  resume(sessionId: SessionId): Promise<Session>
  /**
   * Kills every session named, at once, those that are just starting too; a session that is over already gets no
   * report. One whose processes could not all be ended stays in `killing`, and can be killed again.
   */
  kill(sessionIds: readonly SessionId[] | 'all', keepChanges: boolean): Promise<readonly KillReport[]>
  /** Puts back what a session's last revert took away. Throws HoldfastError `nothing-to-undo`. */
  undo(sessionId: SessionId): Promise<RestoreReport>
  /** What judges the session's tool calls; null when it does not run. */
  liveSession(sessionId: SessionId): { profile: AgentProfile; cwd: string; home: string } | null
  /** Does the work with everything in the session's container frozen, as long as it runs. */
  whileStill(sessionId: SessionId, work: () => Promise<void>): Promise<void>
  /** Ids of all processes in the session's container, in the host's view. */
  processesOf(sessionId: SessionId): Promise<readonly number[]>
  /** Whether a process, by its id in the host's view, is inside the session's container. */
  isInside(sessionId: SessionId, pid: number): Promise<boolean>
  /** Whether a process belongs to any session, and so may never decide anything. */
  isInsideAnySession(pid: number): Promise<boolean>
  /** Refuses new sessions, ends every one there is, keeping its changes, and waits until they have ended. Never rejects. */
  close(): Promise<void>
}

export interface SupervisorDeps {
  readonly clock: Clock
  readonly ledger: Ledger
  readonly registry: SessionRegistry
  readonly checkpoints: CheckpointStore
  readonly gate: ListedToolCallGate
  readonly approvals: Approvals
  readonly pace: Pace
  readonly alarms: Alarms
  readonly launcher: SessionLauncher
}

/** A session and what is under way with it. */
interface Run {
  readonly session: LiveSession
  shown: Promise<void> | undefined
  /** Pauses and resumes: one after the other. */
  turn: Promise<unknown>
  kill: Promise<KillReport> | null
  /** Resolves when nothing of it is left. */
  readonly over: Promise<void>
  tellOver(): void
}

const NOTHING_RAN: KillProof = { killed: 0, survivors: [], durationMs: 0 }

const exitCodeOf = ({ code, signal }: ContainerExit): number | null => code ?? (signal === null ? null : 128 + constants.signals[signal])

/** Ends everything inside. Never rejects: what cannot be shown to have ended counts as alive. */
const endAll = async ({ container }: LiveSession): Promise<KillProof> => {
  if (container === null) return NOTHING_RAN
  try {
    return await container.kill()
  } catch {
    const survivors = await container.processes().catch(() => [container.pid])
    return { killed: 0, survivors, durationMs: 0 }
  }
}

/**
 * Runs sessions from start to end: the one place where each step's order is laid down. A kill, from its first moment
 * on, owns the end; what else is under way with the session looks for `killing` after each wait, and leaves it be.
 */
export const createSupervisor = (deps: SupervisorDeps): Supervisor => {
  const { clock, ledger, registry, checkpoints, launcher, alarms } = deps
  const live = new Map<SessionId, Run>()
  let isClosing = false

  const running = (sessionId: SessionId): { run: Run; container: Container } => {
    const run = live.get(sessionId)
    const container = run?.session.container ?? null
    if (run === undefined || container === null) throw new HoldfastError('illegal-state', `Session ${sessionId} is ${registry.get(sessionId).state}.`)
    return { run, container }
  }

  const illegal = (sessionId: SessionId, wish: string): HoldfastError =>
    new HoldfastError('illegal-state', `Session ${sessionId} is ${registry.get(sessionId).state}, and cannot be ${wish}.`)

  /** Writes the one entry that ends a session, and forgets it. Without the entry, the rest of the end is done all the same. */
  const end = (run: Run, kind: 'session/ended' | 'session/killed', body: Record<string, unknown>, apply: () => void): void => {
    const { id } = run.session
    deps.gate.endSession(id)
    const { usage, toolCalls } = registry.get(id)
    try {
      ledger.append(kind, id, { ...body, usage, toolCalls })
    } catch {
      // The next intent will fail too, and stop every session that still runs.
    }
    forget(run)
    apply()
  }

  const forget = (run: Run): void => {
    const { id } = run.session
    deps.approvals.endSession(id)
    deps.pace.endSession(id)
    alarms.endSession(id)
    live.delete(id)
    // What changes in its folders from now on is not its own. Without that look, it counts as of both: nothing is lost.
    checkpoints.mark({ sessionId: id, state: 'over' }).catch(() => undefined)
    run.tellOver()
  }

  /** The session stays, in `killing`: it can be seen, and killed again. Says what is to be done. */
  const staysAlive = (sessionId: SessionId, survivors: readonly number[]): string => {
    const reason = `${survivors.length} of its processes could not be ended (${survivors.slice(0, 10).join(', ')}). Kill it again: holdfast kill ${sessionId}`
    registry.apply(sessionId, { type: 'kill-unproven', reason })
    alarms.raise(sessionId, `Session ${sessionId}: ${reason}`)
    return reason
  }

  const isEnding = (sessionId: SessionId): boolean => {
    const { state } = registry.get(sessionId)
    return state === 'killing' || isOver(state)
  }

  /** Ends everything inside, where no kill does; what stays alive makes it a kill that is not proven. */
  const endWithoutKill = async (session: LiveSession): Promise<KillProof> => {
    const proof = await endAll(session)
    if (proof.survivors.length > 0 && !isEnding(session.id)) {
      registry.apply(session.id, { type: 'kill-started' })
      staysAlive(session.id, proof.survivors)
    }
    return proof
  }

  /** After the command has ended by itself: whatever it left behind ends too. */
  const finish = async (run: Run, container: Container): Promise<void> => {
    const { session } = run
    const { id } = session
    const exit = await container.exited.catch(() => ({ code: null, signal: null }))
    if (isEnding(id)) return
    session.revoke()
    const proof = await endWithoutKill(session)
    await within(LAST_OUTPUT_MS, run.shown)
    await within(CLOSE_MS, session.close(isClosing ? 'at-once' : 'gently'))
    if (isEnding(id)) return
    const exitCode = exitCodeOf(exit)
    end(run, 'session/ended', { exitCode, signal: exit.signal, leftBehind: proof.killed }, () => registry.apply(id, { type: 'ended', at: clock.now(), exitCode }))
  }

  /** It did not come to run, and no kill has taken over its end. */
  const endFailed = (run: Run, error: unknown): void => {
    const { id } = run.session
    if (registry.find(id) === null) return forget(run)
    if (isEnding(id)) return
    const reason = error instanceof HoldfastError ? error.message : 'it could not be started'
    end(run, 'session/ended', { failed: reason }, () => registry.apply(id, { type: 'failed', at: clock.now(), reason }))
  }

  /** DESIGN, "Kill". Nothing here may stop the rest: what fails is said in the report. */
  const killOne = async (run: Run, keepChanges: boolean): Promise<KillReport> => {
    const startedAt = performance.now()
    const { session } = run
    const { id: sessionId } = session
    if (registry.find(sessionId) !== null) registry.apply(sessionId, { type: 'kill-started' })
    if (session.container !== null) await session.container.freeze().catch(() => undefined)
    session.revoke()
    if (session.launching) await session.launched.catch(() => undefined)
    const [agent, servers] = await Promise.all([endAll(session), session.killServers()])
    const proof = { killed: agent.killed + servers.killed, survivors: [...agent.survivors, ...servers.survivors] }
    const durationMs = performance.now() - startedAt
    const report = { sessionId, processesKilled: proof.killed, survivors: [...proof.survivors], durationMs, restore: null, restoreProblem: null }
    if (registry.find(sessionId) === null) {
      forget(run)
      return report
    }
    await within(LAST_OUTPUT_MS, run.shown)
    await within(CLOSE_MS, session.close('at-once'))
    if (proof.survivors.length > 0) return { ...report, restoreProblem: `Nothing was put back: ${staysAlive(sessionId, proof.survivors)}` }
    const back = await restoreAfterKill(session, keepChanges)
    const body = { processesKilled: proof.killed, durationMs, restoreProblem: back.restoreProblem }
    end(run, 'session/killed', body, () => registry.apply(sessionId, { type: 'killed', at: clock.now(), reason: 'killed by the user' }))
    return { ...report, ...back }
  }

  const restoreAfterKill = async (session: LiveSession, keepChanges: boolean): Promise<Pick<KillReport, 'restore' | 'restoreProblem'>> => {
    const { id: sessionId, cwd: root } = session
    const target = registry.get(sessionId).startCheckpoint
    if (!session.launching || target === null) return { restore: null, restoreProblem: null }
    if (keepChanges) return { restore: null, restoreProblem: 'The changes were kept, as asked.' }
    return putBack({ checkpoints, record: (kind, body) => ledger.append(kind, sessionId, body), sessionId, root, target })
  }

  const hangUp = async (session: LiveSession): Promise<void> => {
    const { container } = session
    if (container === null || isEnding(session.id)) return
    if (registry.get(session.id).state === 'running') {
      container.signal('SIGHUP')
      await within(HANGUP_GRACE_MS, container.exited)
    }
    if (!isEnding(session.id)) await endWithoutKill(session)
  }

  /** Pauses and resumes wait for those before them; a kill waits for none. */
  const inTurn = (sessionId: SessionId, work: (container: Container) => Promise<Session>): Promise<Session> => {
    const { run, container } = running(sessionId)
    const mine = run.turn.then(() => work(container))
    run.turn = mine.catch(() => undefined)
    return mine
  }

  const setClocks = (sessionId: SessionId, change: 'pauseSession' | 'resumeSession'): void => {
    deps.pace[change](sessionId)
    deps.approvals[change](sessionId)
  }

  return {
    start: async (params, viewer) => {
      if (isClosing) throw new HoldfastError('host-busy', 'The host is stopping, and starts nothing more. Try again in a moment.')
      const session = launcher.launch(params)
      const { promise: over, resolve: tellOver } = Promise.withResolvers<void>()
      const run: Run = { session, shown: undefined, turn: Promise.resolve(), kill: null, over, tellOver }
      live.set(session.id, run)
      try {
        const container = await session.launched
        if (isClosing) await endWithoutKill(session)
        deps.pace.begin(session.id)
        run.shown = showOutput(container, session.id, viewer)
        viewer.onClose(() => void hangUp(session).catch(() => undefined))
        finish(run, container).catch((error: unknown) => alarms.raise(session.id, `The end of session ${session.id} failed: ${String(error)}`))
        return registry.get(session.id)
      } catch (error) {
        endFailed(run, error)
        throw error
      }
    },

    list: () => registry.list(),
    input: (sessionId, data) => giveInput(running(sessionId).container, data),
    endInput: (sessionId) => endInput(running(sessionId).container),
    resize: (sessionId, size) => running(sessionId).container.terminal?.resize(size),
    signal: (sessionId, signal) => running(sessionId).container.signal(signal),

    pause: (sessionId, reason) =>
      inTurn(sessionId, async (container) => {
        const { state } = registry.get(sessionId)
        if (state === 'paused') return registry.get(sessionId)
        if (state !== 'running') throw illegal(sessionId, 'paused')
        setClocks(sessionId, 'pauseSession')
        try {
          await container.freeze()
        } catch (error) {
          await container.thaw().catch(() => undefined)
          setClocks(sessionId, 'resumeSession')
          throw error
        }
        const paused = registry.apply(sessionId, { type: 'paused', reason })
        if (paused === null) throw illegal(sessionId, 'paused')
        try {
          ledger.append('session/paused', sessionId, { reason })
        } catch {
          // It is paused, which harms nothing; going on again needs the ledger.
        }
        return paused
      }),

    resume: (sessionId) =>
      inTurn(sessionId, async (container) => {
        const { state } = registry.get(sessionId)
        if (state === 'running') return registry.get(sessionId)
        if (state !== 'paused') throw illegal(sessionId, 'resumed')
        ledger.append('session/resumed', sessionId, {})
        await container.thaw()
        const resumed = registry.apply(sessionId, { type: 'resumed' })
        if (resumed === null) throw illegal(sessionId, 'resumed')
        setClocks(sessionId, 'resumeSession')
        return resumed
      }),

    kill: (sessionIds, keepChanges) => {
      const chosen = [...new Set(sessionIds === 'all' ? live.keys() : sessionIds)].flatMap((id) => {
        const run = live.get(id)
        if (run === undefined) registry.get(id)
        return run ?? []
      })
      return Promise.all(
        chosen.map((run) => {
          run.kill ??= killOne(run, keepChanges).finally(() => (run.kill = null))
          return run.kill
        }),
      )
    },

    undo: async (sessionId) => {
      if (live.has(sessionId)) throw new HoldfastError('illegal-state', `Session ${sessionId} is not over; there is nothing to undo before it was killed.`)
      const report = await checkpoints.undo({ sessionId })
      try {
        ledger.append('checkpoint/restored', sessionId, { ...restoreEntry(report), undo: true })
      } catch (error) {
        alarms.raise(sessionId, `The undo was done, but the audit log could not record it: ${String(error)}`)
      }
      return report
    },

    liveSession: (sessionId) => {
      const session = live.get(sessionId)?.session
      if (session?.profile == null || session.cwd === null || session.homeAt === null || session.revoked) return null
      return { profile: session.profile, cwd: session.cwd, home: session.homeAt }
    },

    whileStill: async (sessionId, work) => {
      const { run, container } = running(sessionId)
      const mine = run.turn.then(async () => {
        if (registry.get(sessionId).state !== 'running') return work()
        await container.freeze()
        try {
          await work()
        } finally {
          if (!isEnding(sessionId)) await container.thaw()
        }
      })
      run.turn = mine.catch(() => undefined)
      return mine
    },

    processesOf: async (sessionId) => running(sessionId).container.processes(),

    isInside: async (sessionId, pid) => (await live.get(sessionId)?.session.container?.contains(pid)) === true,

    isInsideAnySession: async (pid) => {
      for (const { session } of live.values()) {
        if (session.container !== null && (await session.container.contains(pid))) return true
      }
      return false
    },

    close: async () => {
      isClosing = true
      await Promise.all(
        [...live.values()].map(async (run) => {
          await run.kill?.catch(() => undefined)
          run.session.revoke()
          await endWithoutKill(run.session)
          await within(CLOSE_MS, run.over)
        }),
      )
    },
  }
}
