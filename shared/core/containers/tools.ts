import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
/** Not the user's PATH: what builds the container must not be something the agent could have put there. */
const SYSTEM_PATH = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/run/current-system/sw/bin']

/** A tool of the system, absolute; null when it is not installed. */
export const findTool = (name: string, folders: readonly string[] = SYSTEM_PATH): string | null => {
  for (const folder of folders) {
    const file = path.join(folder, name)
    try {
      accessSync(file, constants.X_OK)
      return file
    } catch {
      // Not here.
    }
  }
  return null
}

/** null when the command ended well, else the first line it said about why not. */
export const tryTool = async (file: string, args: readonly string[]): Promise<string | null> => {
  try {
    await run(file, args, { env: {}, timeout: 5_000 })
    return null
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim().split('\n')[0]
    return said === undefined || said === '' ? String((error as Error).message) : said
  }
}
