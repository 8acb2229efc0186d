import { existsSync, lstatSync, writeFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'
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
  type FileKind,
  type FileStep,
  type TreeChange,
} from '../../domain/checkpoint-plan.ts'
import { createBlobStream } from './blob-stream.ts'
import { toNative, toText } from './byte-path.ts'
import { gitHomes, realPath, shownPath, type GitHomes } from './layout.ts'
import type { ObjectLists } from './object-mirror.ts'
import { createPlacer, removeFile, removeFolder, setPermissions } from './place.ts'
import type { Project } from './project.ts'
import type { CheckpointRecord } from './records.ts'
import { movedRefs, readBlobs, readRefs } from './refs.ts'
import { foundFile } from './walk.ts'
import { findOtherWorktrees, refValue, unpackBranches, type OtherWorktrees } from './worktrees.ts'

/**
 * Brings the tree from the state `from` to the state `to`, path by path. A path that is in neither state now was changed
 * by someone else: it is kept, and the wanted version goes beside it. Run again after an interruption it goes on to the
 * same end. `saved` is the checkpoint taken just before.
 */
export const restore = async (project: Project, from: CheckpointRecord, to: CheckpointRecord, saved: CheckpointRecord): Promise<Restored> => {
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
  const plan = planRestore({
    changes: await differences(project, from.tree, to.tree),
    from: project.manifest<Extras>(from.extras),
    to: wanted,
    stays: (step) =>
      isAmong(theirs, step.path) ||
      (step.to === null && (isAmong(notKept, step.path) || isObject(step.path))) ||
      // A lock of git's may be removed, being left by a process that was killed, but never comes back.
      (step.to !== null && isGitPath(step.path) && step.path.endsWith('.lock')),
  })
  await requireBlobs(project, plan.writes, to)
  const real = (path: string): string => realPath(areas, path)
  const top = (path: string): string => areas[path.slice(0, path.indexOf('/')) as keyof typeof areas] ?? areas.work
  const steps = [...plan.blocking, ...plan.writes, ...plan.removals]
  const verdicts = await judge(project, steps, real, homes?.refs ?? null)
  const tag = saved.shown.id.slice('chk_'.length)
  const placer = createPlacer(tag)
  const conflicts = new Map<string, string>()

  const remove = (step: FileStep): void => {
    if (verdicts.get(step.path) === 'restore') removeFile(real(step.path))
  }
  plan.blocking.forEach(remove)
  plan.clearing.forEach((folder) => removeFolder(real(folder)))
  if (homes !== null) unpackBranches(real(homes.refs), others.branches)
  for (const [folder, files] of Object.entries(objects.to)) {
    if (placer.makeFolder(top(`${folder}/`), real(folder)) === real(folder)) project.mirror.giveBack(folder, real(folder), files)
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
    if (!existsSync(toNative(`${real(folder)}/HEAD`)) && existsSync(toNative(`${real(folder)}/objects`))) project.mirror.clear(folder, real(folder))
  }
  for (const folder of plan.emptied) if (!isObject(folder)) removeFolder(real(folder))
  for (const step of plan.permissions) setPermissions(real(step.path), step.from, step.to)

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
    conflicts: [...conflicts].map(([path, at]) => ({ path: shownPath(areas, path), recoveredAs: relative(areas.work, at) })),
    refsMoved: await refsMoved(project, from, to, homes, steps),
  }
  return { report, changed: steps.length + plan.folders.length + plan.emptied.length + plan.permissions.length > 0 }
}

export interface Restored {
  readonly report: RestoreReport
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

/** What differs between two trees. */
const differences = async (project: Project, from: string, to: string): Promise<TreeChange[]> => {
  const output = await project.run({ args: ['diff-tree', '-r', '-z', '--raw', '--no-renames', '--no-abbrev', from, to] })
  const fields = output.split('\0')
  const changes: TreeChange[] = []
  const side = (mode: string | undefined, oid: string | undefined) =>
    mode === undefined || oid === undefined || mode === '000000' ? null : { mode: mode as FileKind, oid }
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [fromMode, toMode, fromOid, toOid] = (fields[at] ?? '').slice(1).split(' ')
    changes.push({ path: fields[at + 1] ?? '', from: side(fromMode, fromOid), to: side(toMode, toOid) })
  }
  return changes
}

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

type Verdict = ReturnType<typeof decide>

/** Says of each step, by what is there now, whether it is to be done. What belongs to one moment of a git folder stands or falls together. */
const judge = async (project: Project, steps: readonly FileStep[], real: (path: string) => string, refsHome: string | null): Promise<Map<string, Verdict>> => {
  const now = await presentEntries(project, steps, real)
  const verdicts = new Map<string, Verdict>()
  for (const step of steps) {
    const present = now.get(step.path) ?? null
    let verdict = decide(step.from, step.to, present)
    if (verdict === 'conflict' && (await isSameIndex(project, step, present, real(step.path)))) verdict = 'restore'
    if (verdict === 'conflict' && refsHome !== null && (await isPackedRef(project, step, present, real(refsHome), refsHome))) verdict = 'restore'
    verdicts.set(step.path, verdict)
  }
  const disputed = new Set(steps.flatMap((step) => (verdicts.get(step.path) === 'conflict' ? [momentOf(step.path)] : [])))
  for (const step of steps) {
    const moment = momentOf(step.path)
    if (moment !== null && disputed.has(moment) && verdicts.get(step.path) === 'restore') verdicts.set(step.path, 'conflict')
  }
  return verdicts
}

const presentEntries = async (project: Project, steps: readonly FileStep[], real: (path: string) => string): Promise<Map<string, Entry>> => {
  const files = steps.flatMap((step) => {
    const at = real(step.path)
    const stat = statOf(at)
    return stat === undefined || !(stat.isFile() || stat.isSymbolicLink()) ? [] : [foundFile(step.path, at, stat)]
  })
  const oids = await project.identify(files)
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

/** `git status` writes file times anew into the index: that alone is nobody's change. */
const isSameIndex = async (project: Project, step: FileStep, now: Entry | null, at: string): Promise<boolean> => {
  if (!isGitPath(step.path) || !step.path.endsWith('/index') || step.from === null || now === null) return false
  const before = join(project.scratch, 'index-before')
  const [bytes] = await readBlobs(project, [step.from.oid])
  writeFileSync(before, Buffer.from(bytes ?? '', 'latin1'), { mode: 0o600 })
  const list = (file: string) => project.run({ args: ['ls-files', '--stage', '-v', '-z'], env: { GIT_INDEX_FILE: file } }).catch(() => null)
  const [was, is] = [await list(before), await list(toText(at))]
  return was !== null && was === is
}

/** A ref that was only moved into `packed-refs` has not changed. */
const isPackedRef = async (project: Project, step: FileStep, now: Entry | null, home: string, refsHome: string): Promise<boolean> => {
  if (now !== null || step.from === null || !step.path.startsWith(`${refsHome}/refs/`)) return false
  const [was] = await readBlobs(project, [step.from.oid])
  return was?.trim() === refValue(home, step.path.slice(refsHome.length + 1))
}

const refsMoved = async (
  project: Project,
  from: CheckpointRecord,
  to: CheckpointRecord,
  homes: GitHomes | null,
  steps: readonly FileStep[],
): Promise<string[]> => {
  if (homes === null) return []
  const touched = steps.some(({ path }) => path === `${homes.head}/HEAD` || path === `${homes.refs}/packed-refs` || path.startsWith(`${homes.refs}/refs/`))
  return touched ? movedRefs(...(await Promise.all([readRefs(project, from.tree, homes), readRefs(project, to.tree, homes)]))) : []
}
