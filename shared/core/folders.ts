import { existsSync } from 'node:fs'
import { readdir, realpath } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { HoldfastError } from '../contract/errors.ts'

const MAX_FOLDERS = 500

export interface FolderListing {
  readonly path: string
  /** null at the top. */
  readonly parent: string | null
  readonly folders: { readonly name: string; readonly hasGit: boolean }[]
  readonly more: boolean
}

/** The folders in a folder by name, without those whose name begins with a dot. Throws HoldfastError `not-a-directory`. */
export const listFolders = async (path: string): Promise<FolderListing> => {
  try {
    const real = await realpath(resolve(path))
    const names = (await readdir(real, { withFileTypes: true })).filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => name).toSorted((a, b) => a.localeCompare(b))
    const folders = names.slice(0, MAX_FOLDERS).map((name) => ({ name, hasGit: existsSync(join(real, name, '.git')) }))
    return { path: real, parent: dirname(real) === real ? null : dirname(real), folders, more: names.length > MAX_FOLDERS }
  } catch {
    throw new HoldfastError('not-a-directory', `${path} is no folder that can be read. Choose another.`)
  }
}
