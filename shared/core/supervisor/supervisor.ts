import { HoldfastError } from '../../contract/errors.ts'
import type { AgentId, SessionId } from '../../contract/ids.ts'
import type { CommandParams } from '../../contract/protocol.ts'
import type { RestoreReport } from '../../contract/schemas/checkpoint.ts'
import type { KillReport, Session } from '../../contract/schemas/session.ts'
import type { AgentProfile } from '../policy/agent-profile.ts'
import type { Container, TerminalSize } from '../ports.ts'
import type { LiveSession, SessionLauncher } from './session-launcher.ts'
import { restoreEntry } from './put-back.ts'
import type { SessionMessages } from './session-messages.ts'
import { CLOSE_MS, createSessionEnd, type Run, type SessionEndDeps } from './session-end.ts'
import { endInput, giveInput, showOutput, type SessionViewer } from './viewer.ts'
import { within } from './within.ts'

export interface Supervisor {
  /** Starts a session and shows its output to `viewer`; when that goes, the session ends. */
  start(params: CommandParams<'session/start'>, viewer: SessionViewer): Promise<Session>
  /** Takes on a session, frozen already, that another host started: it can be killed, and ends by itself when nothing is left in it. */
  adopt(session: LiveSession & { readonly container: Container }): void
  list(): readonly Session[]
  input(sessionId: SessionId, data: Buffer): Promise<void>
  endInput(sessionId: SessionId): void
  resize(sessionId: SessionId, size: TerminalSize): void
  signal(sessionId: SessionId, signal: NodeJS.Signals): void
  /** Freezes it; one that is paused stays so. Throws HoldfastError `illegal-state` when it neither runs nor is paused. */
  pause(sessionId: SessionId, reason: string): Promise<Session>
  /**
   * Thaws it; one that runs goes on. With a message, the agent gets that with its next step. Throws HoldfastError
   * `illegal-state` when it neither runs nor is paused, `unsupported` when its agent takes no messages.
   */
  resume(sessionId: SessionId, message?: string): Promise<Session>
  /**
   * Kills every session named, at once, those that are just starting too; a session that is over already gets no
   * report. One whose processes could not all be ended stays in `killing`, and can be killed again.
   */
  kill(sessionIds: readonly SessionId[] | 'all', keepChanges: boolean): Promise<readonly KillReport[]>
  /** Puts back what a session's last revert took away; of one that runs, with everything in it frozen meanwhile. Throws HoldfastError `nothing-to-undo`. */
  undo(sessionId: SessionId): Promise<RestoreReport>
  /** What judges the session's tool calls; null when it does not run. */
  liveSession(sessionId: SessionId): { profile: AgentProfile; agentId: AgentId; cwd: string; home: string } | null
  /** What the ledger keeps of its inputs and results; null once nothing of it is left. */
  recordOf(sessionId: SessionId): AgentProfile['record'] | null
  /** SHA-256 of what the session had signed; null where its commits are not, or once nothing of it is left. */
  signedBy(sessionId: SessionId): ReadonlySet<string> | null
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

export interface SupervisorDeps extends SessionEndDeps {
  readonly messages: Pick<SessionMessages, 'add' | 'endSession'>
  readonly launcher: SessionLauncher
}

/** Runs sessions from start to end: with session-end.ts, the one place where each step's order is laid down. */
export const createSupervisor = (deps: SupervisorDeps): Supervisor => {
  const { ledger, registry, checkpoints, launcher, alarms, messages } = deps
  const ends = createSessionEnd(deps)
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

  /** What freezes and thaws waits for what did so before; a kill waits for none. */
  const inTurn = async <Result>(sessionId: SessionId, work: (container: Container) => Promise<Result>): Promise<Result> => {
    const { run, container } = running(sessionId)
    const mine = run.turn.then(() => work(container))
    run.turn = mine.catch(() => undefined)
    return mine
  }

  const setClocks = (sessionId: SessionId, change: 'pauseSession' | 'resumeSession'): void => {
    deps.pace[change](sessionId)
    deps.approvals[change](sessionId)
  }

  const begin = (session: LiveSession): Run => {
    const { promise: over, resolve } = Promise.withResolvers<void>()
    const forget = (): void => {
      live.delete(session.id)
      resolve()
    }
    const run: Run = { session, shown: undefined, turn: Promise.resolve(), kill: null, urgency: 'gently', over, forget }
    live.set(session.id, run)
    return run
  }

  const finishWhenEnded = (run: Run, container: Container): void => {
    const { id } = run.session
    ends.finish(run, container).catch((error: unknown) => alarms.raise(id, `The end of session ${id} failed: ${String(error)}`))
  }

  const undoLast = async (sessionId: SessionId): Promise<RestoreReport> => {
    const report = await checkpoints.undo({ sessionId, goesOn: live.has(sessionId) })
    try {
      ledger.append('checkpoint/restored', sessionId, { ...restoreEntry(report), undo: true })
    } catch (error) {
      alarms.raise(sessionId, `The undo was done, but the audit log could not record it: ${String(error)}`)
    }
    return report
  }

  const whileStill: Supervisor['whileStill'] = (sessionId, work) =>
    inTurn(sessionId, async (container) => {
      if (registry.get(sessionId).state !== 'running') return work()
      await container.freeze()
      try {
        await work()
      } finally {
        if (registry.get(sessionId).state === 'running') await container.thaw()
      }
    })

  return {
    start: async (params, viewer) => {
      if (isClosing) throw new HoldfastError('host-busy', 'The host is stopping, and starts nothing more. Try again in a moment.')
      const session = launcher.launch(params)
      const run = begin(session)
      try {
        const container = await session.launched
        if (isClosing) await ends.stop(session)
        deps.pace.begin(session.id)
        run.shown = showOutput(container, session.id, viewer, session.ownFigures?.saw)
        viewer.onClose(() => void ends.hangUp(session).catch(() => undefined))
        finishWhenEnded(run, container)
        return registry.get(session.id)
      } catch (error) {
        ends.fail(run, error)
        throw error
      }
    },

    adopt: (session) => finishWhenEnded(begin(session), session.container),

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

    resume: (sessionId, message) =>
      inTurn(sessionId, async (container) => {
        const { state, adapter } = registry.get(sessionId)
        if (message !== undefined && adapter === 'none') throw new HoldfastError('unsupported', 'This command is not known as an agent, and takes no message: resume it, and type to it where it runs.')
        if (message !== undefined && state === 'running') throw new HoldfastError('illegal-state', `Session ${sessionId} is running: pause it first, then resume it with the message.`)
        if (state === 'running') return registry.get(sessionId)
        // One whose way to us is closed would go on with nobody to judge its calls.
        if (state !== 'paused' || running(sessionId).run.session.revoked) throw illegal(sessionId, 'resumed')
        ledger.append('session/resumed', sessionId, message === undefined ? {} : { message })
        if (message !== undefined) messages.add(sessionId, message)
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
          run.kill ??= ends.kill(run, keepChanges).finally(() => (run.kill = null))
          return run.kill
        }),
      )
    },

    undo: async (sessionId) => {
      if (!live.has(sessionId)) return await undoLast(sessionId)
      if (!['running', 'paused'].includes(registry.get(sessionId).state)) throw new HoldfastError('illegal-state', `Session ${sessionId} is just being started or killed. Try again when that is done.`)
      const done = Promise.withResolvers<RestoreReport>()
      await whileStill(sessionId, () => undoLast(sessionId).then(done.resolve))
      return await done.promise
    },

    liveSession: (sessionId) => {
      const session = live.get(sessionId)?.session
      if (session?.profile == null || session.agentId === null || session.cwd === null || session.homeAt === null || session.revoked) return null
      return { profile: session.profile, agentId: session.agentId, cwd: session.cwd, home: session.homeAt }
    },

    signedBy: (sessionId) => live.get(sessionId)?.session.signed ?? null,
    recordOf: (sessionId) => live.get(sessionId)?.session.profile?.record ?? null,

    whileStill,

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
          run.urgency = 'at-once'
          await run.kill?.catch(() => undefined)
          run.session.revoke()
          await ends.stop(run.session)
          await within(CLOSE_MS, run.over)
        }),
      )
    },
  }
}
