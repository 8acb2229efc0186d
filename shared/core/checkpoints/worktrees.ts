import { existsSync, lstatSync, readdirSync, writeFileSync } from 'node:fs'
import { posix } from 'node:path'
import { parsePackedRefs } from '../../domain/checkpoint-plan.ts'
import { toNative } from './byte-path.ts'
import type { HeldFolders } from './held-folders.ts'
import { realPath, type Areas } from './layout.ts'
import { readPlain } from './read-plain.ts'

/** What of a repository belongs to its other working trees, as stored paths: none of it is this session's to move. */
export interface OtherWorktrees {
  /** Their HEAD, index and the like. */
  readonly folders: readonly string[]
  /** Full names of the branches they have checked out. */
  readonly branches: readonly string[]
}

/** Finds the working trees outside this one that share the repository whose refs lie at `refsHome`. */
export const findOtherWorktrees = (areas: Areas, refsHome: string): OtherWorktrees => {
  const home = realPath(areas, refsHome)
  const folders: string[] = []
  const heads: (string | null)[] = areas.common === undefined ? [] : [readPlain(`${home}/HEAD`)]
  for (const name of namesIn(`${home}/worktrees`)) {
    const folder = `${home}/worktrees/${name}`
    const lies = readPlain(`${folder}/gitdir`)?.trim()
    if (lies === undefined || folder === areas.git || posix.resolve(folder, lies).startsWith(`${areas.work}/`)) continue
    // A working tree whose folder is gone is no one's any more.
    if (!existsSync(toNative(posix.resolve(folder, lies)))) continue
    folders.push(`${refsHome}/worktrees/${name}`)
    heads.push(readPlain(`${folder}/HEAD`))
  }
  return { folders, branches: heads.flatMap((head) => /^ref: (refs\/heads\/.+?)\n?$/.exec(head ?? '')?.[1] ?? []) }
}

/** The value of a ref now, loose before packed; null when there is none. */
export const refValue = (home: string, name: string): string | null =>
  readPlain(`${home}/${name}`)?.trim() ?? parsePackedRefs(readPlain(`${home}/packed-refs`) ?? '').get(name) ?? null

/** Gives branches that are only packed a file of their own, so that they keep their value when `packed-refs` is replaced. */
export const unpackBranches = (held: HeldFolders, home: string, names: readonly string[]): void => {
  for (const name of names) {
    const file = `${home}/${name}`
    const value = lstatSync(toNative(file), { throwIfNoEntry: false }) === undefined ? refValue(home, name) : null
    if (value === null) continue
    held.make(posix.dirname(file))
    writeFileSync(toNative(held.at(file)), `${value}\n`, { flag: 'wx' })
  }
}

const namesIn = (folder: string): string[] => (existsSync(toNative(folder)) ? readdirSync(toNative(folder), { encoding: 'latin1' }) : [])
