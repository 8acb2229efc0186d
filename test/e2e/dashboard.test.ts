import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { launch, terminalText } from '../support/browser.ts'
import { describeDashboard } from '../support/dashboard.ts'
import { bash, toolResults, use } from '../support/script.ts'
import type { World } from '../support/world.ts'

/** A session on the dashboard, at work on what the test asks of it. */
const working = async (page: Page, here: World): Promise<void> => {
  await launch(page, here)
  await expect.poll(() => terminalText(page), { timeout: 30_000 }).toContain('manual mode on')
  await page.keyboard.type('Do it.')
  await page.keyboard.press('Enter')
}

/** Presses the key once the question that shows this listens: it is deaf at first, on purpose. */
const answer = async (approvals: Page, shows: string, key: string): Promise<void> => {
  await approvals.bringToFront()
  await approvals.locator('.question', { hasText: shows }).waitFor()
  await approvals.locator('.answers button:not([aria-disabled="true"])').first().waitFor()
  await approvals.keyboard.press(key)
}

describeDashboard('the dashboard', (open) => {
  it('launches Claude Code, shows what it does live, answers for it, pauses, kills, reverts and undoes', async () => {
    const { world, page, faults, requests, openApprovals } = await open((project) => [
      use('Read', { file_path: join(project, 'README.md') }),
      use('Write', { file_path: join(project, 'made.txt'), content: 'made\n' }),
      bash('rm -rf build'),
      bash('rm -rf build/'),
      bash('rm -rf ./build'),
    ])
    const approvals = await openApprovals()
    await page.bringToFront()
    await working(page, world)

    await page.getByRole('link', { name: 'Timeline' }).click()
    const timeline = page.getByRole('listbox', { name: 'Timeline' })
    await timeline.getByRole('option').filter({ hasText: 'made.txt' }).filter({ hasText: 'done' }).waitFor()
    await timeline.getByRole('option').filter({ hasText: 'rm -rf build' }).filter({ hasText: 'waits for approval' }).waitFor()
    expect(readFileSync(join(world.project, 'made.txt'), 'utf8')).toBe('made\n')
    await expect.poll(() => page.title(), { timeout: 10_000 }).toBe('(1) Sessions · Holdfast')
    await page.getByText(/last (minute|\d+ s): [1-9][\d,]* tokens, \d+ requests, 2 calls/).waitFor()

    await answer(approvals, 'rm -rf build', 'd')
    await answer(approvals, 'rm -rf build/', 'a')
    await answer(approvals, 'rm -rf ./build', 'd')
    await expect.poll(() => toolResults(world).length, { timeout: 30_000 }).toBe(5)
    expect(toolResults(world)[2]).toContain('Denied by the user')
    expect(existsSync(join(world.project, 'build'))).toBe(false)

    await page.bringToFront()
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.getByText('paused', { exact: true }).first().waitFor()
    await page.getByRole('button', { name: 'Resume' }).click()
    await page.getByText('running', { exact: true }).first().waitFor()

    await page.getByRole('link', { name: 'Changes' }).click()
    await page.getByLabel('Choose build/out.txt').check()
    await page.getByRole('button', { name: 'Put back what is chosen (1)' }).click()
    await page.getByRole('button', { name: 'Put back', exact: true }).click()
    await page.getByText('Put back: 1 file put back').waitFor()
    expect(readFileSync(join(world.project, 'build', 'out.txt'), 'utf8')).toBe('built\n')
    expect(readFileSync(join(world.project, 'made.txt'), 'utf8')).toBe('made\n')

    await page.getByRole('button', { name: 'Kill and revert' }).click()
    await page.getByText('nothing is left running').waitFor()
    expect(existsSync(join(world.project, 'made.txt'))).toBe(false)
    expect(readFileSync(join(world.project, 'build', 'out.txt'), 'utf8')).toBe('built\n')
    await page.getByRole('button', { name: 'Undo the last revert' }).click()
    await page.getByText('The revert was undone').waitFor()
    expect(readFileSync(join(world.project, 'made.txt'), 'utf8')).toBe('made\n')

    await page.getByRole('link', { name: 'Audit log' }).click()
    await page.getByRole('button', { name: 'Verify' }).click()
    await page.getByText(/Verified: all \d+ entries/).waitFor()
    expect(faults).toEqual([])
    expect(requests.filter((url) => !/^(http|ws):\/\/127\.0\.0\.1:\d+\//.test(url) && !url.startsWith('data:'))).toEqual([])
  })

  it('keeps a session through a reload of its window, with what it printed', async () => {
    const { world, page } = await open()
    await launch(page, world)
    await expect.poll(() => terminalText(page), { timeout: 30_000 }).toContain('manual mode on')
    await page.reload()
    await expect.poll(() => terminalText(page), { timeout: 30_000 }).toContain('manual mode on')
    await page.getByText('running', { exact: true }).first().waitFor()
  })

  it('takes no answer in the first moment of a question, nor from a key held down; kills the session by key', async () => {
    const { world, openApprovals, page } = await open((project) => [use('Write', { file_path: join(project, 'made.txt'), content: 'made\n' }), bash('rm -rf build')])
    const approvals = await openApprovals()
    await approvals.evaluate(`{
      const press = (repeat) => document.dispatchEvent(new KeyboardEvent('keydown', { key: 'a', repeat }))
      globalThis.press = press
      new MutationObserver((_, observer) => {
        if (document.querySelector('.question') === null) return
        observer.disconnect()
        press(false)
      }).observe(document.body, { childList: true, subtree: true })
    }`)
    await page.bringToFront()
    await working(page, world)
    await approvals.bringToFront()
    await approvals.locator('.answers button:not([aria-disabled="true"])').first().waitFor()
    await approvals.evaluate('press(true)')
    const client = await world.client()
    expect((await client.call('approval/list', {})).requests).toHaveLength(1)
    client.close()
    await answer(approvals, 'rm -rf build', 'k')
    await approvals.getByText('The session is killed; nothing of it is left running.').waitFor()
    expect(existsSync(join(world.project, 'made.txt'))).toBe(false)
    expect(readFileSync(join(world.project, 'build', 'out.txt'), 'utf8')).toBe('built\n')
  })

  it('keeps and rotates a secret, whose value never comes back', async () => {
    const { page } = await open()
    await page.getByRole('link', { name: 'Secrets' }).click()
    await page.getByRole('button', { name: 'Keep a secret' }).click()
    await page.getByLabel('Name').fill('agent/from-page')
    await page.getByLabel('Value').fill('canary-one')
    await page.getByRole('button', { name: 'Keep', exact: true }).click()
    await page.getByText('agent/from-page is kept.').waitFor()
    await page.getByRole('button', { name: 'Rotate agent/from-page' }).click()
    await page.getByLabel('New value').fill('canary-two')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor({ state: 'hidden' })
    expect(await page.content()).not.toContain('canary')
    await page.getByRole('button', { name: 'Remove agent/from-page' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
    await page.getByText('agent/from-page is removed.').waitFor()
  })
})
