import { closeSync, constants, existsSync, fstatSync, lstatSync, mkdirSync, openSync, readdirSync, rmdirSync, unlinkSync, type Stats } from 'node:fs'
import { posix } from 'node:path'
import { toNative, toText } from './byte-path.ts'
import { HasMoved } from './open-seen.ts'
import { identityOf } from './walk.ts'

/** Opens a folder for no more than to go on from it: open(2). Node has no name for it. */
const O_PATH = 0o10000000
const MOST_OPEN = 100

const isGone = (error: unknown): boolean => ['ENOENT', 'ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')
const identityAt = (path: string): string | null => {
  try {
    const stat = lstatSync(toNative(path), { throwIfNoEntry: false })
    return stat?.isDirectory() === true ? identityOf(stat) : null
  } catch (error) {
    if (isGone(error)) return null
    throw error
  }
}

/**
 * Reaches what lies in a folder through that folder itself, opened name by name and never through a symbolic link, so that
 * whoever puts a link in its place meanwhile leads no write elsewhere. Where the system cannot do that (it is Linux that
 * can), every folder on the way is looked at again each time. Paths are byte paths; `close` at the end.
 */
export const holdFolders = () => {
  const canHold = process.platform === 'linux' && existsSync('/proc/self/fd')
  const held = new Map<string, { readonly handle: number; readonly identity: string }>()

  const letGo = (folder: string): void => {
    const known = held.get(folder)
    held.delete(folder)
    if (known !== undefined) closeSync(known.handle)
  }

  /** What a name in the folder is to be put behind; null when there is no such folder, or a link on the way. */
  const open = (folder: string): string | null => {
    if (!canHold) return identityAt(folder) !== null && (folder === '/' || open(posix.dirname(folder)) !== null) ? folder : null
    const known = held.get(folder)
    if (known !== undefined) {
      if (identityAt(folder) === known.identity) {
        held.delete(folder)
        held.set(folder, known)
        return `/proc/self/fd/${known.handle}`
      }
      letGo(folder)
    }
    const above = folder === '/' ? '' : open(posix.dirname(folder))
    if (above === null) return null
    try {
      const handle = openSync(toNative(`${above}/${posix.basename(folder)}`), O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW)
      held.set(folder, { handle, identity: identityOf(fstatSync(handle)) })
      return `/proc/self/fd/${handle}`
    } catch (error) {
      if (isGone(error)) return null
      throw error
    }
  }

  const find = (real: string): string | null => {
    // Those used last stay.
    if (held.size > MOST_OPEN) [...held.keys()].slice(0, MOST_OPEN / 2).forEach(letGo)
    const above = open(posix.dirname(real))
    return above === null ? null : `${above}/${posix.basename(real)}`
  }

  return {
    /** The path by which `real` is reached, whether or not it is there; null when its folder is not, or lies behind a link. */
    find,

    /** The same; throws HasMoved instead. */
    at(real: string): string {
      const path = find(real)
      if (path === null) throw new HasMoved(`${posix.dirname(real)} was replaced while something was put into it`)
      return path
    },

    /** Makes the folder and those above it. Throws HasMoved where something that is no folder is in the way. */
    make(folder: string): void {
      if (open(folder) !== null) return
      if (folder !== '/') this.make(posix.dirname(folder))
      try {
        mkdirSync(toNative(this.at(folder)))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      if (open(folder) === null) throw new HasMoved(`${folder} is no folder any more`)
    },

    /** Hands over what is at `real`, if anything: a path that goes on naming just that, and what it is. A link itself, not what it leads to. */
    visit(real: string, work: (path: string | Buffer, stat: Stats) => void): void {
      const path = find(real)
      if (path === null) return
      if (!canHold) {
        const stat = lstatSync(toNative(path), { throwIfNoEntry: false })
        return stat === undefined ? undefined : work(toNative(path), stat)
      }
      let handle: number
      try {
        handle = openSync(toNative(path), O_PATH | constants.O_NOFOLLOW)
      } catch (error) {
        if (isGone(error)) return
        throw error
      }
      try {
        work(`/proc/self/fd/${handle}`, fstatSync(handle))
      } finally {
        closeSync(handle)
      }
    },

    /** Removes whatever is at `real`, with all that is in it. */
    clear(real: string): void {
      const path = find(real)
      const stat = path === null ? undefined : lstatSync(toNative(path), { throwIfNoEntry: false })
      if (path === null || stat === undefined) return
      if (!stat.isDirectory()) return unlinkSync(toNative(path))
      const inside = open(real)
      if (inside !== null) for (const name of readdirSync(toNative(`${inside}/.`), { encoding: 'latin1' })) this.clear(posix.join(real, name))
      letGo(real)
      rmdirSync(toNative(this.at(real)))
    },

    /** The error with paths that a person knows. */
    inWords(error: unknown): unknown {
      const { code, path, message } = error as NodeJS.ErrnoException
      const [, handle, name] = /^\/proc\/self\/fd\/(\d+)\/?(.*)$/s.exec(path ?? '') ?? []
      const folder = [...held].find(([, known]) => String(known.handle) === handle)?.[0]
      if (path === undefined || folder === undefined) return error
      const known = posix.join(toText(folder), name ?? '')
      return Object.assign(new Error(message.replaceAll(path, known), { cause: error }), { code, path: known })
    },

    close: (): void => [...held.keys()].forEach(letGo),
  }
}
export type HeldFolders = ReturnType<typeof holdFolders>
