import { z } from 'zod'
import { CheckpointId, SessionId } from '../ids.ts'
import { Timestamp } from './time.ts'

export const CheckpointReason = z.enum(['start', 'before-destructive', 'review', 'killed', 'before-revert', 'before-undo', 'on-demand'])
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
  /** Further folders it is of, absolute and resolved. */
  extraRoots: z.array(z.string()),
  hasGit: z.boolean(),
  takenAt: Timestamp,
  fileCount: z.number().int().nonnegative(),
  leftOut: z.array(LeftOut),
  /** Retention never removes it. */
  pinned: z.boolean(),
})
export type Checkpoint = z.infer<typeof Checkpoint>

/**
 * Who changed a path since a checkpoint: `session`, the session alone; `other`, someone else alone (the user, another
 * session); `both`, more than one of them, or one of several at a moment when either could.
 */
export const ChangedBy = z.enum(['session', 'other', 'both'])
export type ChangedBy = z.infer<typeof ChangedBy>

/** One path that differs, relative to the root, or absolute when it lies elsewhere. */
export const FileChange = z.object({
  path: z.string(),
  change: z.enum(['added', 'modified', 'deleted', 'permissions']),
  /** Null between two checkpoints, where nothing is to be restored. */
  by: ChangedBy.nullable(),
})
export type FileChange = z.infer<typeof FileChange>

/** What changed from a checkpoint to a later state. A revert to `from` restores what the session did, and nothing else. */
export const CheckpointDiff = z.object({
  from: CheckpointId,
  /** Null for the folder as it is now. */
  to: CheckpointId.nullable(),
  counts: z.object({
    added: z.number().int().nonnegative(),
    modified: z.number().int().nonnegative(),
    deleted: z.number().int().nonnegative(),
    /** Of these, what a revert leaves as it is: someone else's, and changed by several. */
    leftAlone: z.number().int().nonnegative(),
    conflicts: z.number().int().nonnegative(),
  }),
  /** The first of them, by path. */
  changes: z.array(FileChange),
  /** How many more there are than `changes` holds. */
  omitted: z.number().int().nonnegative(),
  refsMoved: z.array(z.string()),
})
export type CheckpointDiff = z.infer<typeof CheckpointDiff>

/** One side of a file: its text, or why it is not shown; null for a file that is not there. */
export const FileSide = z.union([z.object({ text: z.string() }), z.object({ hidden: z.enum(['binary', 'too long', 'a link', 'not a file']) })]).nullable()
export type FileSide = z.infer<typeof FileSide>

/** A tool call whose effect no checkpoint takes back. */
export const Irreversible = z.object({ at: Timestamp, tool: z.string(), what: z.string() })
export type Irreversible = z.infer<typeof Irreversible>

/** What a revert or an undo did, path by path, relative to the root. */
export const RestoreReport = z.object({
  restoredTo: CheckpointId,
  savedAs: CheckpointId,
  written: z.array(z.string()),
  deleted: z.array(z.string()),
  /** Kept as they are, because someone else changed them too; the wanted version lies beside, or null: then there was none. */
  conflicts: z.array(z.object({ path: z.string(), recoveredAs: z.string().nullable() })),
  /** Changed by someone else alone, and so not touched. */
  leftAlone: z.array(z.string()),
  refsMoved: z.array(z.string()),
  /** What no checkpoint keeps, and so is as the session left it: some of the paths, and how many there are. */
  notKept: z.object({ paths: z.array(z.string()), total: z.number().int().nonnegative() }).optional(),
  /** How many of each an answer left out, because all would not fit in a frame. */
  more: z
    .object({
      written: z.number().int().nonnegative(),
      deleted: z.number().int().nonnegative(),
      conflicts: z.number().int().nonnegative(),
      leftAlone: z.number().int().nonnegative(),
      refsMoved: z.number().int().nonnegative(),
    })
    .optional(),
})
export type RestoreReport = z.infer<typeof RestoreReport>

/** Disk use of the checkpoints of one folder, in bytes really taken. */
export const CheckpointUsage = z.object({
  root: z.string(),
  checkpoints: z.number().int().nonnegative(),
  bytes: z.number().int().nonnegative(),
  /** Hard links to the repository's own files: they take room only once the repository lets go of them. */
  sharedBytes: z.number().int().nonnegative(),
})
export type CheckpointUsage = z.infer<typeof CheckpointUsage>
