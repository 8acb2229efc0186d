import { constants } from 'node:fs'
import { access, realpath, stat } from 'node:fs/promises'
import { delimiter, isAbsolute, join, resolve } from 'node:path'

const isExecutableFile = async (file: string): Promise<boolean> => {
  try {
    await access(file, constants.X_OK)
    return (await stat(file)).isFile()
  } catch {
    return false
  }
}

/**
 * The absolute path a shell would run for `name` with this PATH, or null. A name with a slash is taken from `cwd`.
 * The path is not resolved through links, since some programs look at the name they were called by.
 */
export const findExecutable = async (name: string, path: string, cwd: string): Promise<string | null> => {
  if (name.includes('/')) {
    const file = resolve(cwd, name)
    return (await isExecutableFile(file)) ? file : null
  }
  for (const folder of path.split(delimiter)) {
    if (!isAbsolute(folder)) continue
    const file = join(folder, name)
    if (await isExecutableFile(file)) return file
  }
  return null
}

/** What must be readable to run `file`: itself, and where its links lead. */
export const filesBehind = async (file: string): Promise<readonly string[]> => {
  const real = await realpath(file)
  return real === file ? [file] : [file, real]
}
