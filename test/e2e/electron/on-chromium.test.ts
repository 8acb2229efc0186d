import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { findHost, killByProgram, unlockByProgram } from '../../../electron/host-process/programs.ts'
import { startShell, type Shell } from '../../../electron/shell.ts'
import { missingForBrowser, startBrowser } from '../../support/browser.ts'
import { createElectronOnChromium, type ElectronOnChromium } from '../../support/electron-on-chromium.ts'
import { bash, createScriptedWorld, toolResults } from '../../support/script.ts'
import { missingForEndToEnd, type Running, type World } from '../../support/world.ts'

const missing = [missingForBrowser(), missingForEndToEnd()].filter((part) => part !== null).join(', ')
const APP = fileURLToPath(new URL('../../../build/out/electron', import.meta.url))
const programs = { node: process.execPath, folder: fileURLToPath(new URL('../../../build/out/host', import.meta.url)) }

let browser: Browser
let world: World
let electron: ElectronOnChromium
let shell: Shell
let running: Running | null
beforeAll(async () => {
  if (missing === '') browser = await startBrowser()
})
afterAll(() => browser?.close())
beforeEach(async () => {
  running = null
  world = await createScriptedWorld(() => [bash('rm -rf build'), bash('rm -rf .git'), bash('touch made-by-the-agent; sleep 300')])
  electron = createElectronOnChromium(browser)
  shell = startShell({
    parts: electron.double.parts,
    platform: 'linux',
    appFolder: APP,
    settings: {},
    settingsFile: '/settings/shell.json',
    keep: () => undefined,
    startAtLogin: null,
    newerVersion: async () => null,
    hasTray: async () => true,
    takesNotifications: async () => true,
    findHost: () => findHost(programs, world.environment),
    killAlone: (sessionIds, lock) => killByProgram(programs, world.environment, sessionIds, lock),
    unlock: () => unlockByProgram(programs, world.environment),
  })
})
afterEach(async () => {
  electron?.double.answers.push('Quit and let them run')
  shell?.act({ do: 'quit' })
  await electron?.end()
  running?.child.kill('SIGKILL')
  await world?.end()
})

const has = (file: string): boolean => existsSync(join(world.project, file))
const page = async (partition: string): Promise<Page> => {
  await expect.poll(() => electron.isVisible(partition), { timeout: 30_000 }).toBe(true)
  return electron.page(partition)!
}

describe.skipIf(missing !== '')(`the app in a DOUBLE of Electron on the system’s Chromium, with the real host and both pages${missing === '' ? '' : ` (missing: ${missing})`}`, () => {
  it('raises the question, takes the answer, asks with a box once the page has crashed, kills and undoes', async () => {
    running = world.start(['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.'])
    const approvals = await page('approvals')
    expect(electron.double.tray.image).toBe(join(APP, 'icons/tray-waiting.png'))
    await approvals.getByText('rm -rf build').first().waitFor()
    await approvals.locator('.answers button:not([aria-disabled="true"])').first().waitFor()
    await approvals.getByRole('button', { name: /^Approve once/ }).click()
    await expect.poll(() => has('build'), { timeout: 30_000 }).toBe(false)

    await approvals.getByText('rm -rf .git').first().waitFor({ timeout: 30_000 })
    electron.double.answers.push('Deny')
    const devtools = await approvals.context().newCDPSession(approvals)
    void devtools.send('Page.crash').catch(() => undefined)
    await expect.poll(() => electron.double.boxes.map(({ message, buttons }) => [message, buttons[0]]), { timeout: 30_000 }).toEqual([['tester wants to use Bash (destructive)', 'Deny']])
    await expect.poll(() => toolResults(world).some((result) => result.includes('The user said no.')), { timeout: 30_000 }).toBe(true)
    expect(has('.git')).toBe(true)

    await expect.poll(() => has('made-by-the-agent'), { timeout: 30_000 }).toBe(true)
    electron.double.shortcuts.get('Control+Alt+Shift+K')?.()
    expect(electron.double.tray.image).toBe(join(APP, 'icons/tray-killed.png'))
    await expect.poll(() => shell.state().undoable.length, { timeout: 30_000 }).toBe(1)
    expect([has('build'), has('made-by-the-agent')]).toEqual([true, false])
    const [sessionId] = shell.state().undoable
    shell.act({ do: 'undo', sessionId: sessionId! })
    await expect.poll(() => [has('build'), has('made-by-the-agent')], { timeout: 30_000 }).toEqual([false, true])
  })

  it('connects the dashboard by its preload, shows what a link names, and keeps it where it is', async () => {
    shell.open(['holdfast://session/ses_22222222222b'])
    const dashboard = await page('dashboard')
    await dashboard.getByText('Connected', { exact: true }).waitFor({ state: 'attached' })
    await expect.poll(() => dashboard.url()).toContain('#/sessions/ses_22222222222b')
    expect(await dashboard.evaluate('[typeof holdfastApp.open, typeof toMain, typeof fromMain, document.cookie]')).toEqual(['function', 'undefined', 'undefined', ''])
    const before = dashboard.url()
    expect(await dashboard.evaluate(`fetch('https://evil.example/').then(() => 'done', () => 'refused')`)).toBe('refused')
    await dashboard.evaluate(`location.href = 'http://127.0.0.1:1/'`)
    await dashboard.evaluate(`window.open('https://evil.example/')`)
    await expect.poll(() => dashboard.context().pages().length).toBe(1)
    expect(dashboard.url()).toBe(before)
    shell.act({ do: 'choose-folder' })
    electron.double.folders.push('/somewhere/else')
    shell.act({ do: 'choose-folder' })
    await expect.poll(() => dashboard.getByLabel('Folder').inputValue()).toBe('/somewhere/else')
  })
})
