import { chmodSync, closeSync, fchmodSync, lstatSync, mkdirSync, openSync, renameSync, rmSync, rmdirSync, symlinkSync, unlinkSync, utimesSync, writeSync } from 'node:fs'
import { posix } from 'node:path'
import { recoveryPath, type Entry } from '../../domain/checkpoint-plan.ts'
import type { BlobSink } from './blob-stream.ts'
import { toNative } from './byte-path.ts'

/** Tells whether a path lies in its area without a symbolic link on the way: what lies beyond one is not the area's. */
export const createReach = (top: (path: string) => string) => {
  const sound = new Map<string, boolean>()
  const isSound = (folder: string, area: string): boolean => {
    if (folder === area) return true
    const known = sound.get(folder)
    if (known !== undefined) return known
    const is = folder.length > area.length && isSound(posix.dirname(folder), area) && lstatSync(toNative(folder), { throwIfNoEntry: false })?.isDirectory() === true
    sound.set(folder, is)
    return is
  }
  return (stored: string, real: string): boolean => real === top(stored) || isSound(posix.dirname(real), top(stored))
}

/** Puts files into place below one top folder, each aside first and then by a rename, never through a symbolic link. */
export const createPlacer = (tag: string) => {
  const sound = new Set<string>()

  /**
   * Makes the folders down to `folder`. Returns it, or where to go instead when something that is not a folder stands in
   * the way: beside that, under a recovery name.
   */
  const makeFolder = (top: string, folder: string): string => {
    if (folder === top || sound.has(folder)) {
      if (folder === top) mkdirSync(toNative(top), { recursive: true })
      return folder
    }
    const parent = makeFolder(top, posix.dirname(folder))
    if (parent !== posix.dirname(folder)) {
      const elsewhere = posix.join(parent, posix.basename(folder))
      mkdirSync(toNative(elsewhere), { recursive: true })
      return elsewhere
    }
    const stat = lstatSync(toNative(folder), { throwIfNoEntry: false })
    if (stat !== undefined && !stat.isDirectory()) {
      const beside = recoveryPath(folder, tag)
      mkdirSync(toNative(beside), { recursive: true })
      return beside
    }
    if (stat === undefined) mkdirSync(toNative(folder))
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
      rmSync(toNative(aside), { force: true })
      const finish = (): void => done(moveInto(aside, target, tag))
      if (entry.mode === '120000') {
        const parts: Buffer[] = []
        return {
          write: (chunk) => void parts.push(Buffer.from(chunk)),
          end() {
            symlinkSync(Buffer.concat(parts), toNative(aside))
            finish()
          },
        }
      }
      const handle = openSync(toNative(aside), 'wx', 0o600)
      return {
        write(chunk) {
          for (let at = 0; at < chunk.length; ) at += writeSync(handle, chunk, at)
        },
        end() {
          fchmodSync(handle, entry.permissions)
          closeSync(handle)
          if (modifiedAt !== undefined) utimesSync(toNative(aside), modifiedAt / 1000, modifiedAt / 1000)
          finish()
        },
      }
    },

    /** Clears what an interrupted run left aside. */
    sweep(real: string, number: number): void {
      rmSync(toNative(posix.join(posix.dirname(real), `.holdfast-${tag}-${number}`)), { force: true })
    },
  }
}
export type Placer = ReturnType<typeof createPlacer>

const moveInto = (aside: string, target: string, tag: string): string => {
  const stat = lstatSync(toNative(target), { throwIfNoEntry: false })
  if (stat?.isDirectory() === true && !removeFolder(target)) {
    const beside = recoveryPath(target, tag)
    renameSync(toNative(aside), toNative(beside))
    return beside
  }
  renameSync(toNative(aside), toNative(target))
  return target
}

/** True when the folder is gone; false when it holds something, or is none. */
export const removeFolder = (real: string): boolean => {
  try {
    rmdirSync(toNative(real))
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return true
    if (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOTDIR' || code === 'EBUSY') return false
    throw error
  }
}

export const removeFile = (real: string): void => {
  try {
    unlinkSync(toNative(real))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error
  }
}

/** Changes permissions from one value to another, and leaves alone what is neither. */
export const setPermissions = (real: string, from: number, to: number): void => {
  const stat = lstatSync(toNative(real), { throwIfNoEntry: false })
  if (stat !== undefined && !stat.isSymbolicLink() && (stat.mode & 0o7777) === from) chmodSync(toNative(real), to)
}
