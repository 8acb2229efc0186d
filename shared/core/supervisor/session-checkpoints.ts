import { HoldfastError } from '../../contract/errors.ts'
import type { CheckpointId, SessionId } from '../../contract/ids.ts'
import type { Checkpoint, CheckpointDiff, CheckpointReason, Irreversible, RestoreReport } from '../../contract/schemas/checkpoint.ts'
import type { LedgerEntry } from '../../contract/schemas/ledger.ts'
import { irreversibleCalls } from '../../domain/irreversible.ts'
import type { CheckpointStore, Ledger } from '../ports.ts'
import { restoreEntry } from './put-back.ts'

/** Ledger entries of one session that are looked through for what cannot be taken back, and how many of those are shown. */
const MAX_ENTRIES = 100_000
const MAX_IRREVERSIBLE = 1_000

/** The checkpoints of a session, with the ledger told of each. */
export interface SessionCheckpoints {
  /** Keeps the folders that the session's first checkpoint is of; `reach` as for `mark`. Throws HoldfastError `not-found` when it has none. */
  create(sessionId: SessionId, reason: CheckpointReason, reach?: readonly string[] | null): Promise<Checkpoint>
  /** False for a session that was started without. */
  has(sessionId: SessionId): Promise<boolean>
  diff(sessionId: SessionId, from: CheckpointId, to: CheckpointId | null): Promise<{ diff: CheckpointDiff; irreversible: Irreversible[] }>
  restore(sessionId: SessionId, target: CheckpointId, paths: readonly string[] | undefined): Promise<RestoreReport>
}

export const createSessionCheckpoints = ({ checkpoints, ledger }: { checkpoints: CheckpointStore; ledger: Ledger }): SessionCheckpoints => ({
  create: async (sessionId, reason, reach = null) => {
    const [first] = await checkpoints.list(sessionId)
    if (first === undefined) throw new HoldfastError('not-found', `Session ${sessionId} has no checkpoint to go by. "sessions" lists those there are.`)
    const made = await checkpoints.create({ sessionId, root: first.root, extraRoots: first.extraRoots, reason, reach })
    ledger.append('checkpoint/created', sessionId, { checkpointId: made.id, reason, files: made.fileCount, leftOut: made.leftOut.length })
    return made
  },

  has: async (sessionId) => (await checkpoints.list(sessionId)).length > 0,

  diff: async (sessionId, from, to) => {
    const diff = await checkpoints.diff({ sessionId, from, to })
    if (to !== null) return { diff, irreversible: [] }
    const takenAt = (await checkpoints.list(sessionId)).find(({ id }) => id === from)?.takenAt ?? 0
    const entries: LedgerEntry[] = []
    for (let after: number | null = 0; after !== null && entries.length < MAX_ENTRIES; ) {
      const page = ledger.read({ after, limit: MAX_ENTRIES, sessionId, since: takenAt, kinds: ['tool-call/intent'] })
      entries.push(...page.entries)
      after = page.next
    }
    return { diff, irreversible: irreversibleCalls(entries).slice(-MAX_IRREVERSIBLE) }
  },

  restore: async (sessionId, target, paths) => {
    const report = await checkpoints.revert({ sessionId, target, goesOn: true, ...(paths === undefined ? {} : { paths }) })
    ledger.append('checkpoint/restored', sessionId, restoreEntry(report))
    return report
  },
})
