import type { CheckpointId, SessionId, ToolCallId } from '../../contract/ids.ts'
import type { Checkpoint } from '../../contract/schemas/checkpoint.ts'
import type { ToolCall } from '../../contract/schemas/tool-call.ts'
import { fileOfCall, worksByProcesses } from '../../domain/call-reach.ts'
import type { CheckpointStore, FolderState } from '../ports.ts'
import type { IdleTimes } from './idle-times.ts'
import type { SessionChanges } from './session-changes.ts'
import type { SessionCheckpoints } from './session-checkpoints.ts'

/** Says to the checkpoints when a session can write, keeps a checkpoint before each destructive call, and has what calls changed recorded. */
export interface SessionActivity {
  /** To be awaited before a call runs; null when there is nothing to wait for. When it rejects, the call must not run. */
  before(call: ToolCall): Promise<void> | null
  after(call: Pick<ToolCall, 'id' | 'sessionId'>): void
  /** Once nothing of the session runs any more: has recorded what the whole of it changed. Never rejects. */
  recordAll(sessionId: SessionId): Promise<void>
  /** Keeps the session's folders as they are now; null for a session that was started without checkpoints. */
  keep(sessionId: SessionId): Promise<Checkpoint | null>
  endSession(sessionId: SessionId): void
}

export interface SessionActivityDeps {
  readonly checkpoints: CheckpointStore
  readonly sessionCheckpoints: SessionCheckpoints
  readonly changes: SessionChanges
  /** Runs the work with everything in the session's container frozen. */
  readonly whileStill: (sessionId: SessionId, work: () => Promise<void>) => Promise<void>
  /** Ids of the processes in the session's container. */
  readonly processesOf: (sessionId: SessionId) => Promise<readonly number[]>
  readonly idle: Pick<IdleTimes, 'watch' | 'cut' | 'stop'>
  /** What tells whether a process of the session ran, its own ones left aside. */
  readonly runCountsOf: (sessionId: SessionId, own: ReadonlySet<number>) => Promise<string | null>
}

interface Active {
  readonly running: Map<ToolCallId, ToolCall['tool']>
  /** The only files that the calls since the last quiet time can have changed; null for any. */
  reach: string[] | null
  /** The agent's own processes: those there before its first call. */
  own: ReadonlySet<number> | null
  isQuiet: boolean
  hasCheckpoint: boolean | null
  /** The folders as they were before the calls whose changes are not recorded yet; null when that is not known. */
  before: FolderState | CheckpointId | null
  since: ToolCallId[]
  turn: Promise<unknown>
}

/**
 * A session is quiet while none of its calls runs that does more than read, and no call has left a process behind. What
 * cannot be told counts as activity: then more is restored by a revert, and nothing of the session's slips through.
 */
export const createSessionActivity = (deps: SessionActivityDeps): SessionActivity => {
  const { checkpoints, sessionCheckpoints, changes, whileStill, processesOf, idle } = deps
  const sessions = new Map<SessionId, Active>()
  const activeOf = (sessionId: SessionId): Active => {
    const known = sessions.get(sessionId) ?? { running: new Map(), reach: null, own: null, isQuiet: false, hasCheckpoint: null, before: null, since: [], turn: Promise.resolve() }
    sessions.set(sessionId, known)
    return known
  }
  const inTurn = <Result>(active: Active, work: () => Promise<Result>): Promise<Result> => {
    const turn = active.turn.then(work)
    active.turn = turn.catch(() => undefined)
    return turn
  }

  const keepStill = async (active: Active, sessionId: SessionId): Promise<Checkpoint | null> => {
    active.hasCheckpoint ??= await sessionCheckpoints.has(sessionId)
    let kept: Checkpoint | null = null
    if (active.hasCheckpoint) await whileStill(sessionId, async () => void (kept = await sessionCheckpoints.create(sessionId, 'before-destructive', active.reach)))
    return kept
  }

  /** Looks out for times in which a session that may write does nothing: what changes then is somebody else's. */
  const watchIdle = (active: Active, sessionId: SessionId, own: ReadonlySet<number>): void =>
    idle.watch(sessionId, async () => ([...active.running.values()].every(worksByProcesses) ? deps.runCountsOf(sessionId, own) : null))

  const begin = async (active: Active, { id, sessionId, tool, input, decision }: ToolCall): Promise<void> => {
    active.hasCheckpoint ??= await sessionCheckpoints.has(sessionId)
    if (!active.hasCheckpoint) return
    active.own ??= new Set(await processesOf(sessionId))
    const file = fileOfCall(tool, input)
    const isWider = active.reach !== null
    active.reach = file === null || active.reach === null ? null : [...active.reach, file]
    watchIdle(active, sessionId, active.own)
    if (decision?.classification.class !== 'write') {
      const kept = await keepStill(active, sessionId)
      if (active.since.length === 0) active.before = kept?.id ?? active.before
    }
    if (active.isQuiet || isWider) active.before = (await checkpoints.mark({ sessionId, state: 'active', reach: active.reach })) ?? active.before
    // Only for the record: a call waits for no look that fails.
    active.before ??= await checkpoints.look({ sessionId }).catch(() => null)
    active.isQuiet = false
    active.since.push(id)
  }

  const settle = async (active: Active, sessionId: SessionId): Promise<void> => {
    if (active.hasCheckpoint !== true || active.isQuiet || active.running.size > 0 || !sessions.has(sessionId)) return
    const now = await processesOf(sessionId)
    const isQuiet = active.own !== null && now.every((pid) => active.own?.has(pid) === true)
    if (!isQuiet && active.reach !== null) {
      active.reach = null
      await checkpoints.mark({ sessionId, state: 'active', reach: null })
    }
    const seen = isQuiet ? await checkpoints.mark({ sessionId, state: 'quiet' }) : await checkpoints.look({ sessionId })
    active.isQuiet = isQuiet
    if (isQuiet) {
      active.reach = []
      idle.stop(sessionId)
    }
    if (active.before !== null && seen !== null) void changes.record(sessionId, active.since, active.before, seen)
    active.before = seen
    active.since = []
  }

  return {
    before: (call) => {
      if (call.decision?.classification.class === 'read') return null
      const active = activeOf(call.sessionId)
      active.running.set(call.id, call.tool)
      idle.cut(call.sessionId)
      return inTurn(active, () => begin(active, call)).catch((error: unknown) => {
        active.running.delete(call.id)
        throw error
      })
    },
    after: ({ id, sessionId }) => {
      const active = sessions.get(sessionId)
      if (active?.running.delete(id) !== true) return
      idle.cut(sessionId)
      inTurn(active, () => settle(active, sessionId)).catch(() => undefined)
    },
    recordAll: async (sessionId) => {
      await sessions.get(sessionId)?.turn
      await changes.recordAll(sessionId)
    },
    keep: (sessionId) => {
      const active = activeOf(sessionId)
      return inTurn(active, () => keepStill(active, sessionId))
    },
    endSession: (sessionId) => {
      sessions.delete(sessionId)
      idle.stop(sessionId)
    },
  }
}
