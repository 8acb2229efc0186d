import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { desktopEnvironment, displayAnswers } from './display.ts'
import { canOpenBrowser, isExecutable } from './open-browser.ts'

const beside = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

const INSTALLED: Readonly<Partial<Record<NodeJS.Platform, string>>> = { darwin: '../../../MacOS/Holdfast', win32: '../../../Holdfast.exe' }

/** The app's own binary where this program lies in an installed app's resources; null in a checkout. */
const installedApp = (): string | null =>
  existsSync(beside('../../app.asar')) ? beside(INSTALLED[process.platform] ?? '../../../holdfast-app') : null

const BINARY: Readonly<Partial<Record<NodeJS.Platform, string>>> = { darwin: 'Electron.app/Contents/MacOS/Electron', win32: 'electron.exe' }

/**
 * Electron's binary: the installed app's, else where ELECTRON_OVERRIDE_DIST_PATH says, else where its package keeps what it fetched; null when
 * there is none. Asking that package itself would start a download.
 */
const electronBinary = (): string | null => {
  const installed = installedApp()
  if (installed !== null) return installed
  const folder = process.env['ELECTRON_OVERRIDE_DIST_PATH'] ?? beside('../../../node_modules/electron/dist')
  const file = join(folder, BINARY[process.platform] ?? 'electron')
  return isExecutable(file) ? file : null
}

const NO_BINARY = 'no Electron binary is here; "node_modules/.bin/install-electron" fetches it from its makers, some 120 MB, and nothing does so by itself'
const NO_SANDBOX = "Electron's sandbox needs a user other than root"
const isRoot = (): boolean => process.platform === 'linux' && process.getuid?.() === 0

export interface ShellChoice {
  readonly shell: 'electron' | 'browser' | 'none'
  /** In one line for a person. */
  readonly why: string
}

/** The best shell that can be had, and why no better one. */
export const chooseShell = (found: { display: boolean; binary: boolean; root: boolean; browser: boolean }): ShellChoice => {
  if (!found.display) return { shell: 'none', why: 'no display answers' }
  if (found.binary && !found.root) return { shell: 'electron', why: 'its binary is here and a display answers' }
  const why = found.binary ? NO_SANDBOX : NO_BINARY
  return found.browser ? { shell: 'browser', why } : { shell: 'none', why: `${why}; and no browser was found` }
}

/** What of it holds on this machine, now. */
export const findShell = async (): Promise<ShellChoice> =>
  chooseShell({ display: await displayAnswers(process.env), binary: electronBinary() !== null, root: isRoot(), browser: canOpenBrowser() })

/** An app that ends with a fault within this time has not started, in ms. */
const STARTED_AFTER_MS = 1_500

/** Starts the app, or brings the one that runs to the front. Gives why it did not start, or null when it did. */
export const openElectron = async (): Promise<string | null> => {
  const binary = electronBinary()
  if (binary === null) return NO_BINARY
  if (isRoot()) return NO_SANDBOX
  const app = installedApp() === null ? [beside('../electron'), `--holdfast-node=${process.execPath}`] : []
  const child = spawn(binary, app, { detached: true, stdio: 'ignore', env: desktopEnvironment(process.env) })
  const fault = await new Promise<string | null>((resolve) => {
    const timer = setTimeout(() => resolve(null), STARTED_AFTER_MS)
    const settle = (why: string | null): void => {
      clearTimeout(timer)
      resolve(why)
    }
    child.once('error', (error) => settle(error.message))
    child.once('exit', (code, signal) => settle(code === 0 ? null : `Electron ended at once (${code ?? signal})`))
  })
  child.unref()
  return fault
}
