import { lstat, mkdir } from 'node:fs/promises'
import { HoldfastError } from '../../contract/errors.ts'
import { asFileFault } from '../file-fault.ts'

/**
 * Makes sure that a folder is there which only this user can enter (0700), with its parents.
 * Throws HoldfastError `unauthorised` when it is someone else's, a link, or open to others: it is not changed then,
 * since a folder that was not made for this may be shared on purpose. Throws `disk-full` or `read-only` when it cannot
 * be made.
 */
export const ensurePrivateFolder = async (folder: string): Promise<void> => {
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw asFileFault(folder, error)
  })
  const found = await lstat(folder)
  if (!found.isDirectory())
    throw new HoldfastError('unauthorised', `${folder} is a link. Put a folder of its own there.`)
  const { mode, uid } = found
  if (process.getuid !== undefined && uid !== process.getuid()) {
    throw new HoldfastError(
      'unauthorised',
      `${folder} belongs to another user. Set HOLDFAST_HOME to a folder of your own.`,
    )
  }
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw new HoldfastError('unauthorised', `${folder} is open to other users. Close it with: chmod 700 '${folder}'`)
  }
}
