import { copyFileSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { defaultPermissions, type Extras } from '../../domain/checkpoint-plan.ts'
import { toNative, toText } from './byte-path.ts'
import { GitFailure, userExcludesFile } from './git.ts'
import type { Areas } from './layout.ts'
import type { ObjectLists } from './object-mirror.ts'
import type { Known, Project } from './project.ts'
import { isDependencies, isOverLimit, walk, type Doubt, type FoundFile, type Limits, type Settle, type Walk } from './walk.ts'

export interface Snapshot {
  readonly tree: string
  readonly extras: string
  readonly objects: string
  readonly leftOut: Walk['leftOut']
  /** Kept files of the working tree, without those git itself keeps there. */
  readonly fileCount: number
}

const ATTEMPTS = 5

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
  (error as NodeJS.ErrnoException).code === 'ENOENT' ||
  (error instanceof GitFailure && /No such file or directory|short read|unable to (hash|stat|index)|could not open/.test(error.stderr) && !/denied/.test(error.stderr))

const lookOnce = async ({ project, areas, limits, ownFolder, wanted }: Parameters<typeof takeSnapshot>[0]): Promise<Snapshot> => {
  const lookedAt = Date.now()
  const found = await walk(areas, limits, ownFolder, settleBy(project, areas, limits, wanted))
  const objects: ObjectLists = project.mirror.keep(found.gitFolders)
  const tree = await writeTree(project, found.files, lookedAt)
  const extras: Extras = {
    files: Object.fromEntries(found.files.flatMap((file) => (file.permissions === defaultPermissions(file.mode) ? [] : [[file.path, file.permissions]]))),
    folders: found.folders,
    empty: found.empty,
    indexTimes: found.indexTimes,
  }
  return {
    tree,
    extras: project.keepManifest(extras),
    objects: project.keepManifest(objects),
    leftOut: found.leftOut,
    fileCount: found.files.reduce((count, file) => count + (file.path.startsWith('work/') && !file.path.includes('/.git~') ? 1 : 0), 0),
  }
}

/** Writes the tree of the files found, reading only those that may have changed since the last time. */
const writeTree = async (project: Project, files: readonly FoundFile[], lookedAt: number): Promise<string> => {
  const before = project.knowledge()
  const trusted = (file: FoundFile): Known | null => {
    const last = before?.files.get(file.path)
    return last !== undefined && last.settled && last.signature === file.signature ? last : null
  }
  const unsure = files.filter((file) => trusted(file) === null)
  if (before !== null && unsure.length === 0 && files.length === before.files.size) return before.tree

  const known = new Map<string, Known>()
  for (const file of files) {
    const last = trusted(file)
    if (last !== null) known.set(file.path, last)
  }
  const oids = await project.keep(unsure)
  const changed: string[] = []
  unsure.forEach((file, index) => {
    const oid = oids[index] ?? ''
    known.set(file.path, { signature: file.signature, mode: file.mode, oid, settled: project.isSettled(file, lookedAt) })
    const last = before?.files.get(file.path)
    if (last?.oid !== oid || last.mode !== file.mode) changed.push(`${file.mode} ${oid}\t${file.path}\0`)
  })
  const removed = [...(before?.files.keys() ?? [])].filter((path) => !known.has(path)).map((path) => `0 ${'0'.repeat(40)}\t${path}\0`)
  const tree = before !== null && changed.length === 0 && removed.length === 0 ? before.tree : await editTree(project, before?.tree ?? null, removed.join('') + changed.join(''))
  project.learn({ tree, files: known })
  return tree
}

const editTree = async (project: Project, from: string | null, edits: string): Promise<string> => {
  const index = join(project.scratch, 'index')
  for (const file of [index, `${index}.lock`]) rmSync(file, { force: true })
  const env = { GIT_INDEX_FILE: index }
  if (from !== null) await project.run({ args: ['read-tree', from], env })
  await project.run({ args: ['update-index', '-z', '--index-info'], input: edits, env })
  return (await project.run({ args: ['write-tree', '--missing-ok'], env })).trim()
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
  rmSync(project.infoExclude, { force: true })
  if (existsSync(toNative(exclude))) copyFileSync(toNative(exclude), project.infoExclude)
  const excludes = await userExcludesFile(project.run)
  const env = { GIT_WORK_TREE: toText(tree), GIT_INDEX_FILE: toText(`${gitFolder}/index`) }
  const names = new Map(asked.map((doubt) => [doubt.real.slice(tree.length + 1), doubt.path]))
  const args = ['-C', toText(tree), '-c', 'core.bare=false', '-c', `core.excludesFile=${excludes}`, 'check-ignore', '-z', '--stdin']
  const ignored = await project.run({ args, input: [...names.keys()].map((name) => `${name}\0`).join(''), env }).catch(() => '')
  return ignored.split('\0').flatMap((name) => names.get(name) ?? [])
}
