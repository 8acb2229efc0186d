import { createHash } from 'node:crypto'
import type { CheckpointId, SessionId } from '../../contract/ids.ts'
import type { RestoreReport } from '../../contract/schemas/checkpoint.ts'
import type { LedgerKind } from '../../contract/schemas/ledger.ts'
import type { KillReport } from '../../contract/schemas/session.ts'
import { pathText, restoreCounts } from '../../domain/restore-report.ts'
import type { CheckpointStore } from '../ports.ts'

/** What the ledger keeps of a revert or an undo: counts, and the hash of the paths, however many they are. */
export const restoreEntry = (report: RestoreReport): Record<string, unknown> => ({
  restoredTo: report.restoredTo,
  savedAs: report.savedAs,
  ...restoreCounts(report),
  pathsSha256: createHash('sha256').update(pathText(report)).digest('hex'),
})

const inWords = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export interface PutBackParams {
  readonly checkpoints: CheckpointStore
  /** Keeps the entry; may throw, which undoes nothing. */
  readonly record: (kind: LedgerKind, body: Record<string, unknown>) => void
  readonly sessionId: SessionId
  readonly root: string | null
  readonly target: CheckpointId
}

/**
 * After a kill that is proven: keeps the folder "as killed", then brings it back to `target`. Never rejects: what went
 * wrong is in the words, and nothing that failed on the way stops the revert, which keeps the present state itself.
 */
export const putBack = async ({ checkpoints, record, sessionId, root, target }: PutBackParams): Promise<Pick<KillReport, 'restore' | 'restoreProblem'>> => {
  try {
    if (root !== null) {
      const killed = await checkpoints.create({ sessionId, root, reason: 'killed' })
      record('checkpoint/created', { checkpointId: killed.id, reason: 'killed', files: killed.fileCount, leftOut: killed.leftOut.length })
    }
  } catch {
    // The revert keeps the state as it is now, or does not happen.
  }
  let restore: RestoreReport
  try {
    restore = await checkpoints.revert({ sessionId, target })
    await checkpoints.mark({ sessionId, state: 'over' }).catch(() => undefined)
  } catch (error) {
    return { restore: null, restoreProblem: `The folder could not be put back: ${inWords(error)}` }
  }
  try {
    record('checkpoint/restored', restoreEntry(restore))
  } catch (error) {
    return { restore, restoreProblem: `The folder was put back, but the audit log could not record it: ${inWords(error)}` }
  }
  return { restore, restoreProblem: null }
}
