import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { missingForBrowser, openDashboard, startBrowser, terminalText } from '../support/browser.ts'
import { press, tabTo } from '../support/keyboard.ts'
import { bash, createScriptedWorld, use } from '../support/script.ts'
import { missingForEndToEnd, type World } from '../support/world.ts'

const missing = [missingForEndToEnd(), missingForBrowser()].filter((part) => part !== null).join(', ')

let browser: Browser
let world: World
beforeAll(async () => {
  if (missing === '') browser = await startBrowser()
})
afterAll(async () => {
  await browser?.close()
  await world?.end()
})

describe.skipIf(missing !== '')(`the dashboard by keyboard alone${missing === '' ? '' : ` (missing: ${missing})`}`, () => {
  it('launches, types in the terminal and leaves it, pauses, puts a chosen file back, undoes, kills, keeps a secret and verifies the log', async () => {
    world = await createScriptedWorld((project) => [use('Write', { file_path: join(project, 'made.txt'), content: 'made\n' }), use('Write', { file_path: join(project, 'CLAUDE.md'), content: 'other\n' }), bash('ls')])
    const { page, faults } = await openDashboard(browser, world)
    const made = join(world.project, 'made.txt')
    const kept = join(world.project, 'CLAUDE.md')
    const original = readFileSync(kept, 'utf8')

    await press(page, 'Launch')
    await page.getByRole('heading', { name: 'Launch an agent' }).waitFor()
    await press(page, 'Choose…')
    await page.getByRole('dialog').waitFor()
    await page.keyboard.press('Escape')
    await tabTo(page, 'Folder')
    await page.keyboard.type(world.project)
    await page.getByLabel('What it will be able to do').getByText('Of the network it reaches').waitFor()
    await tabTo(page, 'Profile')
    await page.keyboard.type('test')
    await press(page, 'Start')
    await expect.poll(() => page.locator('.xterm-rows').innerText(), { timeout: 30_000 }).toContain('manual mode on')
    await page.keyboard.type('Do it.')
    await page.keyboard.press('Enter')
    await expect.poll(() => existsSync(made) && readFileSync(kept, 'utf8'), { timeout: 30_000 }).toBe('other\n')
    expect(await terminalText(page)).toContain('Do it.')

    await page.keyboard.press('Control+Shift+Escape')
    await press(page, 'Pause')
    await page.getByText('paused', { exact: true }).first().waitFor()
    await press(page, 'Changes')
    await page.getByRole('button', { name: 'CLAUDE.md', exact: true }).waitFor()
    await press(page, 'CLAUDE.md')
    await page.getByRole('region', { name: 'Changes in CLAUDE.md' }).getByText('other', { exact: true }).waitFor()
    await press(page, 'Choose CLAUDE.md', 'Space')
    await press(page, 'Put back what is chosen (1)')
    await page.getByRole('dialog').waitFor()
    await press(page, 'Put back')
    await page.getByText('Put back: 1 file put back').waitFor()
    expect([readFileSync(kept, 'utf8'), readFileSync(made, 'utf8')]).toEqual([original, 'made\n'])
    await press(page, 'Undo the last')
    await page.getByText('Undone: 1 file put back').waitFor()
    expect(readFileSync(kept, 'utf8')).toBe('other\n')

    await press(page, 'Kill and revert')
    await page.getByText('nothing is left running').waitFor()
    expect(existsSync(made)).toBe(false)

    await press(page, 'Secrets')
    await press(page, 'Keep a secret')
    await tabTo(page, 'Name')
    await page.keyboard.type('agent/typed')
    await tabTo(page, 'Value')
    await page.keyboard.type('canary')
    await page.keyboard.press('Enter')
    await page.getByText('agent/typed is kept.').waitFor()

    await press(page, 'Audit log')
    await press(page, 'Verify')
    await page.getByText(/Verified: all \d+ entries/).waitFor()
    await tabTo(page, 'Audit log')
    await page.keyboard.press('End')
    expect(faults).toEqual([])
  })
})
