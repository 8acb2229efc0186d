import { spawn } from 'node:child_process'
import { accessSync, constants, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { resolvePaths } from '../../core/paths.ts'
import { desktopEnvironment } from './display.ts'

/** Browsers that show a page as a window of its own. */
const APP_BROWSERS = ['chromium', 'google-chrome', 'chromium-browser', 'brave-browser', 'microsoft-edge']

/** Whether this user may run the file. */
export const isExecutable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const onPath = (names: readonly string[]): string | null => {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable) ?? null
}

/**
 * A page that leads on to the link, readable by this user alone: where the host cannot tell which process connects, the
 * link must not stand in an argument, which others can read.
 */
const pageTo = (url: string): string => {
  const { run } = resolvePaths(process.env)
  const file = join(run, 'dashboard.html')
  mkdirSync(run, { recursive: true, mode: 0o700 })
  rmSync(file, { force: true })
  writeFileSync(file, `<!doctype html><meta http-equiv="refresh" content="0;url=${url.replaceAll('&', '&amp;')}">`, { mode: 0o600, flag: 'wx' })
  return pathToFileURL(file).href
}

/** Whether there is something to open a page with. */
export const canOpenBrowser = (): boolean => process.platform !== 'linux' || onPath([...APP_BROWSERS, 'xdg-open']) !== null

const openerFor = (url: string): { file: string; args: string[] } | null => {
  if (process.platform === 'darwin') return { file: '/usr/bin/open', args: [pageTo(url)] }
  if (process.platform === 'win32') return { file: 'explorer.exe', args: [pageTo(url)] }
  if (process.env['DISPLAY'] === undefined && process.env['WAYLAND_DISPLAY'] === undefined) return null
  const app = onPath(APP_BROWSERS)
  if (app !== null) return { file: app, args: [`--app=${url}`] }
  const any = onPath(['xdg-open'])
  return any === null ? null : { file: any, args: [url] }
}

/**
 * Shows a login link in the user's browser, as a window of its own where the browser can. True when one was started;
 * false when there is no display or no browser. Tried on Linux alone so far.
 */
export const openBrowser = async (url: string): Promise<boolean> => {
  const opener = openerFor(url)
  if (opener === null) return false
  const child = spawn(opener.file, opener.args, { detached: true, stdio: 'ignore', env: desktopEnvironment(process.env) })
  const started = await new Promise<boolean>((resolve) => {
    child.once('spawn', () => resolve(true))
    child.once('error', () => resolve(false))
  })
  child.unref()
  return started
}
