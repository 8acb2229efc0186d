import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'

/** In the page alone: there are no frames, and a page of its own for the result costs a second each time. */
export const axeOn = (page: Page): AxeBuilder => new AxeBuilder({ page }).setLegacyMode(true)

/** What axe found, in words that fit into a failed expectation. */
export const violations = async (axe: AxeBuilder): Promise<unknown[]> => {
  const found = await axe.analyze()
  return found.violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html, failureSummary }) => `${html} ${failureSummary ?? ''}`) }))
}

/** Every rule in light; in dark the colours, which are all that differs. */
export const expectAccessible = async (page: Page, what: string): Promise<void> => {
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
  expect([what, await violations(axeOn(page))]).toEqual([what, []])
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' })
  expect([what, await violations(axeOn(page).withRules('color-contrast'))]).toEqual([what, []])
}
