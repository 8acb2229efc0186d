import type { CheckpointId, SessionId, ToolCallId } from '../../contract/ids.ts'
import { visibleText } from '../../domain/visible-text.ts'
import type { AgentProfile } from '../policy/agent-profile.ts'
import type { CheckpointStore, FolderState, Ledger, NewCommit } from '../ports.ts'

/** Tool calls that one entry names. */
const MAX_CALLS = 100
/** Commits that one entry lists. */
const MAX_COMMITS = 100

/** Tells the ledger what changed in a session's folders. Never rejects: what could not be found out is in no entry. */
export interface SessionChanges {
  /** From one state to another, while these calls ran. */
  record(sessionId: SessionId, toolCallIds: readonly ToolCallId[], from: FolderState | CheckpointId, to: FolderState): Promise<void>
  /** From its first checkpoint to now, after everything under way with it. */
  recordAll(sessionId: SessionId): Promise<void>
}

export interface SessionChangesDeps {
  readonly checkpoints: CheckpointStore
  readonly ledger: Ledger
  /** What the ledger keeps of what its calls are given; null when the session runs no more. */
  readonly recordOf: (sessionId: SessionId) => AgentProfile['record'] | null
  /** What the session had signed; null where its commits are not. */
  readonly signedBy: (sessionId: SessionId) => ReadonlySet<string> | null
  /** Tells a person. */
  readonly raiseAlarm: (sessionId: SessionId, message: string) => void
  /** Tells the host's own log. */
  readonly log: (line: string) => void
}

export const createSessionChanges = ({ checkpoints, ledger, recordOf, signedBy, raiseAlarm, log }: SessionChangesDeps): SessionChanges => {
  const toldOf = new Map<SessionId, Set<string>>()
  const underWay = new Map<SessionId, Promise<unknown>>()

  const tell = async (sessionId: SessionId, toolCallIds: readonly ToolCallId[], from: FolderState | CheckpointId, to: FolderState): Promise<void> => {
    const changes = await checkpoints.changes({ sessionId, from, to })
    if (changes === null) return
    const { counts, files, omitted, diff, refs, refsOmitted, commits } = changes
    const named = toolCallIds.slice(0, MAX_CALLS)
    const isWhole = recordOf(sessionId)?.inputs === 'full'
    if (files.length + omitted > 0) {
      const listed = isWhole ? { files, omitted, diff } : { files: [], omitted: files.length + omitted, diff: null }
      ledger.append('file/changed', sessionId, { toolCallIds: named, counts, ...listed })
    }
    if (refs.length > 0) ledger.append('git/moved', sessionId, { toolCallIds: named, refs, omitted: refsOmitted })
    tellUnsigned(sessionId, named, commits)
  }

  /** What the agent makes with signing switched off would else look like anyone's. */
  const tellUnsigned = (sessionId: SessionId, toolCallIds: readonly ToolCallId[], commits: readonly NewCommit[]): void => {
    const signed = signedBy(sessionId)
    const told = toldOf.get(sessionId) ?? new Set()
    const unsigned = signed === null ? [] : commits.filter(({ oid, payloadSha256 }) => !signed.has(payloadSha256) && !told.has(oid))
    const [first] = unsigned
    if (first === undefined) return
    toldOf.set(sessionId, told)
    for (const { oid } of unsigned) told.add(oid)
    const listed = unsigned.slice(0, MAX_COMMITS).map(({ oid, author, committer }) => ({ oid, author, committer }))
    ledger.append('commit/unsigned', sessionId, { toolCallIds: [...toolCallIds], commits: listed, omitted: unsigned.length - listed.length })
    raiseAlarm(sessionId, `${unsigned.length === 1 ? 'A commit' : `${unsigned.length} commits`} came in that the agent of session ${sessionId} did not sign: ${first.oid.slice(0, 12)} by ${visibleText(first.author).slice(0, 200)}. If it is not yours, the agent made it under another name or with signing switched off.`)
  }

  const inTurn = (sessionId: SessionId, work: () => Promise<void>): Promise<void> => {
    const turn = (underWay.get(sessionId) ?? Promise.resolve())
      .then(work)
      .catch((error: unknown) => log(`what session ${sessionId} changed could not be recorded: ${error instanceof Error ? error.message : String(error)}`))
    underWay.set(sessionId, turn)
    return turn
  }

  return {
    record: (sessionId, toolCallIds, from, to) => inTurn(sessionId, () => tell(sessionId, toolCallIds, from, to)),
    recordAll: (sessionId) =>
      inTurn(sessionId, async () => {
        const [start] = await checkpoints.list(sessionId)
        const now = start === undefined ? null : await checkpoints.look({ sessionId })
        if (start !== undefined && now !== null) await tell(sessionId, [], start.id, now)
        underWay.delete(sessionId)
        toldOf.delete(sessionId)
      }),
  }
}
