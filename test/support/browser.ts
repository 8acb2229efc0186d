import { existsSync } from 'node:fs'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import type { World } from './world.ts'

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path))

/** Why no page can be opened on this machine, or null. */
export const missingForBrowser = (): string | null => (CHROMIUM === undefined ? 'Chromium' : null)

export const startBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM ?? '', args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] })

/** Both pages of a world's host, logged in as a person does, and what they asked for and complained about. */
export interface Dashboard {
  readonly context: BrowserContext
  readonly page: Page
  readonly approvalsUrl: string
  /** Every address that any page asked for. */
  readonly requests: readonly string[]
  /** What the console of any page said of a fault, the refusals of its policy among them. */
  readonly faults: readonly string[]
  /** A new tab with the approvals page. */
  openApprovals(): Promise<Page>
}

export const loginLink = async (world: World): Promise<string> => {
  const client = await world.client()
  const { url } = await client.call('dashboard/open', {})
  client.close()
  return url
}

export const openDashboard = async (browser: Browser, world: World, options: Parameters<Browser['newContext']>[0] = {}): Promise<Dashboard> => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
  const requests: string[] = []
  const faults: string[] = []
  context.on('request', (request) => requests.push(request.url()))
  context.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text())
  })
  context.on('weberror', (error) => faults.push(String(error.error())))
  const page = await context.newPage()
  const link = await loginLink(world)
  await page.goto(link)
  await page.getByText('Connected', { exact: true }).waitFor({ state: 'attached' })
  const approvalsUrl = `${new URL(link).origin}/`
  return {
    context,
    page,
    approvalsUrl,
    requests,
    faults,
    openApprovals: async () => {
      const approvals = await context.newPage()
      await approvals.goto(approvalsUrl)
      return approvals
    },
  }
}

/** Chooses in a select by its name, as with a mouse: what is named so, or begins so before a comma. */
export const choose = async (page: Page, select: string, option: string): Promise<void> => {
  await page.getByRole('combobox', { name: select, exact: true }).click()
  await page.getByRole('option', { name: new RegExp(`^${option}(,|$)`) }).click()
}

/** Starts the world's agent with the launch form, and waits for its terminal. */
export const launch = async (page: Page, world: World, command = 'claude'): Promise<void> => {
  await page.goto(new URL('/#/launch', page.url()).href)
  await page.getByLabel('Folder').fill(world.project)
  await page.getByLabel('Command').fill(command)
  await choose(page, 'Profile', 'test')
  await page.getByRole('button', { name: 'Start', exact: true }).click()
  await page.locator('.xterm-screen').waitFor()
}

/** What the terminal shows. */
export const terminalText = (page: Page): Promise<string> => page.locator('.xterm-rows').innerText()
