import { chmodSync, closeSync, fchmodSync, futimesSync, lstatSync, mkdirSync, openSync, renameSync, rmdirSync, symlinkSync, unlinkSync, writeSync } from 'node:fs'
import { posix } from 'node:path'
import { recoveryPath, type Entry } from '../../domain/checkpoint-plan.ts'
import type { BlobSink } from './blob-stream.ts'
import { toNative } from './byte-path.ts'
import type { HeldFolders } from './held-folders.ts'

/** Puts files into place below one top folder, each aside first and then by a rename, never through a symbolic link. */
export const createPlacer = (held: HeldFolders, tag: string) => {
  const sound = new Set<string>()

  /**
   * Makes the folders down to `folder`. Returns it, or where to go instead when something that is not a folder stands in
   * the way: beside that, under a recovery name.
   */
  const makeFolder = (top: string, folder: string): string => {
    if (folder === top || sound.has(folder)) {
      if (folder === top) held.make(top)
      return folder
    }
    const parent = makeFolder(top, posix.dirname(folder))
    if (parent !== posix.dirname(folder)) {
      const elsewhere = posix.join(parent, posix.basename(folder))
      held.make(elsewhere)
      return elsewhere
    }
    const at = held.at(folder)
    const stat = lstatSync(toNative(at), { throwIfNoEntry: false })
    if (stat !== undefined && !stat.isDirectory()) {
      const beside = recoveryPath(folder, tag)
      held.make(beside)
      return beside
    }
    if (stat === undefined) mkdirSync(toNative(at))
    sound.add(folder)
    return folder
  }

  return {
    makeFolder,

    /** Takes one file's bytes and puts it at `real`. `done` is told where it went: elsewhere when a folder with something in it is there. */
    receive(top: string, real: string, entry: Entry, number: number, modifiedAt: number | undefined, done: (at: string) => void): BlobSink {
      const folder = makeFolder(top, posix.dirname(real))
      const aside = posix.join(folder, `.holdfast-${tag}-${number}`)
      const target = posix.join(folder, posix.basename(real))
      removeFile(held, aside)
      const finish = (): void => done(moveInto(held, aside, target, tag))
      if (entry.mode === '120000') {
        const parts: Buffer[] = []
        return {
          write: (chunk) => void parts.push(Buffer.from(chunk)),
          end() {
            symlinkSync(Buffer.concat(parts), toNative(held.at(aside)))
            finish()
          },
        }
      }
      const handle = openSync(toNative(held.at(aside)), 'wx', 0o600)
      return {
        write(chunk) {
          for (let at = 0; at < chunk.length; ) at += writeSync(handle, chunk, at)
        },
        end() {
          fchmodSync(handle, entry.permissions)
          if (modifiedAt !== undefined) futimesSync(handle, modifiedAt / 1000, modifiedAt / 1000)
          closeSync(handle)
          finish()
        },
      }
    },

    /** Clears what an interrupted run left aside. */
    sweep(real: string, number: number): void {
      removeFile(held, posix.join(posix.dirname(real), `.holdfast-${tag}-${number}`))
    },
  }
}
export type Placer = ReturnType<typeof createPlacer>

const moveInto = (held: HeldFolders, aside: string, target: string, tag: string): string => {
  const stat = lstatSync(toNative(held.at(target)), { throwIfNoEntry: false })
  const goal = stat?.isDirectory() === true && !removeFolder(held, target) ? recoveryPath(target, tag) : target
  renameSync(toNative(held.at(aside)), toNative(held.at(goal)))
  return goal
}

/** True when the folder is gone; false when it holds something, or is none. */
export const removeFolder = (held: HeldFolders, real: string): boolean => {
  const path = held.find(real)
  try {
    if (path !== null) rmdirSync(toNative(path))
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return true
    if (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOTDIR' || code === 'EBUSY') return false
    throw error
  }
}

export const removeFile = (held: HeldFolders, real: string): void => {
  const path = held.find(real)
  try {
    if (path !== null) unlinkSync(toNative(path))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error
  }
}

/** Changes permissions from one value to another, and leaves alone what is neither. */
export const setPermissions = (held: HeldFolders, real: string, from: number, to: number): void =>
  held.visit(real, (path, stat) => {
    if (!stat.isSymbolicLink() && (stat.mode & 0o7777) === from) chmodSync(path, to)
  })
