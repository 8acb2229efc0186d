import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { foldersAbove, type FileKind } from '../../domain/checkpoint-plan.ts'
import type { Project } from './project.ts'

/** A path to be in a tree from now on, or null: no more. */
export interface TreeEdit {
  readonly path: string
  readonly to: { readonly mode: FileKind; readonly oid: string } | null
}

/** With more folders than this, one pass over everything costs less. */
const MAX_FOLDERS = 200
const TREE_MODE = '40000'

/** The tree `from` with the edits made, kept in the store; `from` null is the empty one. */
export const editTree = async (project: Project, from: string | null, edits: readonly TreeEdit[]): Promise<string> => {
  const folders = new Set(edits.flatMap(({ path }) => foldersAbove(path)))
  const isOneLine = [...folders].every((folder) => !folder.includes('\n'))
  return from !== null && folders.size <= MAX_FOLDERS && isOneLine ? editFew(project, from, edits, [...folders]) : editMany(project, from, edits)
}

const editMany = async (project: Project, from: string | null, edits: readonly TreeEdit[]): Promise<string> => {
  const index = join(project.scratch, 'index')
  for (const file of [index, `${index}.lock`]) rmSync(file, { force: true })
  const env = { GIT_INDEX_FILE: index }
  if (from !== null) await project.run({ args: ['read-tree', from], env })
  const lines = [...edits].sort((a, b) => Number(a.to !== null) - Number(b.to !== null)).map(({ path, to }) => `${to?.mode ?? '0'} ${to?.oid ?? '0'.repeat(40)}\t${path}\0`)
  await project.run({ args: ['update-index', '-z', '--index-info'], input: lines.join(''), env })
  return (await project.run({ args: ['write-tree', '--missing-ok'], env })).trim()
}

type Entries = Map<string, { mode: string; oid: string }>

/** Only the folders on the way to an edit are read and written, each once. */
const editFew = async (project: Project, from: string, edits: readonly TreeEdit[], folders: readonly string[]): Promise<string> => {
  const deepestFirst = [...folders].sort((a, b) => b.split('/').length - a.split('/').length)
  const output = await project.run({ args: ['cat-file', '--batch'], input: [`${from}\n`, ...deepestFirst.map((folder) => `${from}:${folder}\n`)].join('') })
  const read = readTrees(output, deepestFirst.length + 1)
  const trees = new Map(['', ...deepestFirst].map((folder, index) => [folder, read[index] as Entries]))
  const parentOf = (path: string): [Entries, string] => {
    const cut = path.lastIndexOf('/')
    return [trees.get(cut === -1 ? '' : path.slice(0, cut)) as Entries, path.slice(cut + 1)]
  }
  for (const { path, to } of edits) {
    const [entries, name] = parentOf(path)
    if (to !== null) entries.set(name, to)
    else if (entries.get(name)?.mode !== TREE_MODE) entries.delete(name)
  }
  const written: string[] = []
  const write = (entries: Entries): string => {
    const sorted = [...entries].sort((a, b) => (sortName(a) < sortName(b) ? -1 : 1))
    written.push(`${sorted.map(([name, { mode, oid }]) => `${mode} ${mode === TREE_MODE ? 'tree' : 'blob'} ${oid}\t${name}\0`).join('')}\0`)
    const content = Buffer.concat(sorted.map(([name, { mode, oid }]) => Buffer.concat([Buffer.from(`${mode} ${name}\0`, 'latin1'), Buffer.from(oid, 'hex')])))
    return createHash('sha1').update(`tree ${content.length}\0`).update(content).digest('hex')
  }
  for (const folder of deepestFirst) {
    const entries = trees.get(folder) as Entries
    const [parent, name] = parentOf(folder)
    if (entries.size > 0) parent.set(name, { mode: TREE_MODE, oid: write(entries) })
    else if (parent.get(name)?.mode === TREE_MODE) parent.delete(name)
  }
  const tree = write(trees.get('') as Entries)
  const made = (await project.run({ args: ['mktree', '-z', '--missing', '--batch'], input: written.join('') })).trimEnd().split('\n').at(-1)
  return made === tree ? tree : editMany(project, from, edits)
}

const sortName = ([name, { mode }]: [string, { mode: string }]): string => (mode === TREE_MODE ? `${name}/` : name)

/** The trees of a `git cat-file --batch` answer, in order; an empty one for what is none. */
const readTrees = (output: string, count: number): Entries[] => {
  const trees: Entries[] = []
  let at = 0
  while (trees.length < count) {
    const end = output.indexOf('\n', at)
    const [, type, size] = / (tree|blob) (\d+)$/.exec(output.slice(at, end)) ?? []
    at = end + 1
    const entries: Entries = new Map()
    const last = at + Number(size ?? 0)
    for (let here = at; type === 'tree' && here < last; ) {
      const space = output.indexOf(' ', here)
      const zero = output.indexOf('\0', space)
      entries.set(output.slice(space + 1, zero), { mode: output.slice(here, space), oid: Buffer.from(output.slice(zero + 1, zero + 21), 'latin1').toString('hex') })
      here = zero + 21
    }
    if (size !== undefined) at = last + 1
    trees.push(entries)
  }
  return trees
}
