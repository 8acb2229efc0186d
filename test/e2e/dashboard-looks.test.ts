import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { axeOn, expectAccessible, violations } from '../support/axe.ts'
import { launch, terminalText } from '../support/browser.ts'
import { describeDashboard } from '../support/dashboard.ts'
import { bash, use } from '../support/script.ts'

/** Every page of the dashboard but a session's, by its heading. */
const PAGES: readonly (readonly [string, string])[] = [
  ['sessions', 'Sessions'],
  ['approvals', 'Approvals'],
  ['launch', 'Launch an agent'],
  ['setup', 'Set up an agent'],
  ['agents', 'Agents'],
  ['agents/test', 'test'],
  ['agents/new', 'Write a profile'],
  ['policy', 'Policy'],
  ['policy/explain', 'Policy'],
  ['policy/replay', 'Policy'],
  ['servers', 'Servers'],
  ['secrets', 'Secrets'],
  ['usage', 'Usage'],
  ['audit', 'Audit log'],
  ['settings', 'Settings'],
  ['doctor', 'Doctor'],
  ['doctor/setup', 'Doctor'],
]

const goTo = async (page: Page, [route, heading]: readonly [string, string]): Promise<void> => {
  await page.goto(new URL(`/#/${route}`, page.url()).href)
  await page.getByRole('heading', { level: 1, name: heading }).waitFor()
  await page.waitForLoadState('networkidle')
}

describeDashboard('the looks of the dashboard', (open) => {
  it('keep nobody out of a session and its questions: no axe violation in light and dark', async () => {
    const { world, page, openApprovals } = await open((project) => [use('Read', { file_path: join(project, 'README.md') }), use('Write', { file_path: join(project, 'made.txt'), content: 'made\n' }), bash('rm -rf build')])
    await expectAccessible(page, 'sessions without any')
    const approvals = await openApprovals()
    await expectAccessible(approvals, 'no question')
    await page.bringToFront()
    await launch(page, world)
    await expect.poll(() => terminalText(page), { timeout: 30_000 }).toContain('manual mode on')
    await page.keyboard.type('Do it.')
    await page.keyboard.press('Enter')
    await approvals.locator('.question').waitFor()
    await expectAccessible(approvals, 'a question')
    await page.bringToFront()
    for (const part of ['Terminal', 'Changes', 'Timeline']) {
      await page.getByRole('link', { name: part }).click()
      await page.waitForLoadState('networkidle')
      await expectAccessible(page, part)
    }
    await page.getByRole('listbox', { name: 'Timeline' }).getByRole('option').first().click()
    await expectAccessible(page, 'an entry of the timeline')
  })

  it('keep nobody out of any other page, nor of a change of a rule', async () => {
    const { page, openApprovals } = await open()
    for (const one of PAGES) {
      await goTo(page, one)
      await expectAccessible(page, one[0])
    }
    const approvals = await openApprovals()
    await page.bringToFront()
    await goTo(page, ['agents/test', 'test'])
    await page.getByLabel('Deny').fill('Bash(ls:*)')
    await page.getByRole('button', { name: 'Review the change' }).click()
    await page.getByRole('button', { name: 'What would it have decided?' }).click()
    await page.getByText('Past calls').waitFor()
    await expectAccessible(page, 'a change under review')
    await page.getByRole('button', { name: 'Ask for this change' }).click()
    await approvals.bringToFront()
    await approvals.getByRole('heading', { name: 'Change the profile test' }).waitFor()
    await expectAccessible(approvals, 'a change to confirm')
  })

  it('fit from 420 pixels to 4K, move nothing about while they load, and hold in high contrast', async () => {
    const { page } = await open()
    await page.evaluate(`{
      globalThis.shifted = []
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) globalThis.shifted.push([location.hash, entry.value])
      }).observe({ type: 'layout-shift', buffered: true })
    }`)
    for (const one of PAGES) await goTo(page, one)
    const shifted = (await page.evaluate('globalThis.shifted')) as [string, number][]
    const byPage = Map.groupBy(shifted, ([page]) => page)
    // 0.1 is what web.dev calls good; one page after another counts for itself.
    expect([...byPage].map(([page, shifts]) => [page, shifts.reduce((sum, [, value]) => sum + value, 0)] as const).filter(([, sum]) => sum > 0.1)).toEqual([])
    for (const width of [420, 3_840]) {
      await page.setViewportSize({ width, height: width === 420 ? 800 : 2_160 })
      for (const one of PAGES) {
        await goTo(page, one)
        expect([one[0], width, await page.evaluate(`document.querySelector('.main').scrollWidth - document.querySelector('.main').clientWidth`)]).toEqual([one[0], width, 0])
      }
    }
    await page.setViewportSize({ width: 1_280, height: 800 })
    await page.emulateMedia({ contrast: 'more', forcedColors: 'active' })
    for (const one of PAGES.slice(0, 3)) {
      await goTo(page, one)
      expect(await violations(axeOn(page).withRules('color-contrast'))).toEqual([])
    }
  })
})
