import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { missingForBrowser, openDashboard, startBrowser, terminalText, type Dashboard } from '../support/browser.ts'
import { press, pressWhenAwake, tabTo } from '../support/keyboard.ts'
import { pinServer } from '../support/pinned-server.ts'
import { bash, createScriptedWorld, use } from '../support/script.ts'
import { missingForEndToEnd, type World } from '../support/world.ts'

const missing = [missingForEndToEnd(), missingForBrowser()].filter((part) => part !== null).join(', ')

let browser: Browser
let world: World
let dashboard: Dashboard
beforeAll(async () => {
  if (missing === '') browser = await startBrowser()
})
afterAll(() => browser?.close())
afterEach(async () => {
  await dashboard.context.close()
  await world.end()
})

describe.skipIf(missing !== '')(`the dashboard by keyboard alone${missing === '' ? '' : ` (missing: ${missing})`}`, () => {
  it('launches, types in the terminal and leaves it, pauses, puts a chosen file back, undoes, kills, keeps a secret and verifies the log', async () => {
    world = await createScriptedWorld((project) => [use('Write', { file_path: join(project, 'made.txt'), content: 'made\n' }), use('Write', { file_path: join(project, 'CLAUDE.md'), content: 'other\n' }), bash('ls')])
    dashboard = await openDashboard(browser, world)
    const { page, faults } = dashboard
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

  it('approves a call as changed, grants one for 30 days and takes the grant back', async () => {
    world = await createScriptedWorld(() => [bash('rm -rf build'), bash('rm -rf build/')])
    await world.holdfast(['up'])
    dashboard = await openDashboard(browser, world)
    const { page, faults } = dashboard
    const approvals = await dashboard.openApprovals()
    const session = world.start(['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.'])
    session.child.stdin?.end()

    await approvals.getByText('Change it, then approve').waitFor({ timeout: 40_000 })
    await pressWhenAwake(approvals, 'Change it, then approve')
    await tabTo(approvals, 'command')
    await approvals.keyboard.press('Control+A')
    await approvals.keyboard.type('echo as changed > kept.txt')
    await press(approvals, 'Approve once as changed')
    await approvals.locator('.question', { hasText: 'rm -rf build/' }).waitFor({ timeout: 40_000 })
    await pressWhenAwake(approvals, 'Approve for 30 days')
    await approvals.keyboard.press('Tab')
    await press(approvals, 'Approve for 30 days')
    expect((await session.finished).code).toBe(0)
    expect(readFileSync(join(world.project, 'kept.txt'), 'utf8')).toBe('as changed\n')
    expect(existsSync(join(world.project, 'build'))).toBe(false)

    await page.bringToFront()
    await press(page, 'Approvals')
    await press(page, 'Revoke Bash rm -rf build/')
    await page.getByText('None. Approve a call for the session').waitFor()
    expect(faults).toEqual([])
  })

  it('switches a tool of a server off and on, accepts one that changed, and takes a change back', async () => {
    world = await createScriptedWorld(() => [])
    pinServer(world)
    dashboard = await openDashboard(browser, world)
    const { page, faults } = dashboard
    const approvals = await dashboard.openApprovals()
    await page.bringToFront()
    const confirm = async (): Promise<void> => {
      await approvals.bringToFront()
      await approvals.getByRole('button', { name: 'Make this change' }).waitFor()
      await pressWhenAwake(approvals, 'Make this change')
      await page.bringToFront()
    }
    const isOn = (tool: string): Promise<string | null> => page.getByRole('switch', { name: `Agents may use ${tool}` }).getAttribute('aria-checked')

    await press(page, 'Servers')
    await press(page, 'Agents may use list_prs', 'Space')
    await expect.poll(() => isOn('list_prs')).toBe('false')
    await press(page, 'Agents may use merge_pr', 'Space')
    await confirm()
    await expect.poll(() => isOn('merge_pr')).toBe('true')
    await press(page, 'Ask to let agents use create_pr of github')
    await confirm()
    await expect.poll(() => isOn('create_pr')).toBe('true')
    await press(page, 'Agents may use list_prs', 'Space')
    await page.getByText('waits for your word').waitFor()
    await press(page, 'Approvals, 1 waiting')
    await press(page, 'Take it back')
    await page.getByText('Nothing waits for you').waitFor()
    const client = await world.client()
    const { tools } = await client.call('server/tools', { key: 'github@0' })
    client.close()
    expect(tools.map(({ tool, allowed }) => [tool, allowed]).toSorted()).toEqual([['create_pr', true], ['list_prs', false], ['merge_pr', true]])
    expect(faults).toEqual([])
  })

  it('rotates and removes a secret, explains a call, replays past ones, searches the log, chooses a theme, and logs out', async () => {
    world = await createScriptedWorld(() => [])
    dashboard = await openDashboard(browser, world)
    const { page, faults } = dashboard

    await press(page, 'Secrets')
    await press(page, 'Rotate agent/test')
    await tabTo(page, 'New value')
    await page.keyboard.type('canary-two')
    await page.keyboard.press('Enter')
    await page.getByText('agent/test is kept.').waitFor()
    await press(page, 'Remove agent/test')
    await page.getByRole('dialog').waitFor()
    await press(page, 'Remove')
    await page.getByText('agent/test is removed.').waitFor()

    await press(page, 'Policy')
    await press(page, 'Explain a call')
    await tabTo(page, 'Command')
    await page.keyboard.type('git push --force')
    await press(page, 'Explain')
    await page.getByRole('status', { name: 'The decision' }).getByText('ask', { exact: true }).first().waitFor()
    await press(page, 'Replay')
    await press(page, 'Replay past calls')
    await page.getByText('Past calls', { exact: true }).waitFor()

    await press(page, 'Audit log')
    await tabTo(page, 'Search the audit log')
    await page.keyboard.type('agent/test')
    await expect.poll(() => page.getByRole('listbox', { name: 'Audit log' }).getByRole('option').filter({ hasText: 'secret/changed' }).count()).toBe(3)

    await press(page, 'Settings')
    await tabTo(page, 'Appearance')
    await page.keyboard.type('dark')
    expect(await page.evaluate('document.documentElement.dataset.theme')).toBe('dark')
    await press(page, 'Log out every window')
    await page.getByText('This window is logged out.').waitFor()
    expect(faults.filter((fault) => !fault.includes('401'))).toEqual([])
  })
})
