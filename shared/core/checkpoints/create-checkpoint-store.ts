import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'
import type { CheckpointId, SessionId } from '../../contract/ids.ts'
import type { CheckpointReason, RestoreReport } from '../../contract/schemas/checkpoint.ts'
import type { CheckpointStore, Clock, IdSource } from '../ports.ts'
import { createProcessLock } from '../storage/process-lock.ts'
import { createActivity, foldersOf, type Change } from './activity.ts'
import { toText } from './byte-path.ts'
import { readDiff, recordChanges } from './changes.ts'
import { describeDifference, type KeptState } from './differences.ts'
import { measureUse } from './disk-use.ts'
import { bothTexts } from './file-text.ts'
import { explain } from './git.ts'
import { findAllAreas, gitHomes, isForeignGit, namesOf, shownPath, storedPath, type Areas } from './layout.ts'
import type { ObjectLists } from './object-mirror.ts'
import { createProject, projectFolder, projectKey, type Project } from './project.ts'
import { readAuthors } from './refs.ts'
import { createRecords, type CheckpointRecord, type Journal } from './records.ts'
import { nothingToUndo, restore } from './restore.ts'
import { overLimits, prune } from './retention.ts'
import { takeSnapshot, type Snapshot } from './snapshot.ts'
import { addLook, attribute, refine } from './timeline.ts'
import { createTurns, EVERYWHERE } from './turns.ts'
import { momentOf, NO_RECORD, type WriteRecord } from './unwritten.ts'
import { DEFAULT_LIMITS, type Limits } from './walk.ts'

/**
 * The checkpoint store in `folder`, made when there is none, readable by the user alone. Several processes may have it open: they
 * wait for each other.
 *
 * Every method throws HoldfastError: `not-a-directory`, `not-found`, `nothing-to-undo`, `disk-full`, `read-only`, `host-busy`, or
 * `checkpoint-failed` naming the path at fault. A failed `create` leaves nothing that counts as a checkpoint; a failed or
 * interrupted `revert` or `undo` is finished by calling it again.
 */
export const createCheckpointStore = (deps: {
  folder: string
  clock: Clock
  ids: Pick<IdSource, 'checkpoint'>
  limits?: Limits
  /** Whether nothing of a session ran when a file got this time of change, as far as that is known. */
  wasIdle?: (sessionId: SessionId, changedAt: number) => boolean
  /** Of all that sessions are held by. */
  writes?: WriteRecord
}): CheckpointStore => {
  const { clock, ids, limits = DEFAULT_LIMITS, wasIdle = () => false, writes = NO_RECORD } = deps
  const records = createRecords(deps.folder)
  const activity = createActivity(deps.folder)
  const projects = new Map<string, Project>()
  const inTurns = createTurns(createProcessLock(join(deps.folder, 'lock')), () => {
    projects.clear()
    activity.reload()
  })

  const inTurn = async <Result>(folders: readonly string[], doing: string, work: () => Promise<Result>): Promise<Result> => {
    try {
      records.ready()
      return await inTurns(folders, work)
    } catch (error) {
      throw explain(error, doing)
    }
  }

  /** A turn of everything that the session's checkpoints are of. */
  const inTurnOf = async <Result>(sessionId: SessionId, doing: string, work: () => Promise<Result>): Promise<Result> =>
    inTurn([...new Set(records.list(sessionId).flatMap(({ areas }) => foldersOf(areas)))], doing, work)

  /** A turn of the folders around `root`: what was a repository when it was asked for may be none when it comes. */
  const inTurnAt = async <Result>(find: () => Areas, doing: string, work: (areas: Areas) => Promise<Result>): Promise<Result> => {
    for (;;) {
      const folders = foldersOf(find())
      const outcome = await inTurn(folders, doing, async () => {
        const areas = find()
        return foldersOf(areas).join('\0') === folders.join('\0') ? { result: await work(areas) } : null
      })
      if (outcome !== null) return outcome.result
    }
  }

  const projectOf = async (areas: Areas): Promise<Project> => {
    const key = projectKey(areas)
    const project = projects.get(key) ?? createProject(projectFolder(deps.folder, key))
    await project.ready()
    projects.set(key, project)
    return project
  }

  /** Looks at a tree, and writes down who could have changed it since the look before. */
  const look = async (areas: Areas, wanted: string | null, change: Change | null = null, restored?: readonly string[]): Promise<Snapshot & { areas: Areas; moment: number }> => {
    const project = await projectOf(areas)
    const ownFolder = realpathSync.native(deps.folder, 'buffer').toString('latin1')
    const begun = await momentOf(writes)
    const snapshot = await takeSnapshot({ project, areas, limits, ownFolder, wanted })
    const open = await refine({ project, open: activity.openInterval(projectKey(areas)), touched: snapshot.touched, wasIdle, writes })
    const moment = addLook(project, { ...snapshot, areas }, { ...open, ...(restored === undefined ? {} : { restored: [...restored] }) })
    project.lastCut = begun
    activity.startInterval(projectKey(areas), areas, change)
    return { ...snapshot, areas, moment }
  }

  const keep = async (sessionId: SessionId, areas: Areas, reason: CheckpointReason, wanted: string | null, own: OfOne = {}): Promise<CheckpointRecord> => {
    // A session can write from its first checkpoint on, until someone says otherwise, and from one before a call on.
    const begins = reason === 'before-destructive' || records.list(sessionId).length === 0 ? { sessionId, active: true, reach: namesOf(own.reach ?? null) } : null
    const { tree, extras, objects, moment, leftOut, fileCount } = await look(areas, wanted, begins)
    const project = await projectOf(areas)
    const hasGit = gitHomes(areas, Object.keys(project.manifest<ObjectLists>(objects))) !== null
    const foreign = !hasGit && isForeignGit(areas) ? [{ path: '.git', reason: 'the git folder it names does not name this folder back' }] : []
    const record: CheckpointRecord = {
      shown: {
        id: ids.checkpoint(),
        sessionId,
        reason,
        root: toText(areas.work),
        extraRoots: Object.values(areas.extras ?? {}).map(toText),
        hasGit,
        takenAt: clock.now(),
        fileCount,
        leftOut: [...leftOut.map(({ path, reason: why }) => ({ path: shownPath(areas, path), reason: why })), ...foreign],
        pinned: false,
      },
      sequence: (records.list(sessionId).at(-1)?.sequence ?? -1) + 1,
      moment,
      areas,
      ...{ tree, extras, objects },
      leftOut: leftOut.map(({ path }) => path),
      ...(own.limits === undefined ? {} : { limits: own.limits }),
    }
    records.add(record)
    return record
  }

  /** What a restore leaves to be undone, whether it came to its end or will not. */
  const settleStack = ({ kind, sessionId, saved, to, chosen, alone, shared }: Journal): void => {
    const stack = records.undoStack(sessionId)
    const top = stack.at(-1)
    if (kind === 'revert' && top?.took !== saved) records.setUndoStack(sessionId, [...stack, { took: saved, left: to, chosen, alone, shared }])
    if (kind === 'undo' && top?.took === to) records.setUndoStack(sessionId, stack.slice(0, -1))
  }

  /** Carries out what the journal says, and closes it. The order makes each part safe to do twice. */
  const finish = async (project: Project, journal: Journal, goesOn = false): Promise<RestoreReport> => {
    const { kind, sessionId, chosen, alone, shared } = journal
    const get = (id: CheckpointId): CheckpointRecord => records.get(sessionId, id)
    const others = { alone: new Set(alone), shared: new Set(shared) }
    const { report, changed, set } = await restore(project, { from: get(journal.from), to: get(journal.to), saved: get(journal.saved), chosen, others })
    if (changed || kind === 'undo') settleStack(journal)
    records.setJournal(project.folder, null)
    // Without this look what was put back would count as changed by someone beside the session.
    if (goesOn) await look(get(journal.to).areas, null, null, set).catch(() => undefined)
    return report
  }

  /**
   * Finishes an interrupted restore of this tree; its report when it is the very one asked for again. That of another
   * session is left where it stopped, since much may have changed after it: it can be asked for again, and undone.
   */
  const finishInterrupted = async (project: Project, asked: Pick<Journal, 'kind' | 'sessionId'> & { to?: CheckpointId }): Promise<RestoreReport | null> => {
    const journal = records.journal(project.folder)
    if (journal === null) return null
    if (journal.sessionId !== asked.sessionId) {
      if (journal.kind === 'revert') settleStack(journal)
      records.setJournal(project.folder, null)
      return null
    }
    const report = await finish(project, journal)
    return journal.kind === asked.kind && journal.to === (asked.to ?? journal.to) ? report : null
  }

  return {
    create: ({ sessionId, root, extraRoots = [], reason, ...own }) =>
      inTurnAt(() => findAllAreas(root, extraRoots), `keeping a checkpoint of ${root}`, async (areas) => (await keep(sessionId, areas, reason, null, own)).shown),

    list: async (sessionId) => records.list(sessionId).map((record) => record.shown),

    diff: ({ sessionId, from, to }) =>
      inTurnOf(sessionId, `comparing ${from}`, async () => {
        const before = records.get(sessionId, from)
        const project = await projectOf(before.areas)
        if (to !== null) return { from, to, ...(await describeDifference(project, before, records.get(sessionId, to), null)) }
        const now = await look(before.areas, before.tree)
        const { alone, shared } = await attribute(project, before, now)
        return { from, to, ...(await describeDifference(project, before, now, (path) => (alone.has(path) ? 'other' : shared.has(path) ? 'both' : 'session'))) }
      }),

    file: ({ sessionId, from, to, path }) =>
      inTurnOf(sessionId, `reading ${path}`, async () => {
        const first = records.get(sessionId, from)
        return bothTexts(await projectOf(first.areas), first, to === null ? null : records.get(sessionId, to), path)
      }),

    revert: ({ sessionId, target, paths, goesOn }) =>
      inTurnOf(sessionId, `restoring ${target}`, async () => {
        const to = records.get(sessionId, target)
        const project = await projectOf(to.areas)
        const finished = await finishInterrupted(project, { kind: 'revert', sessionId, to: target })
        if (finished !== null) return finished
        const chosen = paths?.map((path) => storedPath(to.areas, path)) ?? null
        const saved = await keep(sessionId, to.areas, 'before-revert', to.tree)
        const { alone, shared } = chosen === null ? await attribute(project, to, saved) : { alone: [], shared: [] }
        const journal: Journal = { kind: 'revert', sessionId, from: saved.shown.id, to: target, saved: saved.shown.id, chosen, alone: [...alone], shared: [...shared] }
        records.setJournal(project.folder, journal)
        return finish(project, journal, goesOn)
      }),

    undo: ({ sessionId, goesOn }) =>
      inTurnOf(sessionId, `undoing the last revert of ${sessionId}`, async () => {
        const newest = records.list(sessionId).at(-1)
        if (newest === undefined) throw nothingToUndo(sessionId)
        const project = await projectOf(newest.areas)
        const finished = await finishInterrupted(project, { kind: 'undo', sessionId })
        if (finished !== null) return finished
        const step = records.undoStack(sessionId).at(-1)
        if (step === undefined) throw nothingToUndo(sessionId)
        const to = records.get(sessionId, step.took)
        const saved = await keep(sessionId, to.areas, 'before-undo', to.tree)
        const { left: from, chosen, alone, shared } = step
        const journal: Journal = { kind: 'undo', sessionId, from, to: step.took, saved: saved.shown.id, chosen, alone: [...alone, ...shared], shared: [] }
        records.setJournal(project.folder, journal)
        return finish(project, journal, goesOn)
      }),

    mark: ({ sessionId, state, reach = null }) =>
      inTurnOf(sessionId, `looking at the folder of ${sessionId}`, async () => {
        const known = records.list(sessionId).at(-1)
        if (known === undefined) return null
        const active = state === 'active'
        const change: Change = { sessionId, active, reach: namesOf(reach) }
        let seen: KeptState | null = null
        if (activity.isActive(sessionId) !== active) {
          seen = await look(known.areas, null, change).catch((error: unknown) => {
            if (!active && state !== 'over') throw error
            activity.startUnseen(known.areas, change)
            return null
          })
        } else if (active) activity.setReach(change)
        if (state === 'over') activity.forget(sessionId)
        return seen
      }),

    look: ({ sessionId }) =>
      inTurnOf(sessionId, `looking at the folder of ${sessionId}`, async () => {
        const known = records.list(sessionId).at(-1)
        return known === undefined ? null : look(known.areas, null)
      }),

    // Trees do not change, so this waits for nothing and holds nothing up.
    changes: async ({ sessionId, from, to }) => {
      // Only this store makes a FolderState.
      const before: KeptState = typeof from === 'string' ? records.get(sessionId, from) : (from as KeptState)
      const after = to as KeptState
      if (before.tree === after.tree && before.extras === after.extras) return null
      try {
        return await recordChanges(await projectOf(after.areas), before, after)
      } catch (error) {
        throw explain(error, `recording what ${sessionId} changed`)
      }
    },

    recordedDiff: ({ sessionId, sha256 }) =>
      inTurnOf(sessionId, 'reading a recorded diff', async () => {
        const areas = records.list(sessionId).at(-1)?.areas
        const text = areas === undefined ? null : readDiff(await projectOf(areas), sha256)
        if (text === null) throw new HoldfastError('not-found', `Session ${sessionId} has no recorded diff ${sha256}: it is kept as long as the session's checkpoints are.`)
        return text
      }),

    authorsAtStart: (sessionId) =>
      inTurnOf(sessionId, `reading the history that ${sessionId} began with`, async () => {
        const [first] = records.list(sessionId)
        return first === undefined ? new Set() : readAuthors(await projectOf(first.areas), first)
      }),

    pin: ({ sessionId, id, pinned }) =>
      inTurnOf(sessionId, `pinning ${id}`, async () => {
        const record = records.get(sessionId, id)
        const shown = { ...record.shown, pinned }
        records.add({ ...record, shown })
        return shown
      }),

    usage: () => inTurn(EVERYWHERE, 'measuring disk use', async () => measureUse(deps.folder, records.all())),

    prune: async ({ limits: most, isLive }) => {
      await inTurn(EVERYWHERE, 'forgetting sessions that are over', async () => activity.forgetAllBut(isLive))
      if (most === null) return []
      const retention = { limits: most, isLive, now: clock.now() }
      const removed: CheckpointId[] = []
      for (const some of overLimits(deps.folder, records.all(), retention)) {
        const folders = [...new Set(some.flatMap(({ areas }) => foldersOf(areas)))]
        const areas = some.at(-1)?.areas as Areas
        removed.push(...(await inTurn(folders, 'clearing old checkpoints', async () => prune({ ...retention, records, project: await projectOf(areas) }))))
      }
      return removed
    },
  }
}

/** What one asks for with a checkpoint, of its own. */
type OfOne = Pick<Parameters<CheckpointStore['create']>[0], 'limits' | 'reach'>
