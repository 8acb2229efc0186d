import { lstatSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

const platformFolders = (env: NodeJS.ProcessEnv): { config: string; data: string } => {
  const home = homedir()
  if (process.platform === 'darwin') {
    const support = join(home, 'Library', 'Application Support', 'Holdfast')
    return { config: join(support, 'config'), data: support }
  }
  if (process.platform === 'win32') {
    return {
      config: join(env['APPDATA'] ?? join(home, 'AppData', 'Roaming'), 'Holdfast'),
      data: join(env['LOCALAPPDATA'] ?? join(home, 'AppData', 'Local'), 'Holdfast'),
    }
  }
  const xdg = (name: string, fallback: string): string => {
    const value = env[name]
    return value !== undefined && isAbsolute(value) ? value : join(home, fallback)
  }
  return { config: join(xdg('XDG_CONFIG_HOME', '.config'), 'holdfast'), data: join(xdg('XDG_DATA_HOME', '.local/share'), 'holdfast') }
}

/** The user's configuration, and what all else lies below; null where HOLDFAST_HOME is not absolute. */
export const baseFolders = (env: NodeJS.ProcessEnv): { config: string; base: string } | null => {
  const own = env['HOLDFAST_HOME']
  if (own !== undefined) return isAbsolute(own) ? { config: join(own, 'config'), base: own } : null
  const { config, data } = platformFolders(env)
  return { config, base: data }
}

export const compiledIn = (data: string): string => join(data, 'compiled')

/**
 * The folder of our own code as Node compiled it, which is run as it is: only where this user alone can have written there,
 * and a host has made it; else null. No agent in a container sees it, as it sees nothing of Holdfast's data.
 */
export const ownCompiledFolder = (env: NodeJS.ProcessEnv): string | null => {
  const base = baseFolders(env)?.base
  const user = process.getuid?.()
  if (base === undefined || user === undefined) return null
  const isOwn = (folder: string, forbidden: number): boolean => {
    const state = lstatSync(folder, { throwIfNoEntry: false })
    return state !== undefined && state.isDirectory() && state.uid === user && (state.mode & forbidden) === 0
  }
  try {
    const data = join(base, 'data')
    return isOwn(data, 0o077) && isOwn(compiledIn(data), 0o022) ? compiledIn(data) : null
  } catch {
    return null
  }
}
