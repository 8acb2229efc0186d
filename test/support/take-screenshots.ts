// Pictures of every page, into test/screenshots: node test/support/take-screenshots.ts (the programs must be built).
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { launch, openDashboard, startBrowser, terminalText } from './browser.ts'
import { bash, createScriptedWorld, use } from './script.ts'

const FOLDER = fileURLToPath(new URL('../screenshots', import.meta.url))
const LOOKS = [
  { name: 'light', width: 1280, height: 800, colorScheme: 'light' },
  { name: 'dark', width: 1280, height: 800, colorScheme: 'dark' },
  { name: 'narrow', width: 420, height: 800, colorScheme: 'light' },
] as const

const settled = async (page: Page): Promise<void> => {
  await page.waitForLoadState('networkidle').catch(() => undefined)
  await page.waitForTimeout(300)
}

const shoot = async (page: Page, name: string): Promise<void> => {
  for (const { name: look, width, height, colorScheme } of LOOKS) {
    await page.emulateMedia({ colorScheme })
    await page.setViewportSize({ width, height })
    await settled(page)
    await page.screenshot({ path: join(FOLDER, `${name}-${look}.png`) })
  }
  await page.setViewportSize({ width: 1280, height: 800 })
  process.stdout.write(`${name}\n`)
}

await mkdir(FOLDER, { recursive: true })
const world = await createScriptedWorld((project) => [
  use('Read', { file_path: join(project, 'README.md') }),
  use('Write', { file_path: join(project, 'src.ts'), content: 'export const answer = 42\n' }),
  bash('git status --short && ls -la'),
  bash('rm -rf build'),
  bash('git push --force origin main'),
])
const browser = await startBrowser()
try {
  const { page, openApprovals, faults } = await openDashboard(browser, world)
  const go = async (route: string): Promise<void> => {
    await page.goto(new URL(`/#/${route}`, page.url()).href)
  }
  await shoot(page, 'sessions-empty')
  await go('launch')
  await page.getByLabel('Folder').fill(world.project)
  await page.getByLabel('Profile').selectOption('test')
  await page.getByRole('button', { name: 'What will it be able to do?' }).click()
  await page.getByText('It runs as').waitFor()
  await shoot(page, 'launch')
  await launch(page, world)
  while (!(await terminalText(page)).includes('manual mode on')) await page.waitForTimeout(200)
  await page.keyboard.type('Clean up the project, please.')
  await page.keyboard.press('Enter')
  const approvals = await openApprovals()
  await approvals.getByText('wants to use').waitFor()
  await shoot(approvals, 'approvals')
  await page.bringToFront()
  await shoot(page, 'session-terminal')
  await page.getByRole('link', { name: 'Timeline' }).click()
  await shoot(page, 'session-timeline')
  await page.getByLabel('Timeline').getByRole('option').filter({ hasText: 'Write' }).click()
  await shoot(page, 'session-timeline-entry')
  await page.getByRole('link', { name: 'Changes' }).click()
  await shoot(page, 'session-changes')
  await go('sessions')
  await shoot(page, 'sessions')
  await approvals.bringToFront()
  await approvals.waitForTimeout(1_000)
  await approvals.keyboard.press('d')
  await approvals.getByText('git push').first().waitFor()
  await approvals.waitForTimeout(1_000)
  await approvals.keyboard.press('k')
  await approvals.getByText('The session is killed').waitFor()
  await shoot(approvals, 'approvals-empty')
  await page.bringToFront()
  await page.getByRole('link', { name: 'tester' }).click()
  await shoot(page, 'session-killed')
  for (const route of ['agents', 'doctor', 'usage', 'audit', 'servers', 'secrets', 'settings']) {
    await go(route)
    await shoot(page, route)
  }
  await go('audit')
  await page.getByRole('button', { name: 'Verify' }).click()
  await page.getByText('Verified').waitFor()
  await shoot(page, 'audit-verified')
  if (faults.length > 0) process.stdout.write(`The console complained:\n${[...new Set(faults)].join('\n')}\n`)
} finally {
  await browser.close()
  await world.end()
}
