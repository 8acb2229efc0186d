import { closeSync, constants, fstatSync, openSync, type Stats } from 'node:fs'
import { toNative } from './byte-path.ts'
import { identityOf, type FoundFile } from './walk.ts'

/** What was seen at a path is there no more. */
export class HasMoved extends Error {
  override readonly name = 'HasMoved'
}

/** Neither follows a link at its end nor waits for a pipe's other side. */
const open = (path: string): { handle: number; stat: Stats } => {
  const handle = openSync(toNative(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  return { handle, stat: fstatSync(handle) }
}

/** An ordinary file opened to be read; null for a link, a pipe, or what is not there. */
export const openPlain = (path: string): number | null => {
  try {
    const { handle, stat } = open(path)
    if (stat.isFile()) return handle
    closeSync(handle)
    return null
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'ENXIO'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
    throw error
  }
}

/**
 * The very file that was seen, opened: an agent at work can put a pipe, which nobody could be kept waiting by, or a link to
 * a file that it may not read, in its place or in that of a folder above. Null where a handle cannot be handed on. Throws
 * HasMoved, or node's own error.
 */
export const openSeen = (file: FoundFile): number | null => {
  if (process.platform === 'win32') return null
  const { handle, stat } = open(file.real)
  if (stat.isFile() && identityOf(stat) === file.identity) return handle
  closeSync(handle)
  throw new HasMoved(`${file.real} was replaced while it was looked at`)
}
