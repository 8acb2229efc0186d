import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AxeBuilder } from '@axe-core/playwright'
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { missingForBrowser, openDashboard, startBrowser, type Dashboard } from '../support/browser.ts'
import { bash, createScriptedWorld } from '../support/script.ts'
import { missingForEndToEnd, type World } from '../support/world.ts'

const missing = [missingForEndToEnd(), missingForBrowser()].filter((part) => part !== null).join(', ')

let browser: Browser
let world: World | null = null
let dashboard: Dashboard | null = null
beforeAll(async () => {
  if (missing === '') browser = await startBrowser()
})
afterAll(() => browser?.close())
afterEach(async () => {
  await dashboard?.context.close()
  await world?.end()
  world = null
  dashboard = null
})

describe.skipIf(missing !== '')(`the approvals page${missing === '' ? '' : ` (missing: ${missing})`}`, () => {
  it('shows what a call would do, lets it be changed, and lets a session go on from its review with a message', async () => {
    const here = (world = await createScriptedWorld(() => [bash('rm -rf build'), bash('echo two > two.txt')]))
    const profile = join(here.holdfastHome, 'config', 'profiles', 'test.yaml')
    writeFileSync(profile, readFileSync(profile, 'utf8').replace('spendUsd: 5', 'spendUsd: 5, reviewEvery: { calls: 2 }'))
    await here.holdfast(['up'])
    dashboard = await openDashboard(browser, here)
    const page = await dashboard.openApprovals()
    const session = here.start(['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.'])
    session.child.stdin?.end()

    await page.getByText('deletes 1 file, 6 B, 1 folder').waitFor({ timeout: 40_000 })
    await page.getByText('would bring it back: a checkpoint of this moment').waitFor()
    expect((await new AxeBuilder({ page }).setLegacyMode(true).analyze()).violations).toEqual([])
    await page.getByText('Change it, then approve').click()
    await page.getByLabel('command').last().fill('echo as changed > kept.txt')
    // No key of the text has answered the question.
    expect(await page.locator('.question').count()).toBe(1)
    await page.getByRole('button', { name: 'Approve once as changed' }).click()

    await page.getByText('review due after 2 tool calls').waitFor({ timeout: 40_000 })
    await page.getByText('kept.txt').waitFor()
    expect((await new AxeBuilder({ page }).setLegacyMode(true).analyze()).violations).toEqual([])
    await page.getByLabel('What the agent is told when it goes on').fill('Mind the tests.')
    // It takes no click in its first moment.
    await expect.poll(async () => {
      await page.getByRole('button', { name: 'Go on' }).click({ timeout: 1_000 }).catch(() => undefined)
      return page.getByText('It goes on, and is told so').count()
    }, { timeout: 10_000 }).toBe(1)
    expect((await session.finished).code).toBe(0)
    expect(readFileSync(join(here.project, 'kept.txt'), 'utf8')).toBe('as changed\n')
    expect(existsSync(join(here.project, 'build', 'out.txt'))).toBe(true)
    expect(JSON.stringify(here.model.requests.map(({ body }) => body))).toContain('The user looked at what you did and says: Mind the tests.')
    expect(dashboard.faults).toEqual([])
  })
})
