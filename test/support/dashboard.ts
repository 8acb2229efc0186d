import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe } from 'vitest'
import type { ScriptedAnswer } from '../../shared/core/demo/stand-in-model.ts'
import { missingForBrowser, openDashboard, startBrowser, type Dashboard } from './browser.ts'
import { createScriptedWorld } from './script.ts'
import { missingForEndToEnd, type World } from './world.ts'

const missing = [missingForEndToEnd(), missingForBrowser()].filter((part) => part !== null).join(', ')

/** A browser on a busy machine is slow; one of these tests looks at some thirty states. */
const LONG_MS = 180_000

/** A world whose model plays these turns, and its dashboard. One a test: it ends with it. */
export type OpenWorld = (turns?: (project: string) => readonly ScriptedAnswer[]) => Promise<Dashboard & { readonly world: World }>

/** Tests of pages in a real browser, by a real host and the real Claude Code; skipped by name where one of them is missing. */
export const describeDashboard = (what: string, tests: (open: OpenWorld) => void): void => {
  describe.skipIf(missing !== '')(`${what}${missing === '' ? '' : ` (missing: ${missing})`}`, { timeout: LONG_MS }, () => {
    let browser: Browser
    let world: World | null = null
    let dashboard: Dashboard | null = null
    beforeAll(async () => {
      browser = await startBrowser()
    })
    afterAll(() => browser?.close())
    afterEach(async () => {
      await dashboard?.context.close()
      await world?.end()
      world = dashboard = null
    })
    tests(async (turns = () => []) => {
      world = await createScriptedWorld(turns)
      dashboard = await openDashboard(browser, world)
      return { ...dashboard, world }
    })
  })
}
