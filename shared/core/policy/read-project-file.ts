import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from 'node:fs'
import { isAbsolute, relative } from 'node:path'

const MAX_BYTES = 128 * 1024

/**
 * Reads a text file inside a project's folder, for what a script of it would run: null for what is elsewhere (links
 * resolved), no plain file, larger than 128 KiB, or not to be read. Never throws, and never waits on a pipe or a device.
 */
export const createProjectReader = (folder: string): ((path: string) => string | null) => (path) => {
  try {
    const real = realpathSync(path)
    const inside = relative(realpathSync(folder), real)
    if (inside === '' || inside.startsWith('..') || isAbsolute(inside)) return null
    const file = openSync(real, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW)
    try {
      const found = fstatSync(file)
      if (!found.isFile() || found.size > MAX_BYTES) return null
      const { size } = found
      const bytes = Buffer.alloc(size)
      return bytes.toString('utf8', 0, readSync(file, bytes, 0, size, 0))
    } finally {
      closeSync(file)
    }
  } catch {
    return null
  }
}
