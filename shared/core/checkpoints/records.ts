import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { HoldfastError } from '../../contract/errors.ts'
import { CheckpointId, SessionId } from '../../contract/ids.ts'
import { Checkpoint } from '../../contract/schemas/checkpoint.ts'
import { readIfThere, writeWhole } from '../whole-file.ts'

const bytePath = z.string().max(65_536)

/** A checkpoint as it is kept: what the contract shows, and where its parts are. */
const CheckpointRecord = z.object({
  shown: Checkpoint,
  /** Position in the session's history; grows. */
  sequence: z.number().int().nonnegative(),
  /** Position among the looks at the tree. */
  moment: z.number().int().nonnegative(),
  areas: z.object({ work: bytePath, git: bytePath.optional(), common: bytePath.optional(), extras: z.record(z.string(), bytePath).optional() }),
  tree: z.string().regex(/^[0-9a-f]{40}$/),
  /** Names of the manifests that say what the tree cannot. */
  extras: z.string(),
  objects: z.string(),
  /** Stored paths that are not in the tree. */
  leftOut: z.array(bytePath),
  /** Those of the project from then on. */
  limits: z.object({ maxAgeMs: z.number().positive(), maxBytes: z.number().positive() }).optional(),
})
export type CheckpointRecord = z.infer<typeof CheckpointRecord>

/** What of the tree a restore is about, as stored paths. */
const Scope = {
  /** Null for all of it. */
  chosen: z.array(bytePath).nullable(),
  /** Not touched. */
  alone: z.array(bytePath),
  /** Kept as they are, with the wanted version beside. */
  shared: z.array(bytePath),
}

const UndoStep = z.object({
  /** What the revert took away, and what it left in its place. */
  took: CheckpointId,
  left: CheckpointId,
  ...Scope,
})
export type UndoStep = z.infer<typeof UndoStep>

/** A restore under way. While it is on disk, the tree may be anywhere between `from` and `to`. */
const Journal = z.object({
  kind: z.enum(['revert', 'undo']),
  sessionId: SessionId,
  from: CheckpointId,
  to: CheckpointId,
  saved: CheckpointId,
  ...Scope,
})
export type Journal = z.infer<typeof Journal>

/** The small files beside the object store: records, undo stacks, journals. Each is written whole or not at all. */
export const createRecords = (folder: string) => {
  const sessionFolder = (sessionId: SessionId) => join(folder, 'sessions', sessionId)
  const recordFile = (sessionId: SessionId, id: CheckpointId) => join(sessionFolder(sessionId), `${id}.json`)
  const undoFile = (sessionId: SessionId) => join(sessionFolder(sessionId), 'undo.json')

  const list = (sessionId: SessionId): CheckpointRecord[] => {
    if (!existsSync(sessionFolder(sessionId))) return []
    return readdirSync(sessionFolder(sessionId))
      .filter((name) => /^chk_\w+\.json$/.test(name))
      .map((name) => parse(CheckpointRecord, join(sessionFolder(sessionId), name)))
      .sort((a, b) => a.sequence - b.sequence)
  }

  return {
    ready(): void {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
    },

    list,

    /** Those of every session, each session's oldest first. */
    all(): CheckpointRecord[] {
      if (!existsSync(join(folder, 'sessions'))) return []
      return readdirSync(join(folder, 'sessions')).flatMap((name) => list(SessionId.parse(name)))
    },

    remove(sessionId: SessionId, id: CheckpointId): void {
      rmSync(recordFile(sessionId, id), { force: true })
      this.setUndoStack(sessionId, this.undoStack(sessionId).filter((step) => step.took !== id && step.left !== id))
    },

    get(sessionId: SessionId, id: CheckpointId): CheckpointRecord {
      const file = recordFile(sessionId, id)
      if (!existsSync(file)) throw new HoldfastError('not-found', `Session ${sessionId} has no checkpoint ${id}. "checkpoint list" shows those it has.`)
      return parse(CheckpointRecord, file)
    },

    add(record: CheckpointRecord): void {
      writeWhole(recordFile(record.shown.sessionId, record.shown.id), JSON.stringify(record))
    },

    undoStack(sessionId: SessionId): UndoStep[] {
      return existsSync(undoFile(sessionId)) ? parse(z.array(UndoStep), undoFile(sessionId)) : []
    },

    setUndoStack(sessionId: SessionId, steps: readonly UndoStep[]): void {
      writeWhole(undoFile(sessionId), JSON.stringify(steps))
    },

    journal(projectFolder: string): Journal | null {
      const file = join(projectFolder, 'journal.json')
      return readIfThere(file) === null ? null : parse(Journal, file)
    },

    setJournal(projectFolder: string, journal: Journal | null): void {
      const file = join(projectFolder, 'journal.json')
      if (journal === null) rmSync(file, { force: true })
      else writeWhole(file, JSON.stringify(journal))
    },
  }
}
export type Records = ReturnType<typeof createRecords>

const parse = <Schema extends z.ZodType>(schema: Schema, file: string): z.infer<Schema> => {
  try {
    return schema.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    throw new HoldfastError('checkpoint-failed', `${file} cannot be read as Holdfast wrote it. Nothing was changed; restore that file from a backup.`, { cause: error })
  }
}
