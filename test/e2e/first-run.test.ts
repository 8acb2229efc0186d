import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { createScriptedWorld } from '../support/script.ts'
import { startInTerminal, type TerminalProgram } from '../support/terminal.ts'
import { missingForEndToEnd, type World } from '../support/world.ts'

const missing = missingForEndToEnd()
const CLI = fileURLToPath(new URL('../../build/out/host/cli.mjs', import.meta.url))

let world: World | null = null
let terminal: TerminalProgram | null = null
afterEach(async () => {
  terminal?.end()
  terminal = null
  await world?.end()
  world = null
})

describe.skipIf(missing !== null)(`the first run at a terminal${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  it('goes from what this machine lacks to a governed agent, with a yes at each step', async () => {
    world = await createScriptedWorld(() => [])
    terminal = startInTerminal(`hf-first-${process.pid}`, [process.execPath, CLI, 'init', '--profile', 'test'], { env: world.environment, cwd: world.project })
    const shown = await terminal.shows('holdfast.yaml? [y/N]')
    expect(shown).toContain('Nothing is wrong with how agents are set up here.')
    expect(shown).toContain('test.yaml is there already and stays as it is.')
    expect(existsSync(join(world.project, 'holdfast.yaml'))).toBe(false)
    terminal.type('y')
    terminal.press('Enter')
    await terminal.shows('Start the agent here now? [y/N]')
    expect(readFileSync(join(world.project, 'holdfast.yaml'), 'utf8')).toContain('network: allowlist')
    terminal.type('y')
    terminal.press('Enter')
    await terminal.shows('held by Holdfast')
    const client = await world.client()
    expect((await client.call('session/list', {})).sessions).toMatchObject([{ agent: 'tester', cwd: world.project }])
    client.close()
    expect((await world.holdfast(['kill', '--all'])).code).toBe(0)
  })
})
