import { lstatSync, readdirSync, type Stats } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { isDependencyFolder, isMadeFolder, isPrecious, plainPath, toStoredName, type FileKind } from '../../domain/checkpoint-plan.ts'
import { toNative } from './byte-path.ts'
import type { KnownFolder } from './knowledge.ts'
import { areaFolders, SHARED_IN_COMMON, type Areas } from './layout.ts'

export interface Limits {
  /** A larger file is left out, in bytes. */
  readonly file: number
  /** A larger file that git ignores is left out, unless its name is a precious one; in bytes. */
  readonly ignoredFile: number
}
/** Longest path that is looked at, in bytes: the system takes none of more than 4,096, but makes such files all the same, step by step. */
const LONGEST_PATH = 3_500
export const DEFAULT_LIMITS: Limits = { file: 256 * 1024 * 1024, ignoredFile: 1024 * 1024 }

export interface FoundFile {
  readonly path: string
  readonly real: string
  readonly mode: FileKind
  readonly permissions: number
  readonly size: number
  /** Which file it is, whatever its name: to be sure that what is read is what was seen. */
  readonly identity: string
  /** Equal as long as nobody has written the file, changed its mode or put another in its place. */
  readonly signature: string
  /** When anything about it last changed, milliseconds, by the file system's clock. */
  readonly changedAt: number
}

/** A path that is kept only if git does not ignore it. */
export interface Doubt {
  readonly path: string
  readonly real: string
  readonly stat: Stats
  /** The working tree whose ignore rules count; null where there is no git. */
  readonly tree: string | null
}

export interface Walk {
  readonly files: FoundFile[]
  /** Folders whose files are all as they are known, without a look at any. */
  readonly untouched: { readonly path: string; readonly files: readonly string[] }[]
  /** Plain folders that were read. */
  readonly read: Map<string, KnownFolder>
  readonly empty: string[]
  readonly folders: Record<string, number>
  readonly indexTimes: Record<string, number>
  /** Git folders with objects of their own: stored path to path on disk. */
  readonly gitFolders: Map<string, string>
  readonly leftOut: { path: string; reason: string }[]
}

interface Folder {
  readonly path: string
  readonly real: string
  readonly stat: Stats
  readonly tree: string | null
  readonly inGit: boolean
}

/** What an earlier look knows, and when this one began. */
export interface Memory {
  readonly lookedAt: number
  readonly folders: ReadonlyMap<string, KnownFolder>
  /** Whether all ordinary files of a folder are as they are known. */
  readonly isUntouched: Promise<(path: string, known: KnownFolder) => boolean>
}

/** Says which of the doubtful paths are to be left out. */
export type Settle = (doubts: readonly Doubt[]) => Promise<ReadonlySet<string>>

const SLICE_MS = 8

/**
 * Lists all there is in the areas, without following a symbolic link, giving way to other work every few milliseconds.
 * Throws node's own error when a folder cannot be read. What vanishes meanwhile is not listed.
 */
export const walk = async (params: { areas: Areas; limits: Limits; ownFolder: string; memory: Memory; settle: Settle }): Promise<Walk> => {
  const { areas, limits, ownFolder, memory, settle } = params
  const found: Walk = { files: [], untouched: [], read: new Map(), empty: [], folders: {}, indexTimes: {}, gitFolders: new Map(), leftOut: [] }
  const doubts: Doubt[] = []
  const folders: Folder[] = []
  const waiting: Folder[] = []
  const areasFound = areaFolders(areas)
  const otherAreas = new Set([areas.work, ...Object.values(areas.extras ?? {})])
  for (const [area, real] of areasFound) {
    const stat = lstatSync(toNative(real), { throwIfNoEntry: false })
    if (stat?.isDirectory() === true) folders.push({ path: area, real, stat, tree: null, inGit: area === 'git' || area === 'common' })
  }
  let sliceEnd = performance.now() + SLICE_MS
  for (;;) {
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      readFolder(folder, { found, doubts, folders, waiting, limits, ownFolder, otherAreas, memory })
      if (performance.now() < sliceEnd) continue
      await nextTurn()
      sliceEnd = performance.now() + SLICE_MS
    }
    const isUntouched = await memory.isUntouched
    for (const folder of waiting.splice(0)) takeFiles(folder, isUntouched, { found, doubts, folders, waiting, limits, ownFolder, otherAreas, memory })
    if (folders.length > 0) continue
    if (doubts.length === 0) return found
    const asked = doubts.splice(0)
    const leftOut = await settle(asked)
    for (const doubt of asked) {
      if (leftOut.has(doubt.path)) {
        found.leftOut.push({ path: doubt.path, reason: doubt.stat.isDirectory() ? 'dependencies or build output' : tooLarge(doubt.stat.size) })
      } else if (doubt.stat.isDirectory()) folders.push({ ...doubt, inGit: false })
      else found.files.push(foundFile(doubt.path, doubt.real, doubt.stat))
    }
  }
}

interface Context {
  readonly found: Walk
  readonly doubts: Doubt[]
  readonly folders: Folder[]
  /** Folders that nothing was put into or taken from since they were read: their files wait for word from the watch. */
  readonly waiting: Folder[]
  readonly limits: Limits
  readonly ownFolder: string
  readonly otherAreas: ReadonlySet<string>
  readonly memory: Memory
}

/** Long enough for the coarsest file system clock in use: what changed later than this before a look may change unseen. */
const SETTLED_MS = 2_000
export const isSettled = (changedAt: number, lookedAt: number): boolean => changedAt + SETTLED_MS < lookedAt

const folderSignature = (stat: Stats): string => `${stat.mtimeMs}:${stat.ctimeMs}:${stat.ino}:${stat.mode}`

const isPlain = (folder: Folder): boolean => !folder.inGit && folder.path.includes('/')

/** The files of a folder that is as it was read: if nobody touched any, they need no look. */
const takeFiles = (folder: Folder, isUntouched: (path: string, known: KnownFolder) => boolean, context: Context): void => {
  const known = context.memory.folders.get(folder.path)
  if (known === undefined) return
  if (isUntouched(folder.path, known)) context.found.untouched.push({ path: folder.path, files: known.files })
  else for (const name of known.files) takeEntry(folder, plainPath(name), context)
}

const readFolder = (folder: Folder, context: Context): void => {
  const { found, memory } = context
  const signature = folderSignature(folder.stat)
  const known = isPlain(folder) ? memory.folders.get(folder.path) : undefined
  if (known?.signature === signature) {
    context.waiting.push(folder)
    const tree = known.others.includes('.git') ? folder.real : folder.tree
    const kept = known.others.reduce((count, name) => count + takeEntry({ ...folder, tree }, name, context), known.files.length)
    return finishFolder(folder, kept, found)
  }
  const names = namesIn(folder.real)
  const shared = folder.path === 'common'
  // A git folder stays one with its HEAD or refs torn out, so that its objects are never taken for ordinary files.
  const isGitFolder = folder.path === 'git' || shared || folder.path.endsWith('/.git~')
  const marks = Number(names.includes('HEAD')) + Number(names.includes('refs'))
  const hasObjects = names.includes('objects') && (isGitFolder || marks === 2 || (folder.inGit && marks === 1))
  if (hasObjects || shared) found.gitFolders.set(folder.path, folder.real)
  const here: Folder = { ...folder, inGit: folder.inGit || hasObjects, tree: names.includes('.git') ? folder.real : folder.tree }
  const files: string[] = []
  const others: string[] = []
  let kept = 0
  for (const name of names) {
    if (shared && !SHARED_IN_COMMON.has(name)) continue
    if (folder.path === 'common/logs' && name !== 'refs') continue
    const before = found.files.length
    if (hasObjects && (name === 'objects' || name === 'lfs')) kept += takeObjects(here, name, context)
    else kept += takeEntry(here, name, context)
    if (found.files.length > before) files.push(toStoredName(name))
    else others.push(name)
  }
  if (isPlain(here) && isSettled(Math.max(folder.stat.mtimeMs, folder.stat.ctimeMs), memory.lookedAt)) found.read.set(folder.path, { signature, files, others })
  finishFolder(folder, kept, found)
}

const finishFolder = (folder: Folder, kept: number, found: Walk): void => {
  if (kept === 0) found.empty.push(folder.path)
  const permissions = folder.stat.mode & 0o7777
  if (permissions !== 0o755 && (folder.path.includes('/') || folder.path === 'work')) found.folders[folder.path] = permissions
}

/** Objects are mirrored, not kept as files; all but the file among them that names other object folders. */
const takeObjects = (folder: Folder, name: string, context: Context): number => {
  const stat = lstatSync(toNative(`${folder.real}/${name}`), { throwIfNoEntry: false })
  if (stat?.isDirectory() !== true) return takeEntry(folder, name, context)
  if (name === 'objects') keepAlternates(`${folder.path}/objects`, `${folder.real}/objects`, context.found)
  return 1
}

/** Looks at one thing in a folder, and returns how many there are to keep: 1 or 0. */
const takeEntry = (folder: Folder, name: string, context: Context): number => {
  const { found } = context
  const { inGit, tree } = folder
  const real = folder.real === '/' ? `/${name}` : `${folder.real}/${name}`
  const path = `${folder.path}/${toStoredName(name)}`
  if (real.length > LONGEST_PATH) {
    if (!inGit) found.leftOut.push({ path, reason: 'it lies too deep' })
    return 1
  }
  const stat = lstatSync(toNative(real), { throwIfNoEntry: false })
  if (stat === undefined) return 0
  if (stat.isDirectory()) {
    if (real === context.ownFolder) found.leftOut.push({ path, reason: 'Holdfast keeps its checkpoints here' })
    else if (context.otherAreas.has(real)) return 1
    else if (!inGit && isMadeFolder(name)) context.doubts.push({ path, real, stat, tree })
    else context.folders.push({ path, real, stat, tree, inGit: inGit || name === '.git' })
    return 1
  }
  if (!stat.isFile() && !stat.isSymbolicLink()) {
    if (!inGit || stat.isFIFO()) found.leftOut.push({ path, reason: `${specialKind(stat)}: it holds nothing to keep` })
    return 0
  }
  if (inGit && name === 'index') found.indexTimes[path] = Math.floor(stat.mtimeMs)
  const doubtful = !inGit && stat.isFile() && stat.size > context.limits.ignoredFile
  if (doubtful && (stat.size > context.limits.file || !isPrecious(name))) context.doubts.push({ path, real, stat, tree })
  else found.files.push(foundFile(path, real, stat))
  return 1
}

/** The one file among the objects that is none: it names other object folders. */
const keepAlternates = (path: string, real: string, found: Walk): void => {
  const file = `${real}/info/alternates`
  const stat = lstatSync(toNative(file), { throwIfNoEntry: false })
  if (stat?.isFile() === true) found.files.push(foundFile(`${path}/info/alternates`, file, stat))
}

const namesIn = (real: string): string[] => {
  try {
    return readdirSync(toNative(real), { encoding: 'latin1' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

export const identityOf = ({ dev, ino }: Stats): string => `${dev}:${ino}`

/** One file as the walk sees it; also used to look at a single path again. */
export const foundFile = (path: string, real: string, stat: Stats): FoundFile => {
  const link = stat.isSymbolicLink()
  return {
    path,
    real,
    mode: link ? '120000' : (stat.mode & 0o100) === 0 ? '100644' : '100755',
    permissions: link ? 0 : stat.mode & 0o7777,
    size: stat.size,
    identity: identityOf(stat),
    signature: `${stat.size}:${stat.mtimeMs}:${stat.ctimeMs}:${stat.ino}:${stat.mode}`,
    changedAt: Math.max(stat.mtimeMs, stat.ctimeMs),
  }
}

/** Where there is no git to ask, or nothing it would say: by size and by name alone. */
export const isOverLimit = (doubt: Doubt, limits: Limits): boolean => doubt.stat.isFile() && doubt.stat.size > limits.file

export const isDependencies = (doubt: Doubt): boolean => doubt.stat.isDirectory() && isDependencyFolder(doubt.path.slice(doubt.path.lastIndexOf('/') + 1))

export const tooLarge = (bytes: number): string => `too large (${(bytes / 1024 / 1024).toFixed(1)} MiB)`

const specialKind = (stat: Stats): string => (stat.isFIFO() ? 'a named pipe' : stat.isSocket() ? 'a socket' : 'a device')
