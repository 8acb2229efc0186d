import { constants } from 'node:os'
import { HoldfastError } from '../../contract/errors.ts'
import type { SessionId } from '../../contract/ids.ts'
import type { LedgerBody } from '../../contract/schemas/ledger-bodies.ts'
import type { KillReport } from '../../contract/schemas/session.ts'
import { isOver } from '../../domain/session-state.ts'
import type { Approvals } from '../approvals/approvals.ts'
import type { Urgency } from '../broker/upstream-process.ts'
import type { CheckpointStore, Clock, Container, ContainerExit, KillProof, Ledger } from '../ports.ts'
import type { Alarms } from './alarms.ts'
import type { KilledElsewhere } from './kill-note.ts'
import type { LiveSession } from './session-launcher.ts'
import type { Pace } from './pace.ts'
import type { SessionMessages } from './session-messages.ts'
import { putBack } from './put-back.ts'
import type { SessionRegistry } from './session-registry.ts'
import type { ListedToolCallGate } from './tool-call-gate.ts'
import { within } from './within.ts'

/** How long a command whose viewer has gone gets to end by itself, in ms. */
const HANGUP_GRACE_MS = 3_000
/** How long the end of a session waits for its last output, and for its servers, in ms. */
const LAST_OUTPUT_MS = 2_000
export const CLOSE_MS = 15_000

/** A session and what is under way with it. */
export interface Run {
  readonly session: LiveSession
  shown: Promise<void> | undefined
  /** What freezes and thaws it: one after the other. */
  turn: Promise<unknown>
  kill: Promise<KillReport> | null
  /** How its servers end when it ends by itself. */
  urgency: Urgency
  /** Resolves when nothing of it is left. */
  readonly over: Promise<void>
  /** Nothing of it is left. */
  forget(): void
}

export interface SessionEndDeps {
  readonly clock: Clock
  readonly ledger: Ledger
  readonly registry: SessionRegistry
  readonly checkpoints: CheckpointStore
  readonly gate: ListedToolCallGate
  readonly approvals: Approvals
  readonly pace: Pace
  readonly messages: Pick<SessionMessages, 'endSession'>
  readonly alarms: Alarms
  /** Has the ledger told what the session changed, once nothing of it runs. Never rejects. */
  readonly recordChanges: (sessionId: SessionId) => Promise<void>
  /** What a client did that killed the session without this host; null when none has. */
  readonly killedElsewhere: (sessionId: SessionId) => Promise<KilledElsewhere | null>
}

/** All ways in which a session ends. None of them rejects for what it could not do. */
export interface SessionEnd {
  /** After its command has ended by itself: whatever it left behind ends too. */
  finish(run: Run, container: Container): Promise<void>
  /** It did not come to run; where a kill has taken over its end, that goes on. */
  fail(run: Run, error: unknown): void
  /** Kills, proves, puts back; one kill at a time. With survivors the session stays in `killing`. */
  kill(run: Run, keepChanges: boolean): Promise<KillReport>
  /** Its viewer has gone. */
  hangUp(session: LiveSession): Promise<void>
  /** Ends everything inside, where no kill does; what stays alive makes it a kill that is not proven. */
  stop(session: LiveSession): Promise<KillProof>
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
 * A kill, from its first moment on, owns the end; what else is under way with the session looks for `killing` after each
 * wait, and leaves it be.
 */
export const createSessionEnd = ({ clock, ledger, registry, checkpoints, gate, approvals, pace, alarms, messages, recordChanges, killedElsewhere }: SessionEndDeps): SessionEnd => {
  /** Writes the one entry that ends a session, and forgets it. Without the entry, the rest of the end is done all the same. */
  const end = <Kind extends 'session/ended' | 'session/killed'>(run: Run, kind: Kind, body: LedgerBody<Kind>, apply: () => void): void => {
    const { id } = run.session
    gate.endSession(id)
    const { usage, toolCalls, agent, startedAt } = registry.get(id)
    try {
      ledger.append(kind, id, { ...body, agent, startedAt, usage, toolCalls })
    } catch {
      // The next intent will fail too, and stop every session that still runs.
    }
    forget(run)
    apply()
  }

  const forget = (run: Run): void => {
    const { id } = run.session
    approvals.endSession(id)
    pace.endSession(id)
    alarms.endSession(id)
    messages.endSession(id)
    // What changes in its folders from now on is not its own. Without that look, it counts as of both: nothing is lost.
    checkpoints.mark({ sessionId: id, state: 'over' }).catch(() => undefined)
    run.forget()
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

  const stop = async (session: LiveSession): Promise<KillProof> => {
    const proof = await endAll(session)
    if (proof.survivors.length > 0 && !isEnding(session.id)) {
      registry.apply(session.id, { type: 'kill-started' })
      staysAlive(session.id, proof.survivors)
    }
    return proof
  }

  const finish = async (run: Run, container: Container): Promise<void> => {
    const { session } = run
    const { id } = session
    const exit = await container.exited.catch(() => ({ code: null, signal: null }))
    if (isEnding(id)) return
    session.revoke()
    const proof = await stop(session)
    await within(CLOSE_MS, session.close(run.urgency))
    if (isEnding(id)) return
    await within(LAST_OUTPUT_MS, run.shown)
    const note = await killedElsewhere(id)
    if (note === null) await within(CLOSE_MS, recordChanges(id))
    if (isEnding(id)) return
    if (note !== null) return endKilledElsewhere(run, note)
    const exitCode = exitCodeOf(exit)
    session.ownFigures?.end(exitCode === 0)
    end(run, 'session/ended', { exitCode, signal: exit.signal, leftBehind: proof.killed }, () => registry.apply(id, { type: 'ended', at: clock.now(), exitCode }))
  }

  /** The ledger is ours alone to write: what was done without us is recorded now. */
  const endKilledElsewhere = (run: Run, { outcome, entries }: KilledElsewhere): void => {
    const { id } = run.session
    const reason = 'killed by the user, without its host'
    registry.apply(id, { type: 'kill-started' })
    try {
      for (const { kind, body } of entries) ledger.append(kind, id, body)
    } catch {
      // As in `end`.
    }
    end(run, 'session/killed', { reason, ...outcome }, () => registry.apply(id, { type: 'killed', at: clock.now(), reason }))
  }

  const fail = (run: Run, error: unknown): void => {
    const { id } = run.session
    if (registry.find(id) === null) return forget(run)
    if (isEnding(id)) return
    const reason = error instanceof HoldfastError ? error.message : 'it could not be started'
    end(run, 'session/ended', { failed: reason }, () => registry.apply(id, { type: 'failed', at: clock.now(), reason }))
  }

  /** What is not known of them stops no kill, and is told. */
  const endServers = async (session: LiveSession): Promise<KillProof> => {
    const killing = session.killServers()
    if (await within(CLOSE_MS, killing)) {
      const proof = await killing.catch(() => null)
      if (proof !== null) return proof
    }
    alarms.raise(session.id, `Session ${session.id}: its MCP servers could not be shown to have ended.`)
    return NOTHING_RAN
  }

  /** DESIGN, "Kill". Nothing here may stop the rest: what fails is said in the report. */
  const kill = async (run: Run, keepChanges: boolean): Promise<KillReport> => {
    const startedAt = performance.now()
    const { session } = run
    const { id: sessionId } = session
    if (registry.find(sessionId) !== null) registry.apply(sessionId, { type: 'kill-started' })
    if (session.container !== null) await session.container.freeze().catch(() => undefined)
    session.revoke()
    if (session.launching) await session.launched.catch(() => undefined)
    const [agent, servers] = await Promise.all([endAll(session), endServers(session)])
    const proof = { killed: agent.killed + servers.killed, survivors: [...agent.survivors, ...servers.survivors] }
    const durationMs = performance.now() - startedAt
    const report = { sessionId, processesKilled: proof.killed, survivors: [...proof.survivors], durationMs, restore: null, restoreProblem: null }
    if (registry.find(sessionId) === null) {
      forget(run)
      return report
    }
    await within(CLOSE_MS, session.close('at-once'))
    if (proof.survivors.length > 0) return { ...report, restoreProblem: `Nothing was put back: ${staysAlive(sessionId, proof.survivors)}` }
    const note = await killedElsewhere(sessionId)
    if (note !== null) {
      endKilledElsewhere(run, note)
      return { ...report, restoreProblem: note.outcome.restoreProblem }
    }
    await within(CLOSE_MS, recordChanges(sessionId))
    const back = await restoreAfterKill(session, keepChanges)
    await within(LAST_OUTPUT_MS, run.shown)
    const body = { processesKilled: proof.killed, survivors: proof.survivors, durationMs, restoreProblem: back.restoreProblem }
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
    if (!isEnding(session.id)) await stop(session)
  }

  return { finish, fail, kill, hangUp, stop }
}
