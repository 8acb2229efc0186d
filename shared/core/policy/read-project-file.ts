import { lstatSync, realpathSync } from 'node:fs'
import { dirname, isAbsolute, relative } from 'node:path'
import { readPlainFile } from '../plain-file.ts'

const MAX_BYTES = 128 * 1024

const isWithin = (path: string, folder: string): boolean => {
  const inside = relative(realpathSync(folder), realpathSync(path))
  return !inside.startsWith('..') && !isAbsolute(inside)
}

/** What of a path is there, link or not: what does not lead anywhere may do so later. */
const existing = (path: string): string => (lstatSync(path, { throwIfNoEntry: false }) === undefined && dirname(path) !== path ? existing(dirname(path)) : path)

/**
 * Reads a text file inside a project's folder, for what a script of it would run: undefined where nothing is, null for
 * what is or would be elsewhere (links resolved), no plain file, larger than 128 KiB, or not to be read. Never throws, and
 * never waits on a pipe or a device.
 */
export const createProjectReader = (folder: string): ((path: string) => string | null | undefined) => (path) => {
  try {
    const there = existing(path)
    if (!isWithin(there, folder)) return null
    return there === path ? readPlainFile(realpathSync(path), MAX_BYTES) : undefined
  } catch {
    return null
  }
}
