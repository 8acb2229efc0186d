import { z } from 'zod'
import { CheckpointId, SessionId } from '../ids.ts'
import { Timestamp } from './time.ts'

export const CheckpointReason = z.enum(['start', 'killed', 'before-revert', 'before-undo', 'on-demand'])
export type CheckpointReason = z.infer<typeof CheckpointReason>

/** A path that a checkpoint does not hold, and why. */
export const LeftOut = z.object({ path: z.string(), reason: z.string() })
export type LeftOut = z.infer<typeof LeftOut>

export const Checkpoint = z.object({
  id: CheckpointId,
  sessionId: SessionId,
  reason: CheckpointReason,
  /** The folder it is of, absolute and resolved: the top of the working tree. */
  root: z.string(),
  hasGit: z.boolean(),
  takenAt: Timestamp,
  fileCount: z.number().int().nonnegative(),
  leftOut: z.array(LeftOut),
})
export type Checkpoint = z.infer<typeof Checkpoint>

/** What a revert or an undo did, path by path, relative to the root. */
export const RestoreReport = z.object({
  restoredTo: CheckpointId,
  savedAs: CheckpointId,
  written: z.array(z.string()),
  deleted: z.array(z.string()),
  /** Kept as they are, because someone else changed them meanwhile; the wanted version lies beside, under `recoveredAs`. */
  conflicts: z.array(z.object({ path: z.string(), recoveredAs: z.string() })),
  refsMoved: z.array(z.string()),
  /** How many of each an answer left out, because all would not fit in a frame. */
  more: z
    .object({
      written: z.number().int().nonnegative(),
      deleted: z.number().int().nonnegative(),
      conflicts: z.number().int().nonnegative(),
      refsMoved: z.number().int().nonnegative(),
    })
    .optional(),
})
export type RestoreReport = z.infer<typeof RestoreReport>
