import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { isGitPath } from '../../domain/checkpoint-plan.ts'
import type { FolderChanges } from '../ports.ts'
import { writeWhole } from '../whole-file.ts'
import { describeDifference, type KeptState } from './differences.ts'
import { areaFolders, gitHomes, shownPath, type Areas } from './layout.ts'
import { newCommits } from './new-commits.ts'
import type { ObjectLists } from './object-mirror.ts'
import type { Project } from './project.ts'
import { readLog, readRefs } from './refs.ts'

/** What one answer lists: the first files, by path, and refs. */
const MAX_PATH_CHARACTERS = 50_000
const MAX_REFS = 100
/** A longer diff is not kept, and a larger file is in none. */
const MAX_DIFF_BYTES = 2 * 1024 * 1024
const LARGE_FILE = ['-c', 'core.bigFileThreshold=512k']
const TIMEOUT_MS = 20_000

const DIFF = ['diff-tree', '-r', '--no-renames', '--no-ext-diff', '--no-textconv']

/** What changed from one state of a tree to another, and the text of it, kept in the project's folder under its own hash. */
export const recordChanges = async (project: Project, from: KeptState, to: KeptState): Promise<FolderChanges> => {
  const { counts, changes, omitted, refsMoved } = await describeDifference(project, from, to, null)
  const lines = await countLines(project, from, to)
  let characters = 0
  const files = changes
    .filter(({ path }) => (characters += path.length + 80) <= MAX_PATH_CHARACTERS)
    .map(({ path, change }) => ({ path, change, added: lines.get(path)?.added ?? null, removed: lines.get(path)?.removed ?? null }))
  const total = (of: 'added' | 'removed'): number => [...lines.values()].reduce((sum, count) => sum + (count[of] ?? 0), 0)
  return {
    counts: { added: counts.added, modified: counts.modified, deleted: counts.deleted, linesAdded: total('added'), linesRemoved: total('removed') },
    files,
    omitted: omitted + changes.length - files.length,
    diff: changes.length === 0 ? null : await keepDiff(project, from, to),
    refs: refsMoved.length === 0 ? [] : (await movesOf(project, from, to, refsMoved)).slice(0, MAX_REFS),
    refsOmitted: Math.max(0, refsMoved.length - MAX_REFS),
    commits: refsMoved.length === 0 ? [] : await newCommits(project, from, to),
  }
}

interface LineCount {
  /** null for a file that is not text, or too large. */
  readonly added: number | null
  readonly removed: number | null
}

/** Lines by shown path; none when git takes too long. */
const countLines = async (project: Project, from: KeptState, to: KeptState): Promise<Map<string, LineCount>> => {
  const args = [...LARGE_FILE, ...DIFF, '--numstat', '-z', from.tree, to.tree]
  const output = await project.run({ args, env: project.withMirror(), timeoutMs: TIMEOUT_MS }).catch(() => '')
  const count = (text: string | undefined): number | null => (text === undefined || text === '-' ? null : Number(text))
  return new Map(
    output.split('\0').flatMap((line): [string, LineCount][] => {
      const [, added, removed, path] = /^(\S+)\t(\S+)\t(.+)$/s.exec(line) ?? []
      return path === undefined || isGitPath(path) ? [] : [[shownPath(to.areas, path), { added: count(added), removed: count(removed) }]]
    }),
  )
}

/** Areas of the user's own files; what git keeps is none of them. */
const fileAreas = (areas: Areas): string[] => [...areaFolders(areas).keys()].filter((name) => name !== 'git' && name !== 'common')

/** null when it is too long. */
const keepDiff = async (project: Project, from: KeptState, to: KeptState): Promise<FolderChanges['diff']> => {
  const chunks: Buffer[] = []
  let bytes = 0
  const onOutput = (chunk: Buffer): void => {
    bytes += chunk.length
    if (bytes > MAX_DIFF_BYTES) throw new Error('too long')
    chunks.push(chunk)
  }
  try {
    for (const area of fileAreas(to.areas)) {
      const args = [...LARGE_FILE, ...DIFF, '-p', `--relative=${area}/`, from.tree, to.tree, '--', area, ':(exclude,glob)**/.git~/**']
      await project.run({ args, env: project.withMirror(), timeoutMs: TIMEOUT_MS, onOutput })
    }
  } catch {
    return null
  }
  const text = Buffer.concat(chunks)
  const sha256 = createHash('sha256').update(text).digest('hex')
  writeWhole(diffFile(project, sha256), gzipSync(text))
  return { sha256, bytes }
}

const movesOf = async (project: Project, from: KeptState, to: KeptState, names: readonly string[]): Promise<FolderChanges['refs'][number][]> => {
  const homes = gitHomes(to.areas, Object.keys({ ...project.manifest<ObjectLists>(from.objects), ...project.manifest<ObjectLists>(to.objects) }))
  if (homes === null) return []
  const [before, after] = [await readRefs(project, from.tree, homes), await readRefs(project, to.tree, homes)]
  const moves = []
  for (const ref of names.slice(0, MAX_REFS)) {
    const [was, is] = [before.get(ref) ?? null, after.get(ref) ?? null]
    const log = ref.startsWith('refs/remotes/') && is !== null ? await readLog(project, to.tree, homes, ref) : ''
    moves.push({ ref, from: was, to: is, pushed: log.trimEnd().split('\n').at(-1)?.endsWith('\tupdate by push') === true })
  }
  return moves
}

const diffFolder = (project: Pick<Project, 'folder'>): string => join(project.folder, 'diffs')
const diffFile = (project: Pick<Project, 'folder'>, sha256: string): string => join(diffFolder(project), `${sha256}.gz`)

/** The text of a kept diff, as it was hashed; null when it is gone. */
export const readDiff = (project: Pick<Project, 'folder'>, sha256: string): string | null => {
  const file = diffFile(project, sha256)
  if (!existsSync(file)) return null
  const text = gunzipSync(readFileSync(file), { maxOutputLength: MAX_DIFF_BYTES })
  return createHash('sha256').update(text).digest('hex') === sha256 ? text.toString('utf8') : null
}

/** Removes the diffs kept before a time. */
export const dropDiffsBefore = (project: Pick<Project, 'folder'>, time: number): void => {
  if (!existsSync(diffFolder(project))) return
  for (const name of readdirSync(diffFolder(project))) {
    const file = join(diffFolder(project), name)
    if (statSync(file).mtimeMs < time) rmSync(file)
  }
}
