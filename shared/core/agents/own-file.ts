import { lstat, mkdir, rename, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'

/**
 * Makes the folder `path` (relative) of an agent's home, and gives it absolute. The agent owns that home, and may have
 * put links there to have the host write elsewhere: every step must be a real folder. Throws HoldfastError `agent-refused`.
 */
export const makeOwnFolder = async (home: string, path: string): Promise<string> => {
  await mkdir(home, { recursive: true, mode: 0o700 })
  let folder = home
  for (const name of path.split('/')) {
    folder = join(folder, name)
    await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
    if (!(await lstat(folder)).isDirectory()) {
      throw new HoldfastError('agent-refused', `${folder} is not a folder of the agent's own. Move it away, and start again.`)
    }
  }
  return folder
}

/** Writes the file `path` (relative, in a folder) of an agent's home, as `makeOwnFolder`; put in place by rename, which follows no link. */
export const writeOwnFile = async (home: string, path: string, text: string): Promise<void> => {
  const folder = await makeOwnFolder(home, dirname(path))
  const aside = join(folder, `${basename(path)}.${process.pid}.${Date.now()}`)
  await writeFile(aside, text, { mode: 0o600, flag: 'wx' })
  await rename(aside, join(folder, basename(path)))
}
