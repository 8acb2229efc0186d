import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { _electron, type ElectronApplication, type Page } from 'playwright-core'
import type { Shell } from '../../electron/shell.ts'
import type { World } from './world.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const NAMES: Readonly<Partial<Record<NodeJS.Platform, string>>> = { darwin: 'Electron.app/Contents/MacOS/Electron', win32: 'electron.exe' }
const BINARY = join(process.env['ELECTRON_OVERRIDE_DIST_PATH'] ?? join(ROOT, 'node_modules/electron/dist'), NAMES[process.platform] ?? 'electron')

const isProgram = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
const onPath = (name: string): boolean => (process.env['PATH'] ?? '').split(delimiter).some((folder) => isProgram(join(folder, name)))

/** Why the app cannot run on this machine, or null. */
export const missingForElectron = (): string | null => {
  if (!isProgram(BINARY)) return 'an Electron binary: none in node_modules/electron/dist, and ELECTRON_OVERRIDE_DIST_PATH names none'
  return process.platform === 'linux' && !onPath('Xvfb') ? 'Xvfb' : null
}

/** A display of the tests' own, that nobody sees; on macOS and Windows the one there is. */
export const startDisplay = async (): Promise<{ env: Record<string, string>; end(): void }> => {
  if (process.platform !== 'linux') return { env: {}, end: () => undefined }
  const xvfb = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '1280x900x24', '-nolisten', 'tcp'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] })
  const [number] = (await once(xvfb.stdio[3] as NodeJS.ReadableStream, 'data')) as [Buffer]
  return { env: { DISPLAY: `:${number.toString().trim()}` }, end: () => void xvfb.kill('SIGKILL') }
}

export interface App {
  readonly electron: ElectronApplication
  readonly child: ChildProcess
  /** Runs in the app's main process, with what the app leaves there for tests. */
  shell<Result>(work: (shell: Shell) => Result): Promise<Result>
  /** The icon in the tray. */
  icon(): Promise<string>
  menu(): Promise<string[]>
  /** The window with this at the end of its title, or in its address, once it is there. */
  window(named: string): Promise<Page>
  end(): Promise<void>
}

/** Waits until it holds, also in a benchmark. Throws Error after half a minute. */
export const until = async (what: string, holds: () => boolean | Promise<boolean>): Promise<void> => {
  for (const end = Date.now() + 30_000; !(await holds()); await delay(20)) if (Date.now() > end) throw new Error(`not within 30 s: ${what}`)
}

/** Starts the app beside a world's host. */
export const startApp = async (world: World, display: Record<string, string>, args: readonly string[] = []): Promise<App> => {
  const electron = await _electron.launch({
    // With no path given Playwright asks Electron's package, which finds the same binary, and lets the app start once it is ready itself.
    chromiumSandbox: process.getuid?.() !== 0,
    args: ['-r', join(ROOT, 'test/fixtures/electron-setup.cjs'), join(ROOT, 'build/out/electron'), `--holdfast-node=${process.execPath}`, ...args],
    env: { ...world.environment, ...display },
    timeout: 30_000,
  })
  const child = electron.process()
  const shell: App['shell'] = <Result>(work: (shell: Shell) => Result) => electron.evaluate<Result>(`(${String(work)})(globalThis.holdfast)`)
  await until('the app', () => electron.evaluate(() => 'holdfast' in globalThis))
  const window: App['window'] = async (named) => {
    let found: Page | undefined
    await until(`a window named ${named}`, async () => {
      for (const page of electron.windows()) if (page.url().includes(named) || (await page.title().catch(() => '')).endsWith(named)) found = page
      return found !== undefined
    })
    return found!
  }
  return {
    electron,
    child,
    shell,
    icon: () => shell((it) => it.tray().icon),
    menu: () => shell((it) => it.tray().menu.map(({ label }) => label)),
    window,
    end: async () => {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    },
  }
}
