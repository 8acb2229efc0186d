import { lstat, mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'

/**
 * Writes a file of an agent's configuration in its home. The agent owns that, and may have put links there to have the
 * host write elsewhere: so the folder must be a real one, and the file is put in place by rename, which follows no link.
 */
export const writeOwnFile = async (folder: string, name: string, text: string): Promise<void> => {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  if (!(await lstat(folder)).isDirectory()) {
    throw new HoldfastError('agent-refused', `${folder} is not a folder of the agent's own. Move it away, and start again.`)
  }
  const aside = join(folder, `${name}.${process.pid}.${Date.now()}`)
  await writeFile(aside, text, { mode: 0o600, flag: 'wx' })
  await rename(aside, join(folder, name))
}
