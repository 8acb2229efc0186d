import { randomBytes } from 'node:crypto'
import { closeSync, constants, existsSync, fchmodSync, lstatSync, openSync, readdirSync, realpathSync, renameSync, unlinkSync, type Dirent } from 'node:fs'
import path from 'node:path'
import { settingsThatRun } from '../../domain/git-settings.ts'
import { readPlainFile } from '../plain-file.ts'
import { isWithin } from './mount-plan.ts'
import { leadsOutOfSight, leadsTo } from './planted-links.ts'

/** Folders of a project that are searched, and watched. */
export const MAX_FOLDERS = 20_000
/** Longest `.git` file, and longest `config`, that is read. */
const LARGEST_BYTES = 1024 * 1024
/** What git keeps many folders in, and no repository. */
const GIT_STORES = new Set(['objects', 'refs', 'logs'])

export interface Found {
  readonly folders: readonly string[]
  /** Every `.git`, a file, a folder or a link, and every folder that is a repository under another name; outer before inner. */
  readonly repositories: readonly string[]
  /** Whether there were no more folders than are searched. */
  readonly isWhole: boolean
}

/** What lies there, no link followed; null for nothing, and for what cannot be looked at. Never throws. */
export const kindOf = (file: string): 'folder' | 'file' | 'other' | null => {
  try {
    const stat = lstatSync(file)
    return stat.isDirectory() ? 'folder' : stat.isFile() ? 'file' : 'other'
  } catch {
    return null
  }
}

const entriesOf = (folder: string): Dirent[] => {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
}

const isInGit = (folder: string): boolean => folder.split('/').includes('.git')

/** Whether a folder lies in what git keeps its objects in, where nothing is searched; git-annex's is searched, as links lead there. */
const isInStore = (folder: string): boolean => {
  const parts = folder.split('/')
  const git = parts.indexOf('.git')
  return git !== -1 && parts[git + 1] !== 'annex' && parts.slice(git + 1).some((part) => GIT_STORES.has(part))
}

interface Look {
  readonly below: readonly string[]
  readonly repositories: readonly string[]
  readonly links: readonly string[]
}

/** What one folder holds: folders to search, repositories, and links, which are not followed. */
export const lookInto = (folder: string): Look => {
  const entries = entriesOf(folder)
  const names = new Set(entries.map(({ name }) => name))
  const skipsStores = isInGit(folder) && !folder.includes('/.git/annex')
  const isBare = path.basename(folder) !== '.git' && names.has('HEAD') && (names.has('objects') || names.has('commondir'))
  return {
    below: entries.filter((entry) => entry.isDirectory() && !(skipsStores && GIT_STORES.has(entry.name))).map(({ name }) => path.join(folder, name)),
    repositories: [...(names.has('.git') ? [path.join(folder, '.git')] : []), ...(isBare ? [folder] : [])],
    links: entries.filter((entry) => entry.isSymbolicLink()).map(({ name }) => path.join(folder, name)),
  }
}

/** Searches level by level, so that a limit leaves out what lies deepest. */
export const findRepositories = (roots: readonly string[], limit = MAX_FOLDERS): Found & { readonly links: readonly string[] } => {
  const folders = [...roots]
  const repositories: string[] = []
  const links: string[] = []
  let isWhole = true
  for (let at = 0; at < folders.length; at += 1) {
    const look = lookInto(folders[at] ?? '')
    repositories.push(...look.repositories)
    links.push(...look.links)
    for (const folder of look.below) {
      if (folders.length < limit) folders.push(folder)
      else isWhole = false
    }
  }
  return { folders, repositories, links, isWhole }
}

/** Where a path leads; null for nowhere. */
export const resolved = (file: string): string | null => {
  try {
    return realpathSync(file)
  } catch {
    return null
  }
}

/** The text of a file, '' where there is none, null where it is a link, no file, or too long. */
const textOf = (file: string): string | null => (kindOf(file) === null ? '' : readPlainFile(file, LARGEST_BYTES))

/** Where a `.git` file leads, by its text (gitrepository-layout(5)); null for no such text. */
export const gitFileTarget = (file: string, text: string): string | null => {
  const target = /^gitdir: (.+?)[\r\n]*$/.exec(text)?.[1]
  return target === undefined ? null : path.resolve(path.dirname(file), target)
}

/** What is known of a project when its repositories are judged. */
export interface KnownGround {
  /** Folders that are searched and watched, resolved. */
  readonly roots: readonly string[]
  /** Folders that the agent may write and nobody watches, resolved: its home. */
  readonly unwatched: readonly string[]
  /** Folders of git whose settings and hooks are kept as they are. */
  readonly guarded: ReadonlySet<string>
}

const runsInSettings = (file: string): string[] => {
  const text = textOf(file)
  return text === null ? [`${path.basename(file)}, which is no plain file`] : settingsThatRun(text)
}

/** Settings that a linked working tree of a guarded repository shares with it; null where there are none to share. */
const guardedCommon = (folder: string, { guarded }: KnownGround): string | null => {
  const text = textOf(path.join(folder, 'commondir'))
  const common = text === null || text === '' ? null : resolved(path.resolve(folder, text.trim()))
  return common !== null && guarded.has(common) && isWithin(folder, path.join(common, 'worktrees')) ? common : null
}

const runsInFolder = (folder: string, ground: KnownGround): string[] => {
  const ofWorktree = runsInSettings(path.join(folder, 'config.worktree'))
  if (guardedCommon(folder, ground) !== null) return ofWorktree
  const hooks = path.join(folder, 'hooks')
  const kind = kindOf(hooks)
  return [
    // An empty one, as git leaves it for a moment, is an error to git.
    ...(textOf(path.join(folder, 'commondir')) === '' ? [] : ['commondir']),
    ...runsInSettings(path.join(folder, 'config')),
    ...ofWorktree,
    ...(kind === 'folder' ? entriesOf(hooks).map(({ name }) => name).filter((name) => !name.endsWith('.sample')) : kind === null ? [] : ['hooks']),
  ]
}

/**
 * What git of the user may run by itself when it looks at a repository: names of settings, hooks and pointers. What
 * cannot be read, or is kept where nobody watches, counts as well. Empty for a repository that runs nothing, and for none.
 */
export const whatRuns = (repository: string, ground: KnownGround): string[] => {
  const kind = kindOf(repository)
  if (kind === null) return []
  if (kind === 'folder') return runsInFolder(repository, ground)
  if (path.basename(repository) !== '.git') return []
  const text = kind === 'file' ? textOf(repository) : null
  if (text === null) return ['a .git that is a link, or no file']
  const target = gitFileTarget(repository, text)
  if (target === null) return []
  const real = leadsTo(target)
  const isWatched = (folder: string): boolean => ground.roots.some((root) => isWithin(folder, root)) && !isInStore(folder)
  if (real === null || (!isWatched(real) && guardedCommon(real, ground) === null)) return [`a .git that leads to ${target}`]
  if (kindOf(real) === null) return []
  return ground.guarded.has(real) ? [] : runsInFolder(real, ground)
}

/** Where a link leads that takes a person to what the agent keeps where nobody watches; null for any other. */
export const leadsAway = (link: string, { unwatched }: KnownGround): string | null =>
  isInGit(path.dirname(link)) && GIT_STORES.has(path.basename(link)) ? null : leadsOutOfSight(link, unwatched, isInStore)

/** Whether git would still take it for a repository: what was put aside is none. */
export const isRepository = (repository: string): boolean =>
  kindOf(path.basename(repository) === '.git' ? repository : path.join(repository, 'HEAD')) !== null

/** Opens a folder with no link on the way from `root`; what is done by the answer stays in that very folder. */
const openFolder = (root: string, folder: string): number => {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
  let at = openSync(root, flags)
  for (const part of path.relative(root, folder).split('/').filter(Boolean)) {
    try {
      const next = openSync(`/proc/self/fd/${at}/${part}`, flags)
      closeSync(at)
      at = next
    } catch (error) {
      closeSync(at)
      throw error
    }
  }
  return at
}

const moveAside = (root: string, file: string): string => {
  const folder = openFolder(root, path.dirname(file))
  try {
    const aside = `${path.basename(file)}.held-${randomBytes(3).toString('hex')}`
    const move = (): void => renameSync(`/proc/self/fd/${folder}/${path.basename(file)}`, `/proc/self/fd/${folder}/${aside}`)
    try {
      move()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error
      fchmodSync(folder, 0o700)
      move()
    }
    return path.join(path.dirname(file), aside)
  } finally {
    closeSync(folder)
  }
}

/**
 * Makes a repository one that git does not see: its `.git`, or its HEAD, is renamed beside itself. Follows no link, so
 * that nothing outside `roots` is ever touched. The new path, or null where that could not be done: not on Linux, or gone.
 */
export const holdRepository = (repository: string, roots: readonly string[]): string | null => {
  const root = roots.find((one) => isWithin(repository, one))
  if (root === undefined || process.platform !== 'linux') return null
  try {
    if (path.basename(repository) !== '.git') return moveAside(root, path.join(repository, 'HEAD'))
    const aside = moveAside(root, repository)
    if (existsSync(path.join(aside, 'HEAD'))) moveAside(root, path.join(aside, 'HEAD'))
    return aside
  } catch {
    return null
  }
}

/** Takes a link away, following none, and says whether it is gone; what it led to stays. */
export const removeLink = (link: string, roots: readonly string[]): boolean => {
  const root = roots.find((one) => isWithin(link, one))
  if (root === undefined || process.platform !== 'linux') return false
  try {
    const folder = openFolder(root, path.dirname(link))
    try {
      const at = `/proc/self/fd/${folder}/${path.basename(link)}`
      if (lstatSync(at).isSymbolicLink()) unlinkSync(at)
      return true
    } finally {
      closeSync(folder)
    }
  } catch {
    return false
  }
}
