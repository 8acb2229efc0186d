import { existsSync } from 'node:fs'
import { readdir, realpath } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
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

const MAX_DEPTH = 6
const MAX_LOOKED_AT = 20_000
const MAX_FOUND = 10
/** Never a project, and large. */
const PASSED_OVER = new Set(['node_modules', '__pycache__', 'target', 'vendor'])

/**
 * The folders below `top` of this name that hold all these entries, the nearest first: a browser tells of a dropped
 * folder its name and what is in it, and not where it lies. Looks at 20,000 folders at most.
 */
export const findFolders = async (top: string, name: string, holds: readonly string[]): Promise<string[]> => {
  const found: string[] = []
  let level = [top]
  let looked = 0
  for (let depth = 0; depth <= MAX_DEPTH && level.length > 0 && found.length < MAX_FOUND; depth += 1) {
    const next: string[] = []
    for (const folder of level) {
      if ((looked += 1) > MAX_LOOKED_AT) return found
      const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
      if (basename(folder) === name && holds.every((one) => entries.some((entry) => entry.name === one))) found.push(folder)
      for (const entry of entries) if (entry.isDirectory() && !entry.name.startsWith('.') && !PASSED_OVER.has(entry.name)) next.push(join(folder, entry.name))
    }
    level = next
  }
  return found.slice(0, MAX_FOUND)
}
