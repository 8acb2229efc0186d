import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { choose } from '../support/browser.ts'
import { describeDashboard } from '../support/dashboard.ts'
import { press, pressWhenAwake, tabTo } from '../support/keyboard.ts'

const explained = async (page: Page): Promise<string> => {
  await page.goto(new URL('/#/policy/explain', page.url()).href)
  await choose(page, 'Profile', 'test')
  await page.getByLabel('Command').fill('ls -la')
  await page.getByRole('button', { name: 'Explain' }).click()
  return page.getByRole('status', { name: 'The decision' }).locator('.effect').innerText()
}

describeDashboard('rules on the dashboard', (open) => {
  it('are changed by keyboard alone, by form and text at once, only once a person has confirmed it on the approvals page', async () => {
    const { world, page, faults, openApprovals } = await open()
    const file = join(world.holdfastHome, 'config', 'profiles', 'test.yaml')
    const before = readFileSync(file, 'utf8')
    expect(await explained(page)).toBe('allow')

    await press(page, 'Agents')
    await page.getByRole('heading', { name: 'Agents' }).waitFor()
    await press(page, 'Edit test')
    await page.getByRole('heading', { name: 'test' }).waitFor()
    await tabTo(page, 'Deny')
    await page.keyboard.type('Bash(ls')
    await page.getByText(/test\.yaml:\d+:\d+: policy\.deny\[0\]/).waitFor()
    await page.keyboard.type(':*)')
    await page.getByText('Valid. Not kept yet.').waitFor()
    expect(await page.getByLabel('The file').inputValue()).toContain('deny:\n    - "Bash(ls:*)"')
    await press(page, 'Review the change')
    await page.getByRole('dialog').getByText('deny Bash(ls:*) is new').waitFor()
    await press(page, 'Ask for this change')
    await page.getByText('waits for your word on the approvals page').waitFor()
    expect(readFileSync(file, 'utf8')).toBe(before)

    const approvals = await openApprovals()
    await approvals.getByRole('heading', { name: 'Change the profile test' }).waitFor()
    await pressWhenAwake(approvals, 'Make this change')
    await approvals.getByText('Done: Change the profile test').waitFor()
    await page.bringToFront()
    await page.getByText('Change the profile test: done.').waitFor()
    expect(readFileSync(file, 'utf8')).toContain('- "Bash(ls:*)"')
    expect(await explained(page)).toBe('deny')
    expect(faults).toEqual([])
  })

  it('are changed by no answer in the first moment of a change, and by no click on what was not shown', async () => {
    const { world, openApprovals } = await open()
    const approvals = await openApprovals()
    await approvals.getByText('Nothing waits for you').waitFor()
    const client = await world.client()
    const { profiles } = await client.call('profile/list', {})
    await approvals.evaluate(`new MutationObserver(() => {
      for (const button of document.querySelectorAll('.changes button')) button.click()
    }).observe(document.body, { childList: true, subtree: true })`)
    const { proposals: none } = await client.call('proposal/list', {})
    const made = await client.call('proposal/make', { change: { kind: 'profile', name: 'test', text: 'sandbox: "off"\n', base: profiles[0]?.hash ?? null } })
    await approvals.getByRole('heading', { name: 'Change the profile test' }).waitFor()
    await approvals.getByText('container: auto → off').waitFor()
    const { proposals } = await client.call('proposal/list', {})
    client.close()
    expect([none, proposals.map(({ id }) => id)]).toEqual([[], [made.id]])
  })

  it('stay in sight over a restart of the host: the page says that it is away, goes on without a reload, and says so where a part of it does not come', async () => {
    const { world, page, openApprovals } = await open()
    const approvals = await openApprovals()
    await approvals.getByText('Nothing waits for you').waitFor()
    await page.evaluate('globalThis.loadedOnce = true')
    const { pid } = await world.endpoint()
    process.kill(pid, 'SIGKILL')
    await page.getByText('The host cannot be reached').waitFor()
    await world.holdfast(['up'])
    await page.getByText('Connected', { exact: true }).waitFor()
    expect((await world.endpoint()).pid).not.toBe(pid)
    await page.getByText('The host cannot be reached').waitFor({ state: 'hidden' })
    await page.getByRole('link', { name: 'Audit log' }).click()
    await page.getByRole('option').filter({ hasText: 'host/started' }).nth(1).waitFor()
    await page.route('**/secrets-page-*', (route) => route.abort())
    await page.getByRole('link', { name: 'Secrets' }).click()
    await page.getByRole('alert').getByText('This page cannot be shown').waitFor()
    await page.getByRole('link', { name: 'Settings' }).click()
    await page.getByRole('heading', { name: 'The host' }).waitFor()
    expect(await page.evaluate('globalThis.loadedOnce')).toBe(true)
    await expect.poll(() => approvals.evaluate(`document.querySelector('h1').textContent`)).toBe('Nothing waits for you')
  })
})
