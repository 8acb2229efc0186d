import { createHash } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'
import type { CheckpointId, SessionId } from '../../contract/ids.ts'
import type { CheckpointReason, RestoreReport } from '../../contract/schemas/checkpoint.ts'
import type { CheckpointStore, Clock, IdSource } from '../ports.ts'
import { toText } from './byte-path.ts'
import { explain } from './git.ts'
import { findAreas, gitHomes, shownPath, type Areas } from './layout.ts'
import type { ObjectLists } from './object-mirror.ts'
import { createProject, type Project } from './project.ts'
import { createRecords, type CheckpointRecord, type Journal } from './records.ts'
import { restore } from './restore.ts'
import { takeSnapshot } from './snapshot.ts'
import { DEFAULT_LIMITS, type Limits } from './walk.ts'

/**
 * The checkpoint store in `folder`, made when there is none, readable by the user alone. One process at a time.
 *
 * Every method throws HoldfastError: `not-a-directory`, `not-found`, `nothing-to-undo`, `disk-full`, `read-only`, or
 * `checkpoint-failed` naming the path at fault. A failed `create` leaves nothing that counts as a checkpoint; a failed or
 * interrupted `revert` or `undo` is finished by calling it again.
 */
export const createCheckpointStore = (deps: {
  folder: string
  clock: Clock
  ids: Pick<IdSource, 'checkpoint'>
  limits?: Limits
}): CheckpointStore => {
  const { clock, ids, limits = DEFAULT_LIMITS } = deps
  const records = createRecords(deps.folder)
  const projects = new Map<string, Project>()
  let last: Promise<unknown> = Promise.resolve()

  /** One thing at a time: two looks at a tree would share an index. */
  const inTurn = <Result>(doing: string, work: () => Promise<Result>): Promise<Result> => {
    const turn = last.then(async () => {
      try {
        records.ready()
        return await work()
      } catch (error) {
        throw explain(error, doing)
      }
    })
    last = turn.catch(() => undefined)
    return turn
  }

  const projectOf = async (areas: Areas): Promise<Project> => {
    const key = createHash('sha256').update(areas.work, 'latin1').digest('hex').slice(0, 32)
    const project = projects.get(key) ?? createProject(join(deps.folder, 'projects', key))
    await project.ready()
    projects.set(key, project)
    return project
  }

  const keep = async (sessionId: SessionId, areas: Areas, reason: CheckpointReason, wanted: string | null): Promise<CheckpointRecord> => {
    const project = await projectOf(areas)
    const ownFolder = realpathSync.native(deps.folder, 'buffer').toString('latin1')
    const { tree, extras, objects, leftOut, fileCount } = await takeSnapshot({ project, areas, limits, ownFolder, wanted })
    const record: CheckpointRecord = {
      shown: {
        id: ids.checkpoint(),
        sessionId,
        reason,
        root: toText(areas.work),
        hasGit: gitHomes(areas, Object.keys(project.manifest<ObjectLists>(objects))) !== null,
        takenAt: clock.now(),
        fileCount,
        leftOut: leftOut.map(({ path, reason: why }) => ({ path: shownPath(areas, path), reason: why })),
      },
      sequence: records.list(sessionId).length,
      areas,
      tree,
      extras,
      objects,
      leftOut: leftOut.map(({ path }) => path),
    }
    records.add(record)
    return record
  }

  /** Carries out what the journal says, and closes it. The order makes each part safe to do twice. */
  const finish = async (project: Project, journal: Journal): Promise<RestoreReport> => {
    const get = (id: CheckpointId): CheckpointRecord => records.get(journal.sessionId, id)
    const { report, changed } = await restore(project, get(journal.from), get(journal.to), get(journal.saved))
    const stack = records.undoStack(journal.sessionId)
    const top = stack.at(-1)
    if (journal.kind === 'revert' && changed && top?.took !== journal.saved) {
      records.setUndoStack(journal.sessionId, [...stack, { took: journal.saved, left: journal.to }])
    }
    if (journal.kind === 'undo' && top?.took === journal.to) records.setUndoStack(journal.sessionId, stack.slice(0, -1))
    records.setJournal(project.folder, null)
    return report
  }

  /** Finishes an interrupted restore of this tree; its report when it is the very one asked for again. */
  const finishInterrupted = async (project: Project, asked: Pick<Journal, 'kind' | 'sessionId'> & { to?: CheckpointId }): Promise<RestoreReport | null> => {
    const journal = records.journal(project.folder)
    if (journal === null) return null
    const report = await finish(project, journal)
    return journal.kind === asked.kind && journal.sessionId === asked.sessionId && journal.to === (asked.to ?? journal.to) ? report : null
  }

  /** The state that the session's tree was last known in: what a revert left, unless the session was seen at work since. */
  const lastKnown = (sessionId: SessionId, saved: CheckpointRecord): CheckpointId => {
    const step = records.undoStack(sessionId).at(-1)
    if (step === undefined) return saved.shown.id
    const since = records.list(sessionId).slice(records.get(sessionId, step.took).sequence + 1)
    const atWork = since.some(({ shown }) => shown.reason !== 'before-revert' && shown.reason !== 'before-undo')
    return atWork ? saved.shown.id : step.left
  }

  return {
    create: ({ sessionId, root, reason }) =>
      inTurn(`keeping a checkpoint of ${root}`, async () => (await keep(sessionId, findAreas(root), reason, null)).shown),

    list: (sessionId) => inTurn('listing checkpoints', async () => records.list(sessionId).map((record) => record.shown)),

    revert: ({ sessionId, target }) =>
      inTurn(`restoring ${target}`, async () => {
        const to = records.get(sessionId, target)
        const project = await projectOf(to.areas)
        const finished = await finishInterrupted(project, { kind: 'revert', sessionId, to: target })
        if (finished !== null) return finished
        const saved = await keep(sessionId, to.areas, 'before-revert', to.tree)
        const journal: Journal = { kind: 'revert', sessionId, from: lastKnown(sessionId, saved), to: target, saved: saved.shown.id }
        records.setJournal(project.folder, journal)
        return finish(project, journal)
      }),

    undo: ({ sessionId }) =>
      inTurn(`undoing the last revert of ${sessionId}`, async () => {
        const newest = records.list(sessionId).at(-1)
        if (newest === undefined) throw nothingToUndo(sessionId)
        const project = await projectOf(newest.areas)
        const finished = await finishInterrupted(project, { kind: 'undo', sessionId })
        if (finished !== null) return finished
        const step = records.undoStack(sessionId).at(-1)
        if (step === undefined) throw nothingToUndo(sessionId)
        const to = records.get(sessionId, step.took)
        const saved = await keep(sessionId, to.areas, 'before-undo', to.tree)
        const journal: Journal = { kind: 'undo', sessionId, from: step.left, to: step.took, saved: saved.shown.id }
        records.setJournal(project.folder, journal)
        return finish(project, journal)
      }),
  }
}

const nothingToUndo = (sessionId: SessionId): HoldfastError =>
  new HoldfastError('nothing-to-undo', `Session ${sessionId} has nothing to undo.`)
