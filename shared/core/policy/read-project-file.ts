import { realpathSync } from 'node:fs'
import { isAbsolute, relative } from 'node:path'
import { readPlainFile } from '../plain-file.ts'

const MAX_BYTES = 128 * 1024

/**
 * Reads a text file inside a project's folder, for what a script of it would run: null for what is elsewhere (links
 * resolved), no plain file, larger than 128 KiB, or not to be read. Never throws, and never waits on a pipe or a device.
 */
export const createProjectReader = (folder: string): ((path: string) => string | null) => (path) => {
  try {
    const real = realpathSync(path)
    const inside = relative(realpathSync(folder), real)
    return inside === '' || inside.startsWith('..') || isAbsolute(inside) ? null : readPlainFile(real, MAX_BYTES)
  } catch {
    return null
  }
}
