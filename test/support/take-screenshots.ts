// Pictures of every page, light and dark, wide and narrow, into test/screenshots: node test/support/take-screenshots.ts [--readme] (the programs must be
// built). With --readme the three that README.md shows are renewed as well.
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Locator, Page } from 'playwright-core'
import { choose, launch, openDashboard, startBrowser, terminalText } from './browser.ts'
import { takeTrayPanels } from './tray-panels.ts'
import { pinServer } from './pinned-server.ts'
import { bash, createScriptedWorld, use } from './script.ts'

const FOLDER = fileURLToPath(new URL('../screenshots', import.meta.url))
const README_FOLDER = fileURLToPath(new URL('../../.github/screenshots', import.meta.url))
const LOOKS = [
  { name: 'light', width: 1280, height: 800, colorScheme: 'light' },
  { name: 'dark', width: 1280, height: 800, colorScheme: 'dark' },
  { name: 'narrow', width: 420, height: 800, colorScheme: 'light' },
  { name: 'narrow-dark', width: 420, height: 800, colorScheme: 'dark' },
] as const

const settled = async (page: Page): Promise<void> => {
  await page.waitForLoadState('networkidle').catch(() => undefined)
  await page.waitForTimeout(300)
  while ((await page.getByText(/^(Looking|Reading|Trying|looking)\b.*…$/).count()) > 0) await page.waitForTimeout(300)
}

const shoot = async (page: Page, name: string, at?: Locator): Promise<void> => {
  for (const { name: look, width, height, colorScheme } of LOOKS) {
    await page.emulateMedia({ colorScheme })
    await page.setViewportSize({ width, height })
    await settled(page)
    await at?.evaluate((element) => element.scrollIntoView())
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
await writeFile(join(world.project, 'CLAUDE.md'), '## Never without asking\n\n- deploying to production\n- force pushes\n\n## Allowed\n\n- running the tests\n')
const profile = join(world.holdfastHome, 'config', 'profiles', 'test.yaml')
await writeFile(
  profile,
  `# What this agent is called, may do and may spend.\n${await readFile(profile, 'utf8')}policy:
  deny: ["Bash(terraform apply:*)"]
  ask: ["Bash(npm publish:*)", "mcp__github__create_pr"]
  allow: ["Read", "Bash(npm test:*)", "Network(docs.example.com)"]
`,
)
pinServer(world)
const browser = await startBrowser()
try {
  await takeTrayPanels(browser, FOLDER)
  const { page, openApprovals, faults } = await openDashboard(browser, world)
  const go = async (route: string): Promise<void> => {
    await page.goto(new URL(`/#/${route}`, page.url()).href)
  }
  await shoot(page, 'sessions-empty')
  await go('setup')
  await page.getByLabel('Folder').fill(world.project)
  await page.getByRole('button', { name: 'Look at it' }).click()
  await page.getByText('will be able to do').waitFor()
  await shoot(page, 'setup')
  await shoot(page, 'setup-proposed', page.getByRole('region', { name: 'A governed agent for it' }))
  await shoot(page, 'setup-boundaries', page.getByText('as you wrote it'))
  await go('launch')
  await page.getByLabel('Folder').fill(world.project)
  await choose(page, 'Profile', 'test')
  await page.getByText('will be able to do').waitFor()
  await shoot(page, 'launch')
  await launch(page, world)
  while (!(await terminalText(page)).includes('manual mode on')) await page.waitForTimeout(200)
  await page.keyboard.type('Clean up the project, please.')
  await page.keyboard.press('Enter')
  const approvals = await openApprovals()
  await approvals.getByText('wants to use').waitFor()
  await shoot(approvals, 'answer')
  await page.bringToFront()
  await shoot(page, 'session-terminal')
  await page.getByRole('link', { name: 'Timeline' }).click()
  await shoot(page, 'session-timeline')
  await page.getByLabel('Timeline').getByRole('option').filter({ hasText: 'src.ts' }).filter({ hasText: 'done' }).click()
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
  await shoot(approvals, 'answer-empty')
  await page.bringToFront()
  await page.getByRole('link', { name: 'tester' }).click()
  await shoot(page, 'session-killed')
  await go('policy')
  await choose(page, 'Profile', 'test')
  for (const route of ['agents', 'agents/test', 'policy', 'policy/explain', 'policy/replay', 'approvals', 'doctor', 'doctor/setup', 'usage', 'audit', 'servers', 'secrets', 'settings']) {
    await go(route)
    if (route === 'doctor') await page.getByRole('region', { name: 'Findings' }).waitFor()
    await shoot(page, route.replace('/', '-'))
  }
  await go('policy/explain')
  await page.getByLabel('Command').fill('npm publish --access public')
  await page.getByRole('button', { name: 'Explain' }).click()
  await page.getByRole('status', { name: 'The decision' }).waitFor()
  await shoot(page, 'policy-explained')
  await go('policy/replay')
  await page.getByRole('button', { name: 'Replay past calls' }).click()
  await page.getByText('Past calls', { exact: true }).waitFor()
  await shoot(page, 'policy-replayed')
  await go('agents/test')
  await page.getByLabel('Dollars a session').fill('20')
  await page.getByRole('button', { name: 'Review the change' }).click()
  await page.getByText('spend limit: $5.00 → $20.00').first().waitFor()
  await shoot(page, 'agents-review')
  await page.getByRole('button', { name: 'Ask for this change' }).click()
  await shoot(page, 'agents-asked')
  await approvals.bringToFront()
  await approvals.getByText('spend limit: $5.00 → $20.00').first().waitFor()
  await shoot(approvals, 'answer-change')
  await page.bringToFront()
  await go('launch')
  await page.getByRole('button', { name: 'Choose…' }).click()
  await page.getByRole('dialog').waitFor()
  await shoot(page, 'launch-choose')
  await page.keyboard.press('Escape')
  await go('audit')
  await page.getByRole('button', { name: 'Verify' }).click()
  await page.getByText('Verified').waitFor()
  await shoot(page, 'audit-verified')
  await page.getByRole('combobox', { name: 'Which kind' }).press('ArrowDown')
  await shoot(page, 'audit-kinds')
  if (process.argv.includes('--readme')) {
    await mkdir(README_FOLDER, { recursive: true })
    for (const name of ['session-timeline', 'answer', 'usage']) await copyFile(join(FOLDER, `${name}-light.png`), join(README_FOLDER, `${name}.png`))
  }
  if (faults.length > 0) process.stdout.write(`The console complained:\n${[...new Set(faults)].join('\n')}\n`)
} finally {
  await browser.close()
  await world.end()
}
