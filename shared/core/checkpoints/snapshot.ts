import { writeFileSync } from 'node:fs'
import { defaultPermissions, isGitPath, type Extras } from '../../domain/checkpoint-plan.ts'
import { toText } from './byte-path.ts'
import { editTree, type TreeEdit } from './edit-tree.ts'
import { GitFailure, userExcludesFile } from './git.ts'
import type { Areas } from './layout.ts'
import type { ObjectLists } from './object-mirror.ts'
import { HasMoved } from './open-seen.ts'
import type { Known, KnownFiles } from './knowledge.ts'
import type { Project } from './project.ts'
import { readPlain } from './read-plain.ts'
import { isDependencies, isOverLimit, isSettled, tooLarge, walk, type Doubt, type FoundFile, type Limits, type Memory, type Settle, type Walk } from './walk.ts'

export interface Snapshot {
  readonly tree: string
  readonly extras: string
  readonly objects: string
  readonly leftOut: Walk['leftOut']
  /** Kept files of the working tree, without those git itself keeps there. */
  readonly fileCount: number
  /** Files that were not as they were known. */
  readonly touched: readonly Touched[]
}

export interface Touched {
  readonly file: FoundFile
  readonly oid: string
  readonly before: Known | undefined
}

const ATTEMPTS = 5
/** git reads ignore rules and the index in the tree: what is no ordinary file there could hold it for ever. */
const ASK_MS = 10_000

/**
 * Keeps the present state of the areas in the project's store. What the tree `wanted` holds is kept whatever the rules say,
 * since a restore is about to write over it. A tree that moves meanwhile is looked at again, up to five times.
 */
export const takeSnapshot = async (params: {
  project: Project
  areas: Areas
  limits: Limits
  ownFolder: string
  wanted: string | null
}): Promise<Snapshot> => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await lookOnce(params)
    } catch (error) {
      if (attempt === ATTEMPTS || !hasMoved(error)) throw error
    }
  }
}

const hasMoved = (error: unknown): boolean =>
  ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'EINVAL'].includes((error as NodeJS.ErrnoException).code ?? '') ||
  error instanceof HasMoved ||
  (error instanceof GitFailure && /No such file or directory|short read|unable to (hash|stat|index)|could not open/.test(error.stderr) && !/denied/.test(error.stderr))

const lookOnce = async ({ project, areas, limits, ownFolder, wanted }: Parameters<typeof takeSnapshot>[0]): Promise<Snapshot> => {
  const lookedAt = Date.now()
  const { knowledge, quiet } = project
  const memory: Memory = { lookedAt, folders: knowledge.folders(), isUntouched: quietFolders(project, areas) }
  const found = await walk({ areas, limits, ownFolder, memory, settle: settleBy(project, areas, limits, wanted) })
  leaveOutTooMuch(project, found)
  const objects: ObjectLists = project.mirror.keep(found.gitFolders)
  const { tree, touched } = await writeTree(project, found, lookedAt)
  const permissions: Record<string, number> = {}
  for (const file of found.files) if (file.permissions !== defaultPermissions(file.mode)) permissions[file.path] = file.permissions
  for (const { path } of found.untouched) Object.assign(permissions, quiet.get(path)?.permissions)
  const extras: Extras = { files: permissions, folders: found.folders, empty: found.empty, indexTimes: found.indexTimes }
  return {
    tree,
    extras: project.keepManifest(extras),
    objects: project.keepManifest(objects),
    leftOut: found.leftOut,
    fileCount: countOf(found) + found.files.reduce((count, file) => count + (isGitPath(file.path) ? 0 : 1), 0),
    touched,
  }
}

const countOf = ({ untouched }: Walk): number => untouched.reduce((count, { files }) => count + files.length, 0)

/** Tells of a folder that nothing was put into or taken from whether its files are untouched too, all of them. */
const quietFolders = async (project: Project, areas: Areas): Promise<Awaited<Memory['isUntouched']>> => {
  const { knowledge, quiet, watch } = project
  if (watch.renew(areas.work)) quiet.clear()
  const touched = await watch.touched(areas.work)
  if (touched === null) return () => false
  const restless = new Set([...touched].map((path) => path.slice(0, path.lastIndexOf('/'))))
  const known = knowledge.files()
  return (path, folder) => {
    if (restless.has(path)) return false
    if (quiet.get(path)?.folder === folder) return true
    const permissions: Record<string, number> = {}
    for (const name of knowledge.isEven(path) ? [] : folder.files) {
      const file = known.get(`${path}/${name}`)
      if (file?.watched !== true) return false
      if (file.permissions !== defaultPermissions(file.mode)) permissions[`${path}/${name}`] = file.permissions
    }
    quiet.set(path, { folder, permissions })
    return true
  }
}

/**
 * Most that is read in one look but the first, in bytes. Past it the largest files are left out: to read them all would keep a
 * revert waiting, and without end where an agent makes a file as long as the file system allows, which takes it no room.
 */
const MOST_READ_BYTES = 8 * 1024 ** 3

const unsureOf = ({ knowledge }: Project, found: Walk): FoundFile[] => {
  const known = knowledge.files()
  return found.files.filter((file) => {
    const last = known.get(file.path)
    return last === undefined || !last.settled || last.signature !== file.signature
  })
}

const leaveOutTooMuch = (project: Project, found: Walk): void => {
  if (project.knowledge.tree() === null || found.files.reduce((sum, { size }) => sum + size, 0) <= MOST_READ_BYTES) return
  const unsure = unsureOf(project, found).toSorted((a, b) => b.size - a.size)
  let bytes = unsure.reduce((sum, { size }) => sum + size, 0)
  const dropped = new Set<FoundFile>()
  for (const file of unsure) {
    if (bytes <= MOST_READ_BYTES) break
    bytes -= file.size
    dropped.add(file)
    found.leftOut.push({ path: file.path, reason: tooLarge(file.size) })
  }
  found.files.splice(0, Infinity, ...found.files.filter((file) => !dropped.has(file)))
}

/** Writes the tree of the files found, reading only those that may have changed since the last time. */
const writeTree = async (project: Project, found: Walk, lookedAt: number): Promise<Pick<Snapshot, 'tree' | 'touched'>> => {
  const { knowledge } = project
  const [known, before] = [knowledge.files(), knowledge.tree()]
  const unsure = unsureOf(project, found)
  const present = found.files.length + countOf(found)
  const isNew = unsure.reduce((count, { path }) => count + (known.has(path) ? 0 : 1), 0)
  const gone = present - isNew === known.size ? [] : goneFrom(known, found)
  if (before !== null && unsure.length === 0 && gone.length === 0 && found.read.size === 0) return { tree: before, touched: [] }

  const oids = await project.keep(unsure, (file) => known.get(file.path)?.oid)
  const learned: [string, Known | null][] = gone.map((path) => [path, null])
  const edits: TreeEdit[] = gone.map((path) => ({ path, to: null }))
  unsure.forEach(({ path, signature, mode, permissions, changedAt }, index) => {
    const next: Known = { signature, mode, permissions, oid: oids[index] ?? '', settled: isSettled(changedAt, lookedAt), watched: false }
    const last = known.get(path)
    if (last?.oid !== next.oid || last.mode !== mode) edits.push({ path, to: { mode, oid: next.oid } })
    if (last?.signature !== signature || last.settled !== next.settled || last.oid !== next.oid) learned.push([path, next])
  })
  const tree = before !== null && edits.length === 0 ? before : await editTree(project, before, edits)
  const touched = unsure.flatMap((file, index): Touched[] => {
    const last = known.get(file.path)
    return last?.signature === file.signature ? [] : [{ file, oid: oids[index] ?? '', before: last }]
  })
  if (learned.length === 0 && found.read.size === 0 && tree === before) return { tree, touched }
  knowledge.learn({ tree, files: learned, folders: [...found.read] })
  for (const [path] of learned) project.quiet.delete(path.slice(0, path.lastIndexOf('/')))
  return { tree, touched }
}

const goneFrom = (known: Pick<KnownFiles, 'keys'>, found: Walk): string[] => {
  const present = new Set([...found.untouched.flatMap(({ path, files }) => files.map((name) => `${path}/${name}`)), ...found.files.map((file) => file.path)])
  return [...known.keys()].filter((path) => !present.has(path))
}

/** Left out: what is over the limit, and what git ignores among large files and folders of made things. */
const settleBy =
  (project: Project, areas: Areas, limits: Limits, wanted: string | null): Settle =>
  async (doubts) => {
    const leftOut = new Set<string>()
    const byTree = new Map<string, Doubt[]>()
    for (const doubt of doubts) {
      if (isOverLimit(doubt, limits)) leftOut.add(doubt.path)
      else if (doubt.tree !== null) byTree.set(doubt.tree, [...(byTree.get(doubt.tree) ?? []), doubt])
      else if (isDependencies(doubt)) leftOut.add(doubt.path)
    }
    for (const [tree, asked] of byTree) for (const path of await ignoredAmong(project, areas, tree, asked)) leftOut.add(path)
    if (wanted === null || leftOut.size === 0) return leftOut
    const held = await project.run({ args: ['ls-tree', '-z', '--name-only', wanted, '--', ...[...leftOut].map(toText)] })
    for (const path of held.split('\0')) leftOut.delete(path)
    return leftOut
  }

/**
 * Which of the paths git ignores in the working tree `tree`; a folder with a tracked file in it is not ignored.
 * When git cannot say, none are: then more is kept than need be.
 */
const ignoredAmong = async (project: Project, areas: Areas, tree: string, asked: readonly Doubt[]): Promise<string[]> => {
  const gitFolder = tree === areas.work && areas.git !== undefined ? areas.git : `${tree}/.git`
  const exclude = `${tree === areas.work && areas.common !== undefined ? areas.common : gitFolder}/info/exclude`
  writeFileSync(project.infoExclude, readPlain(exclude) ?? '', 'latin1')
  const excludes = await userExcludesFile(project.run)
  const env = { GIT_WORK_TREE: toText(tree), GIT_INDEX_FILE: toText(`${gitFolder}/index`) }
  const names = new Map(asked.map((doubt) => [doubt.real.slice(tree.length + 1), doubt.path]))
  const args = ['-C', toText(tree), '-c', 'core.bare=false', '-c', `core.excludesFile=${excludes}`, 'check-ignore', '-z', '--stdin']
  const ignored = await project.run({ args, input: [...names.keys()].map((name) => `${name}\0`).join(''), env, timeoutMs: ASK_MS }).catch(() => '')
  return ignored.split('\0').flatMap((name) => names.get(name) ?? [])
}
