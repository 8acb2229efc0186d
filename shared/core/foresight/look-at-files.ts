import { constants } from 'node:fs'
import { lstat, open, opendir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { PathMeant } from '../../domain/foresight/operands.ts'

/** What a look at files found: as many as it saw, and whether that is all. */
export interface FilesFound {
  readonly files: number
  readonly folders: number
  readonly bytes: number
  readonly isAll: boolean
  /** The first of them, absolute, with their size. */
  readonly listed: readonly { readonly path: string; readonly bytes: number }[]
}

const MAX_SEEN = 50_000
const MAX_LISTED = 100

/** `*`, `?` and `[…]` in one name, as a shell reads them; names with a dot first only where the pattern has one. */
const nameMatcher = (pattern: string): ((name: string) => boolean) | null => {
  if (/[/{}]/.test(pattern) || pattern.split('*').length > 8) return null
  const source = pattern.replaceAll(/[.+^$()|\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.').replaceAll('[!', '[^')
  try {
    const regex = new RegExp(`^${source}$`, 's')
    return (name) => name.length <= 255 && (pattern.startsWith('.') || !name.startsWith('.')) && regex.test(name)
  } catch {
    return null
  }
}

/** The paths that an operand stands for now; null when its stars are more than a look can follow. */
export const pathsOf = async ({ path, pattern }: PathMeant): Promise<readonly string[] | null> => {
  if (pattern === null) return [path]
  const matches = nameMatcher(pattern)
  if (matches === null) return null
  const names = await readdir(path).catch(() => [])
  return names.filter(matches).sort().map((name) => join(path, name))
}

/** Counts files below the paths, without following a symbolic link and without opening one. Ends early at 50,000, or when `signal` aborts. */
export const lookAtFiles = async (paths: readonly string[], signal: AbortSignal): Promise<FilesFound> => {
  const found = { files: 0, folders: 0, bytes: 0, isAll: true, listed: [] as { path: string; bytes: number }[] }
  const waiting = [...paths].reverse()
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (signal.aborted || found.files + found.folders >= MAX_SEEN) return { ...found, isAll: false }
    const stat = await lstat(path).catch(() => null)
    if (stat === null) continue
    if (!stat.isDirectory()) {
      found.files += 1
      found.bytes += stat.isFile() ? stat.size : 0
      if (found.listed.length < MAX_LISTED) found.listed.push({ path, bytes: stat.isFile() ? stat.size : 0 })
      continue
    }
    found.folders += 1
    const folder = await opendir(path).catch(() => null)
    if (folder === null) {
      found.isAll = false
      continue
    }
    const names: string[] = []
    for await (const { name } of folder) {
      names.push(name)
      if (names.length >= MAX_SEEN) {
        found.isAll = false
        break
      }
    }
    waiting.push(...names.sort().reverse().map((name) => join(path, name)))
  }
  return found
}

const MAX_COMPARED = 256 * 1024

/** The text of an ordinary file of at most 256 KiB, empty when there is none; null for anything else. Follows no link. */
export const readForPreview = async (path: string): Promise<string | null> => {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? 'none' : null))
  if (file === null || file === 'none') return file === null ? null : ''
  try {
    const stat = await file.stat()
    return stat.isFile() && stat.size <= MAX_COMPARED ? await file.readFile('utf8') : null
  } finally {
    await file.close()
  }
}
