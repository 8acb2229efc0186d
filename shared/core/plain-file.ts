import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'

/** A link that was put in a file's place, or a pipe, opens nothing and holds nobody up (open(2)); 0 where there is no such flag. */
export const PLAIN_ONLY = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

/** Looks at a file that grows while it is read. */
const ATTEMPTS = 5

/**
 * The text of a file that somebody else may change at any moment: no link is followed, no pipe waited for, and what is
 * looked at is what is read. null for what is missing, is no plain file, is longer than `largestBytes` or does not stop growing.
 */
export const readPlainFile = (file: string, largestBytes: number): string | null => {
  let handle: number
  try {
    handle = openSync(file, PLAIN_ONLY)
  } catch {
    return null
  }
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const stat = fstatSync(handle)
      if (!stat.isFile() || stat.size > largestBytes) return null
      const content = Buffer.alloc(stat.size + 1)
      let length = 0
      for (let got = -1; got !== 0 && length < content.length; length += got) got = readSync(handle, content, length, content.length - length, length)
      if (length <= stat.size) return content.toString('utf8', 0, length)
    }
    return null
  } catch {
    return null
  } finally {
    closeSync(handle)
  }
}
