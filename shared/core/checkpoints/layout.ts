import { createHash } from 'node:crypto'
import { lstatSync, realpathSync } from 'node:fs'
import { posix } from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'
import { plainPath, toStoredName } from '../../domain/checkpoint-plan.ts'
import { fromText, toNative, toText } from './byte-path.ts'
import { readPlain } from './read-plain.ts'

/**
 * The folders a checkpoint is of, as byte paths: the working tree with the `.git` in it, and, for a linked worktree or a
 * submodule, the git folder elsewhere (`git`) and the one it shares with other worktrees (`common`).
 */
export interface Areas {
  readonly work: string
  readonly git?: string | undefined
  readonly common?: string | undefined
  /** Further folders, by a name made from where each lies: `extra-…`. */
  readonly extras?: Readonly<Record<string, string>> | undefined
}

/** Every area by its name, which is the first part of the stored paths in it. */
export const areaFolders = ({ work, git, common, extras }: Areas): Map<string, string> =>
  new Map(Object.entries({ work, git, common, ...extras }).flatMap(([name, folder]) => (folder === undefined ? [] : [[name, folder]])))

/** The folder of the area that a stored path lies in. */
export const areaOf = (areas: Areas, stored: string): string => {
  const name = stored.split('/', 1)[0] ?? ''
  const folder = name === 'work' ? areas.work : name === 'git' ? areas.git : name === 'common' ? areas.common : areas.extras?.[name]
  if (folder === undefined) throw new Error(`no area for ${stored}`)
  return folder
}

const isInside = (path: string, folder: string): boolean => path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`)

/** Of a git folder shared with other worktrees, what belongs to all of them. */
export const SHARED_IN_COMMON: ReadonlySet<string> = new Set(
  ['refs', 'packed-refs', 'logs', 'objects', 'config', 'hooks', 'info', 'shallow', 'reftable', 'lfs'],
)

/** The areas of a session: the working tree around `root`, and the `extraRoots` that do not lie in it. */
export const findAllAreas = (root: string, extraRoots: readonly string[]): Areas => {
  const areas = findAreas(root)
  const outside = extraRoots.map(resolveFolder).filter((folder) => !isInside(folder, areas.work))
  const named = outside.filter((folder) => !outside.some((other) => other !== folder && isInside(folder, other)))
  if (named.length === 0) return areas
  const nameOf = (folder: string): string => `extra-${createHash('sha256').update(folder, 'latin1').digest('hex').slice(0, 12)}`
  return { ...areas, extras: Object.fromEntries(named.map((folder) => [nameOf(folder), folder])) }
}

/**
 * Finds the top of the working tree that `root` lies in, by the same marks git goes by, without running git there.
 * Throws HoldfastError `not-a-directory`.
 */
export const findAreas = (root: string): Areas => {
  const from = resolveFolder(root)
  for (let top = from; ; top = posix.dirname(top)) {
    const mark = posix.join(top, '.git')
    const kind = kindOf(mark)
    if (kind === 'folder' && kindOf(posix.join(mark, 'HEAD')) !== null) return { work: top }
    if (kind === 'file') {
      const git = pointer(mark, top, /^gitdir: (.+?)\r?\n?$/s)
      if (git !== null && kindOf(posix.join(git, 'HEAD')) !== null) return isGitOf(top, git) ? withoutInner(top, git) : { work: top }
    }
    if (top === '/') return { work: from }
  }
}

/**
 * A `.git` file can name any folder, and whoever writes in the tree can write it: a folder elsewhere counts only when it
 * names this tree back, as git makes it do, or has no tree of its own.
 */
const isGitOf = (work: string, git: string): boolean => {
  if (isInside(git, work)) return true
  const tree = pointer(posix.join(git, 'gitdir'), git, /^(.+?)\r?\n?$/s)
  if (tree !== null) return tree === posix.join(work, '.git')
  const worktree = pointer(posix.join(git, 'config'), git, /^\s*worktree\s*=\s*"?(.+?)"?\s*$/m)
  return worktree === null ? posix.basename(git) !== '.git' && kindOf(posix.join(git, 'commondir')) === null : worktree === work
}

const withoutInner = (work: string, git: string): Areas => {
  const named = pointer(posix.join(git, 'commondir'), git, /^(.+?)\r?\n?$/s)
  const common = named !== null && isInside(git, posix.join(named, 'worktrees')) ? named : null
  const outside = (folder: string | null) => folder !== null && !isInside(folder, work)
  return {
    work,
    ...(outside(git) ? { git } : {}),
    ...(common !== null && common !== git && outside(common) ? { common } : {}),
  }
}

/** Whether the tree has a `.git` file that leads to no git folder of its own. */
export const isForeignGit = ({ work, git }: Areas): boolean => {
  const named = git === undefined && kindOf(posix.join(work, '.git')) === 'file' ? pointer(posix.join(work, '.git'), work, /^gitdir: (.+?)\r?\n?$/s) : null
  return named !== null && !isInside(named, work)
}

const resolveFolder = (root: string): string => {
  try {
    const real = realpathSync.native(toNative(fromText(root)), 'buffer').toString('latin1')
    if (kindOf(real) === 'folder') return real
  } catch (error) {
    throw new HoldfastError('not-a-directory', `There is no folder ${root}. Name one that exists.`, { cause: error })
  }
  throw new HoldfastError('not-a-directory', `${root} is not a folder. Name the folder to work in.`)
}

const kindOf = (path: string): 'file' | 'folder' | null => {
  const stat = lstatSync(toNative(path), { throwIfNoEntry: false })
  return stat === undefined ? null : stat.isDirectory() ? 'folder' : 'file'
}

/** The folder that a one-line file names, resolved; null when there is no such file or folder. */
const pointer = (file: string, relativeTo: string, pattern: RegExp): string | null => {
  try {
    const named = pattern.exec(readPlain(file, 65_536) ?? '')?.[1]
    return named === undefined ? null : realpathSync.native(toNative(posix.resolve(relativeTo, named)), 'buffer').toString('latin1')
  } catch {
    return null
  }
}

/** Paths that need not exist, as bytes: each as it is named, and with every link on the way followed. Null stays null. */
export const namesOf = (paths: readonly string[] | null): string[] | null => paths?.flatMap(bothNames) ?? null

const bothNames = (named: string): string[] => {
  const path = posix.normalize(fromText(named))
  for (let [above, rest] = [path, '']; ; [above, rest] = [posix.dirname(above), posix.join(posix.basename(above), rest)]) {
    try {
      return [...new Set([path, posix.join(realpathSync.native(toNative(above), 'buffer').toString('latin1'), rest)])]
    } catch {
      if (above === posix.dirname(above)) return [path]
    }
  }
}

/** Where a stored path lies on disk. */
export const realPath = (areas: Areas, stored: string): string => {
  const cut = stored.indexOf('/')
  const area = areaOf(areas, stored)
  return cut === -1 ? area : posix.join(area, plainPath(stored.slice(cut + 1)))
}

/** How a stored path is shown to a person: relative to the root, absolute when it lies elsewhere. */
export const shownPath = (areas: Areas, stored: string): string =>
  toText(stored.startsWith('work/') ? plainPath(stored.slice('work/'.length)) : realPath(areas, stored))

/** The stored path of what a person names: relative to the root, or absolute in any area. Throws HoldfastError `not-found`. */
export const storedPath = (areas: Areas, named: string): string => {
  const real = posix.resolve(areas.work, fromText(named))
  for (const [name, folder] of areaFolders(areas)) {
    if (name === 'git' || name === 'common' || !isInside(real, folder)) continue
    return real === folder ? name : `${name}/${real.slice(folder === '/' ? 1 : folder.length + 1).split('/').map(toStoredName).join('/')}`
  }
  throw new HoldfastError('not-found', `${named} does not lie in ${toText(areas.work)}, nor in another folder of this checkpoint.`)
}

export interface GitHomes {
  readonly head: string
  readonly refs: string
}

/** Where the repository's HEAD and its refs are kept, as stored paths; null for a folder without git. */
export const gitHomes = (areas: Areas, gitFolders: readonly string[]): GitHomes | null => {
  const head = areas.git !== undefined ? 'git' : 'work/.git~'
  const refs = areas.common !== undefined ? 'common' : head
  return gitFolders.includes(refs) ? { head, refs } : null
}
