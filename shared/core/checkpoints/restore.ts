import { existsSync, lstatSync, renameSync } from 'node:fs'
import { posix } from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'
import type { SessionId } from '../../contract/ids.ts'
import type { RestoreReport } from '../../contract/schemas/checkpoint.ts'
import {
  decide,
  foldersAbove,
  isGitPath,
  momentOf,
  planRestore,
  recoveryPath,
  type Entry,
  type Extras,
  type FileStep,
} from '../../domain/checkpoint-plan.ts'
import { createBlobStream } from './blob-stream.ts'
import { toNative, toText } from './byte-path.ts'
import { differences, refsBetween } from './differences.ts'
import { holdFolders, type HeldFolders } from './held-folders.ts'
import { areaOf, gitHomes, realPath, shownPath } from './layout.ts'
import type { ObjectLists } from './object-mirror.ts'
import { createPlacer, removeFile, removeFolder, setPermissions } from './place.ts'
import type { Project } from './project.ts'
import type { CheckpointRecord } from './records.ts'
import { isSameIndex, readBlobs } from './refs.ts'
import { foundFile } from './walk.ts'
import { findOtherWorktrees, refValue, unpackBranches, type OtherWorktrees } from './worktrees.ts'

/** Paths of what no checkpoint keeps that a report names. */
const MAX_NOT_KEPT = 10

/** What to bring back. `saved` is the checkpoint taken just before. */
export interface RestoreTask {
  readonly from: CheckpointRecord
  readonly to: CheckpointRecord
  readonly saved: CheckpointRecord
  /** Stored paths of the chosen files and folders; null for all. */
  readonly chosen: readonly string[] | null
  /** Stored paths that someone else changed, alone or besides the session. */
  readonly others: { readonly alone: ReadonlySet<string>; readonly shared: ReadonlySet<string> }
}

/**
 * Brings the tree from the state `from` to the state `to`, path by path. A path that is in neither state now was changed
 * by someone else: it is kept, and the wanted version goes beside it; so is one that `others` say both changed. Run again
 * after an interruption it goes on to the same end. Nothing outside the areas is written to, whoever moves folders meanwhile.
 */
export const restore = async (project: Project, task: RestoreTask): Promise<Restored> => {
  const held = holdFolders()
  try {
    return await restoreBy(held, project, task)
  } catch (error) {
    throw held.inWords(error)
  } finally {
    held.close()
  }
}

const restoreBy = async (held: HeldFolders, project: Project, { from, to, saved, chosen, others: changedByOthers }: RestoreTask): Promise<Restored> => {
  const { areas } = to
  const wanted = project.manifest<Extras>(to.extras)
  const objects = { from: project.manifest<ObjectLists>(from.objects), to: project.manifest<ObjectLists>(to.objects) }
  const homes = gitHomes(areas, Object.keys({ ...objects.from, ...objects.to }))
  const others: OtherWorktrees = homes === null ? { folders: [], branches: [] } : findOtherWorktrees(areas, homes.refs)
  const theirs = new Set([...others.folders, ...others.branches.flatMap((name) => [`${homes?.refs}/${name}`, `${homes?.refs}/logs/${name}`])])
  const notKept = new Set(to.leftOut)
  const isAmong = (paths: ReadonlySet<string>, path: string): boolean => [path, ...foldersAbove(path)].some((one) => paths.has(one))
  // Objects look like ordinary files when the git folder around them was damaged: still never to be removed one by one.
  const objectFolders = new Set(Object.keys(objects.to).map((folder) => `${folder}/objects`))
  const isObject = (path: string): boolean => isAmong(objectFolders, path) && !path.endsWith('/info/alternates')
  const named = chosen === null ? null : new Set(chosen)
  const isMeant = (path: string): boolean => named === null || (!isGitPath(path) && isAmong(named, path))
  const changes = await differences(project, from.tree, to.tree)
  const inTree = new Set(changes.map(({ path }) => path))
  const plan = planRestore({
    changes,
    isChosen: (path) => isMeant(path) && !changedByOthers.alone.has(path) && (inTree.has(path) || !changedByOthers.shared.has(path)),
    from: project.manifest<Extras>(from.extras),
    to: wanted,
    stays: (step) =>
      isAmong(theirs, step.path) ||
      (step.to === null && (isAmong(notKept, step.path) || isObject(step.path))) ||
      // A lock of git's may be removed, being left by a process that was killed, but never comes back.
      (step.to !== null && isGitPath(step.path) && step.path.endsWith('.lock')),
  })
  const real = (path: string): string => realPath(areas, path)
  const top = (path: string): string => areaOf(areas, path)
  const steps = [...plan.blocking, ...plan.writes, ...plan.removals]
  const tag = saved.shown.id.slice('chk_'.length)
  const wantedPaths = new Set(plan.writes.map(({ path }) => path))
  const inTheWay = from.leftOut.filter((path) => wantedPaths.has(path) || (chosen === null && stopsGit(path) && !notKept.has(path)))
  if (inTheWay.length > 0) await requireBlobs(project, plan.writes, to)
  // git passes over names like a lock's, among refs too.
  const aside = inTheWay.flatMap((path) => moveAside(held, real(path), recoveryPath(real(path), isGitPath(path) ? `${tag}.lock` : tag)))
  const [, verdicts] = await Promise.all([
    requireBlobs(project, plan.writes, to),
    judge({ project, steps, real, held, refsHome: homes?.refs ?? null, shared: changedByOthers.shared }),
  ])
  const placer = createPlacer(held, tag)
  const conflicts = new Map<string, string | null>(
    [...plan.blocking, ...plan.removals].flatMap((step) => (verdicts.get(step.path) === 'conflict' ? [[step.path, null]] : [])),
  )

  const remove = (step: FileStep): void => {
    if (verdicts.get(step.path) === 'restore') removeFile(held, real(step.path))
  }
  plan.blocking.forEach(remove)
  plan.clearing.forEach((folder) => removeFolder(held, real(folder)))
  if (homes !== null) unpackBranches(held, real(homes.refs), others.branches)
  for (const [folder, files] of Object.entries(objects.to)) {
    if (placer.makeFolder(top(`${folder}/`), real(folder)) === real(folder)) project.mirror.giveBack(held, folder, real(folder), files)
  }

  plan.writes.forEach((step, number) => placer.sweep(real(step.path), number))
  const pending = plan.writes.map((step, number) => ({ step, number })).filter(({ step }) => verdicts.get(step.path) !== 'done')
  const receive = createBlobStream(
    (position) => {
      const { step, number } = pending[position] as (typeof pending)[number]
      const inConflict = verdicts.get(step.path) === 'conflict'
      const target = inConflict ? recoveryPath(real(step.path), tag) : real(step.path)
      return placer.receive(top(step.path), target, step.to as Entry, number, wanted.indexTimes[step.path], (at) => {
        if (at !== real(step.path)) conflicts.set(step.path, at)
      })
    },
    (position) => missingBlob(pending[position]?.step.path ?? '', to),
  )
  if (pending.length > 0) {
    const input = pending.map(({ step }) => `${step.to?.oid ?? ''}\n`).join('')
    await project.run({ args: ['cat-file', '--batch'], input, env: project.withMirror(), onOutput: receive })
  }
  plan.removals.forEach(remove)
  for (const folder of plan.folders) placer.makeFolder(top(`${folder}/`), real(folder))
  for (const folder of await vanishing(project, to.tree, objects)) {
    if (!existsSync(toNative(`${real(folder)}/HEAD`)) && existsSync(toNative(`${real(folder)}/objects`))) project.mirror.clear(held, folder, real(folder))
  }
  for (const folder of plan.emptied) if (!isObject(folder)) removeFolder(held, real(folder))
  for (const step of plan.permissions) setPermissions(held, real(step.path), step.from, step.to)

  const done = (step: FileStep): boolean => verdicts.get(step.path) !== 'conflict' && !conflicts.has(step.path)
  const shown = (list: readonly FileStep[]): string[] => list.filter((step) => done(step) && !isGitPath(step.path)).map((step) => shownPath(areas, step.path))
  const report: RestoreReport = {
    restoredTo: to.shown.id,
    savedAs: saved.shown.id,
    written: [
      ...shown(plan.writes),
      ...plan.permissions.filter((step) => !isGitPath(`${step.path}/`)).map((step) => shownPath(areas, step.path)),
    ],
    deleted: shown([...plan.blocking, ...plan.removals]),
    conflicts: [
      ...[...conflicts].map(([path, at]) => ({ path: shownPath(areas, path), recoveredAs: at === null ? null : relative(areas.work, at) })),
      ...aside.map((at) => ({ path: relative(areas.work, at), recoveredAs: null })),
    ],
    leftAlone: changes.flatMap(({ path }) => (isMeant(path) && changedByOthers.alone.has(path) && !isGitPath(path) ? [shownPath(areas, path)] : [])),
    ...(chosen !== null || from.leftOut.length === 0 ? {} : { notKept: { paths: from.leftOut.slice(0, MAX_NOT_KEPT).map((path) => shownPath(areas, path)), total: from.leftOut.length } }),
    refsMoved: steps.some(({ path }) => isGitPath(path)) ? await refsBetween(project, from, to) : [],
  }
  const set = [...steps.filter(done), ...plan.permissions].map(({ path }) => path)
  return { report, set: [...set, ...plan.folders, ...plan.emptied], changed: steps.length + plan.folders.length + plan.emptied.length + plan.permissions.length > 0 }
}

/** What no checkpoint keeps, and git would read, or wait for: all but what lies in its stores. */
const stopsGit = (path: string): boolean => isGitPath(path) && !/\/(annex|lfs|objects)\//.test(path)

/** Gives what could not be kept another name, so that nothing of it is lost where another is put. */
const moveAside = (held: HeldFolders, at: string, to: string): string[] => {
  const [from, target] = [held.find(at), held.find(to)]
  if (from === null || target === null || lstatSync(toNative(from), { throwIfNoEntry: false })?.isDirectory() !== false) return []
  renameSync(toNative(from), toNative(target))
  return [to]
}

export interface Restored {
  readonly report: RestoreReport
  /** Stored paths that are now as they were wanted. */
  readonly set: readonly string[]
  /** False when the two states are one. */
  readonly changed: boolean
}

/** Git folders that the state to restore knows nothing of. */
const vanishing = async (project: Project, tree: string, objects: { from: ObjectLists; to: ObjectLists }): Promise<string[]> => {
  const folders = Object.keys(objects.from).filter((folder) => objects.to[folder] === undefined)
  if (folders.length === 0) return []
  const held = (await project.run({ args: ['ls-tree', '-z', '--name-only', tree, '--', ...folders.map((folder) => toText(`${folder}/objects`))] })).split('\0')
  return folders.filter((folder) => !held.includes(`${folder}/objects`))
}

const relative = (work: string, at: string): string => toText(at.startsWith(`${work}/`) ? posix.relative(work, at) : at)

/** Makes sure, before anything is touched, that all the bytes to write are there. */
const requireBlobs = async (project: Project, writes: readonly FileStep[], to: CheckpointRecord): Promise<void> => {
  if (writes.length === 0) return
  const input = writes.map((step) => `${step.to?.oid ?? ''}\n`).join('')
  const held = (await project.run({ args: ['cat-file', '--batch-check'], input, env: project.withMirror() })).trimEnd().split('\n')
  const lacking = held.findIndex((line) => !line.includes(' blob '))
  if (lacking !== -1) missingBlob(writes[lacking]?.path ?? '', to)
}

const missingBlob = (path: string, to: CheckpointRecord): never => {
  throw new HoldfastError(
    'checkpoint-failed',
    `The checkpoint store has lost the contents of ${shownPath(to.areas, path)} in ${to.shown.id}. Choose another checkpoint; the state before this attempt is kept.`,
  )
}

const isIndex = (path: string): boolean => isGitPath(path) && path.endsWith('/index')

type Verdict = ReturnType<typeof decide>

/** Says of each step, by what is there now, whether it is to be done. What belongs to one moment of a git folder stands or falls together. */
const judge = async (params: {
  project: Project
  steps: readonly FileStep[]
  real: (path: string) => string
  held: HeldFolders
  refsHome: string | null
  shared: ReadonlySet<string>
}): Promise<Map<string, Verdict>> => {
  const { project, steps, real, refsHome, shared } = params
  const now = await presentEntries(params)
  const verdicts = new Map<string, Verdict>()
  for (const step of steps) {
    const present = now.get(step.path) ?? null
    let verdict = decide(step.from, step.to, present)
    if (verdict === 'conflict' && isIndex(step.path) && step.from !== null && present !== null) {
      if (await isSameIndex(project, step.from.oid, present.oid)) verdict = 'restore'
    }
    if (verdict === 'conflict' && refsHome !== null && (await isPackedRef(project, step, present, real(refsHome), refsHome))) verdict = 'restore'
    verdicts.set(step.path, verdict === 'restore' && shared.has(step.path) ? 'conflict' : verdict)
  }
  const disputed = new Set(steps.flatMap((step) => (verdicts.get(step.path) === 'conflict' ? [momentOf(step.path)] : [])))
  for (const step of steps) {
    const moment = momentOf(step.path)
    if (moment !== null && disputed.has(moment) && verdicts.get(step.path) === 'restore') verdicts.set(step.path, 'conflict')
  }
  return verdicts
}

const presentEntries = async ({ project, steps, real, held }: Pick<Parameters<typeof judge>[0], 'project' | 'steps' | 'real' | 'held'>): Promise<Map<string, Entry>> => {
  const files = steps.flatMap((step) => {
    const at = real(step.path)
    const path = held.find(at)
    const stat = path === null ? undefined : statOf(path)
    return stat === undefined || !(stat.isFile() || stat.isSymbolicLink()) ? [] : [foundFile(step.path, at, stat)]
  })
  const oids = await project.identify(files)
  await project.keep(files.filter(({ path }) => isIndex(path)))
  return new Map(files.map(({ path, mode, permissions }, index) => [path, { mode, permissions, oid: oids[index] ?? '' }]))
}

const statOf = (at: string) => {
  try {
    return lstatSync(toNative(at), { throwIfNoEntry: false })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined
    throw error
  }
}

/** A ref that was only moved into `packed-refs` has not changed. */
const isPackedRef = async (project: Project, step: FileStep, now: Entry | null, home: string, refsHome: string): Promise<boolean> => {
  if (now !== null || step.from === null || !step.path.startsWith(`${refsHome}/refs/`)) return false
  const [was] = await readBlobs(project, [step.from.oid])
  return was?.trim() === refValue(home, step.path.slice(refsHome.length + 1))
}

export const nothingToUndo = (sessionId: SessionId): HoldfastError =>
  new HoldfastError('nothing-to-undo', `Session ${sessionId} has nothing to undo.`)
