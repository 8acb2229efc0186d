import { constants } from 'node:fs'
import { access, realpath, stat } from 'node:fs/promises'
import { delimiter, isAbsolute, join, resolve } from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'
import { isWithin } from '../containers/mount-plan.ts'
import { requireTrusted } from '../program-trust.ts'

const isExecutableFile = async (file: string): Promise<boolean> => {
  try {
    await access(file, constants.X_OK)
    return (await stat(file)).isFile()
  } catch {
    return false
  }
}

/**
 * The folders of a PATH where an agent could not have put a program: those that are relative, or that lie in one of
 * `agentFolders` (absolute, resolved) once links are followed, are left out.
 */
export const foldersToSearch = async (path: string, agentFolders: readonly string[]): Promise<readonly string[]> => {
  const folders = await Promise.all(
    path.split(delimiter).map(async (folder) => {
      const real = isAbsolute(folder) ? await realpath(folder).catch(() => null) : null
      return real === null || agentFolders.some((own) => isWithin(real, own)) ? [] : [folder]
    }),
  )
  return folders.flat()
}

/** The same as a PATH: for what runs outside every container, as it may start others by their names (`#!/usr/bin/env node`). */
export const pathOutOfReach = async (path: string, agentFolders: readonly string[]): Promise<string> => (await foldersToSearch(path, agentFolders)).join(delimiter)

/**
 * The absolute path of the program `name`, or null: looked for in `folders`, or, when it has a slash, taken from `cwd`.
 * The path is not resolved through links, since some programs look at the name they were called by.
 */
export const findExecutable = async (name: string, folders: readonly string[], cwd: string): Promise<string | null> => {
  const files = name.includes('/') ? [resolve(cwd, name)] : folders.map((folder) => join(folder, name))
  for (const file of files) if (await isExecutableFile(file)) return file
  return null
}

/** As `findExecutable`. Throws HoldfastError `agent-not-found` that says how to install it: `install` is an address or a command. */
export const findAgent = async (name: string, folders: readonly string[], cwd: string, { title, install }: { readonly title: string; readonly install: string }): Promise<string> => {
  const file = await findExecutable(name, folders, cwd)
  if (file !== null) return file
  throw new HoldfastError('agent-not-found', `${title} is not installed, or "${name}" is not on the PATH. Install it (${install}), or give its path after --.`)
}

/**
 * Where a program that runs outside every container really lies, links followed. Throws HoldfastError `agent-refused`
 * when that is in one of `agentFolders` (absolute, resolved) or any user may change it: it could then be anything.
 */
export const requireOutOfReach = async (file: string, agentFolders: readonly string[]): Promise<string> => {
  const real = await realpath(file)
  const folder = agentFolders.find((own) => isWithin(real, own))
  if (folder !== undefined) {
    throw new HoldfastError('agent-refused', `${file} lies in ${folder}, where the agent itself may write: it could be anything. Install it elsewhere, and start that.`)
  }
  await requireTrusted(real)
  return real
}

/** What must be readable to run `file`: itself, and where its links lead. */
export const filesBehind = async (file: string): Promise<readonly string[]> => {
  const real = await realpath(file)
  return real === file ? [file] : [file, real]
}
