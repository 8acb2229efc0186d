import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { toNative } from './byte-path.ts'

/**
 * A file's bytes as a byte string, or null when there is no such file, or it is none: whoever controls the tree can put a
 * pipe, a device or something huge where git keeps a line of text, and nobody here waits for those.
 */
export const readPlain = (path: string, maxBytes = 64 * 1024 * 1024): string | null => {
  let handle: number
  try {
    handle = openSync(toNative(path), constants.O_RDONLY | constants.O_NONBLOCK)
  } catch {
    return null
  }
  try {
    const stat = fstatSync(handle)
    if (!stat.isFile() || stat.size > maxBytes) return null
    const bytes = Buffer.alloc(stat.size)
    return bytes.toString('latin1', 0, readSync(handle, bytes))
  } catch {
    return null
  } finally {
    closeSync(handle)
  }
}
