import { createHash } from 'node:crypto'
import { closeSync, constants, copyFileSync, existsSync, linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, type Stats } from 'node:fs'
import { join, posix } from 'node:path'
import { toNative } from './byte-path.ts'
import type { HeldFolders } from './held-folders.ts'
import { openPlain } from './open-seen.ts'
import { readPlain } from './read-plain.ts'

/** Names of a git folder's object files, relative to that folder, by the folder's stored path. */
export type ObjectLists = Readonly<Record<string, readonly string[]>>

const OBJECT_FILE = /^(objects\/([0-9a-f]{2}\/[0-9a-f]{38,62}|pack\/pack-[0-9a-f]{40,64}\.(pack|idx|rev|keep|promisor|mtimes))|lfs\/objects\/[0-9a-f]{2}\/[0-9a-f]{2}\/[0-9a-f]{64})$/
const OBJECT_FOLDER = /^(objects(\/([0-9a-f]{2}|pack))?|lfs(\/objects(\/[0-9a-f]{2}){0,2})?)$/

/** What would take too long, and too much of the disk, to be copied: packs, LFS files, objects of more bytes than this, and past so many in one look. */
const LARGE_FILE = /^(objects\/pack|lfs)\//
const LARGE_BYTES = 16 * 1024 * 1024
const MOST_COPIED_BYTES = 1024 ** 3

/** Stands for the stored path of object folders that a repository only reads from. */
const BORROWED = ''

/** Long enough for the coarsest file system clock in use: a folder changed later than this before a look may change unseen. */
const SETTLED_MS = 2_000

/**
 * Keeps the object files of git folders, so that whatever happens to those folders the objects stay: copies, as what is
 * written into a file by one of its names is in all of them, and of packs and LFS files hard links, where one is possible. A
 * container shows an agent the packs read-only.
 */
export const createObjectMirror = (folder: string) => {
  let copied = 0
  const keepNew = (real: string, file: string, home: string): boolean => {
    const size = LARGE_FILE.test(file) ? null : (lstatSync(toNative(`${real}/${file}`), { throwIfNoEntry: false })?.size ?? 0)
    if (size === null || size > LARGE_BYTES || (copied += size) > MOST_COPIED_BYTES) return linkOrCopy(`${real}/${file}`, join(home, file))
    return copyOnce(`${real}/${file}`, join(home, file))
  }
  const seen = new Map<string, { signature: string; files: string[]; folders: string[] }>()
  const homeOf = (stored: string, real: string): string =>
    join(folder, `${stored === BORROWED ? 'borrowed-' : ''}${createHash('sha256').update(`${stored}\0${real}`, 'latin1').digest('hex').slice(0, 16)}`)

  /** Lists what is there, and links what is new since the last look. */
  const look = (real: string, inside: string, home: string, list: string[]): void => {
    const stat = lstatSync(toNative(`${real}/${inside}`), { throwIfNoEntry: false })
    if (stat?.isDirectory() !== true) return
    const signature = `${stat.ino}:${stat.mtimeMs}:${stat.ctimeMs}`
    const key = `${home}\0${inside}`
    const known = seen.get(key)
    let entry = known?.signature === signature ? known : undefined
    if (entry === undefined) {
      const names = readdirSync(toNative(`${real}/${inside}`), { encoding: 'latin1' }).map((name) => `${inside}/${name}`)
      entry = { signature, files: names.filter((name) => OBJECT_FILE.test(name)), folders: names.filter((name) => OBJECT_FOLDER.test(name)) }
      if (entry.files.length > 0) mkdirSync(join(home, inside), { recursive: true, mode: 0o700 })
      const before = new Set(known?.files)
      entry.files = entry.files.filter((file) => before.has(file) || keepNew(real, file, home))
      if (stat.ctimeMs + SETTLED_MS < Date.now()) seen.set(key, entry)
    }
    for (const file of entry.files) list.push(file)
    for (const next of entry.folders) look(real, next, home, list)
  }

  return {
    /** Mirrors every git folder and returns the list of its object files. Throws node's ENOENT when a repack gets in between: look again. */
    keep(gitFolders: ReadonlyMap<string, string>): ObjectLists {
      const lists: Record<string, string[]> = {}
      copied = 0
      for (const [stored, real] of gitFolders) {
        const list: string[] = []
        const home = homeOf(stored, real)
        look(real, 'objects', home, list)
        look(real, 'lfs', home, list)
        lists[stored] = list.sort()
        for (const borrowed of alternatesOf(`${real}/objects`)) look(posix.dirname(borrowed), 'objects', homeOf(BORROWED, borrowed), [])
      }
      return lists
    },

    /** Object folders git can read from. */
    alternates(): string[] {
      if (!existsSync(folder)) return []
      return readdirSync(folder).map((home) => join(folder, home, 'objects')).filter((objects) => existsSync(objects))
    },

    /** Puts back the listed files that are missing in a git folder, or are not what they were; without its `objects`, empty or not, git sees no repository. */
    giveBack(held: HeldFolders, stored: string, real: string, files: readonly string[]): void {
      for (const folder of new Set([`${real}/objects`, ...files.map((file) => posix.dirname(`${real}/${file}`))])) makeFolders(held, real, folder)
      for (const file of files) {
        const at = held.at(`${real}/${file}`)
        const there = lstatSync(toNative(at), { throwIfNoEntry: false })
        const kept = join(homeOf(stored, real), file)
        const { size } = lstatSync(toNative(kept))
        const isLarge = LARGE_FILE.test(file) || size > LARGE_BYTES
        if (there?.isFile() === true && isAsKept(at, there, kept, isLarge)) continue
        if (there !== undefined) held.clear(`${real}/${file}`)
        if (isLarge) linkOrCopy(kept, at)
        else copyOnce(kept, at)
      }
    },

    /** Drops every mirrored file that is in none of the lists; what a repository borrows stays. */
    keepOnly(lists: readonly { stored: string; real: string; files: readonly string[] }[]): void {
      seen.clear()
      const wanted = new Map<string, Set<string>>()
      for (const { stored, real, files } of lists) {
        const home = homeOf(stored, real)
        wanted.set(home, new Set([...(wanted.get(home) ?? []), ...files]))
      }
      for (const name of existsSync(folder) ? readdirSync(folder) : []) {
        const home = join(folder, name)
        const files = wanted.get(home)
        if (name.startsWith('borrowed-')) continue
        if (files === undefined) {
          rmSync(home, { recursive: true })
          continue
        }
        for (const entry of readdirSync(home, { recursive: true, withFileTypes: true })) {
          const file = join(entry.parentPath, entry.name)
          if (entry.isFile() && !files.has(file.slice(home.length + 1))) rmSync(file)
        }
      }
    },

    /** Removes the objects of a git folder that is to vanish, once every one of them is known to be in the mirror. */
    clear(held: HeldFolders, stored: string, real: string): void {
      this.keep(new Map([[stored, real]]))
      for (const name of ['objects', 'lfs']) held.clear(`${real}/${name}`)
    },
  }
}
export type ObjectMirror = ReturnType<typeof createObjectMirror>

/** Makes the folders below `real` down to `folder`; what took the place of one, a link above all, is taken away. */
const makeFolders = (held: HeldFolders, real: string, folder: string): void => {
  if (folder === real) return held.make(real)
  makeFolders(held, real, posix.dirname(folder))
  const stat = lstatSync(toNative(held.at(folder)), { throwIfNoEntry: false })
  if (stat !== undefined && !stat.isDirectory()) held.clear(folder)
  held.make(folder)
}

/** Whether an object file of a repository still holds what was kept of it; of a large one whether it is as long. */
const isAsKept = (at: string, there: Stats, kept: string, isLarge: boolean): boolean => {
  const stat = lstatSync(toNative(kept))
  if (there.ino === stat.ino && there.dev === stat.dev) return true
  if (there.size !== stat.size) return false
  return isLarge || there.ctimeMs + SETTLED_MS < stat.ctimeMs || readPlainBytes(at)?.equals(readFileSync(toNative(kept))) === true
}

/** The bytes of a plain file; null for a pipe, a link, or what is gone. */
const readPlainBytes = (file: string): Buffer | null => {
  const handle = openPlain(file)
  if (handle === null) return null
  try {
    return readFileSync(handle)
  } finally {
    closeSync(handle)
  }
}

const copyOnce = (from: string, to: string): boolean => lstatSync(toNative(to), { throwIfNoEntry: false })?.isFile() === true || copy(from, to)

/**
 * Puts a file at `to` too, where there is none, and says whether it is one: whoever controls a git folder can put a pipe,
 * or a link to a file of others, where an object should be.
 */
const linkOrCopy = (from: string, to: string): boolean => {
  try {
    linkSync(toNative(from), toNative(to))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOSPC') throw error
    if (code !== 'EEXIST') return copy(from, to)
  }
  if (lstatSync(toNative(to)).isFile()) return true
  rmSync(toNative(to))
  return false
}

const copy = (from: string, to: string): boolean => {
  const handle = openPlain(from)
  if (handle === null) return false
  try {
    const aside = `${to}.part`
    rmSync(toNative(aside), { force: true })
    copyFileSync(process.platform === 'linux' ? `/proc/self/fd/${handle}` : toNative(from), toNative(aside), constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL)
    renameSync(toNative(aside), toNative(to))
    return true
  } finally {
    closeSync(handle)
  }
}

/** Object folders that a repository borrows from, and those they borrow from. */
const alternatesOf = (objects: string, depth = 5): string[] => {
  const lines = (readPlain(`${objects}/info/alternates`, 65_536) ?? '').split('\n')
  const named = lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => posix.resolve(objects, line))
  return depth === 0 ? [] : named.flatMap((folder) => [folder, ...alternatesOf(folder, depth - 1)])
}
