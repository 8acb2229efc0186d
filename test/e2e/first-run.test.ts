import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { useTerminals } from '../support/terminals.ts'
import { missingForEndToEnd } from '../support/world.ts'

const missing = missingForEndToEnd()

const terminals = useTerminals('first')

describe.skipIf(missing !== null)(`the first run at a terminal${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  it('goes from what this machine lacks to a governed agent, with a yes at each step', async () => {
    const world = await terminals.createWorld(() => [])
    const terminal = terminals.open('init', '--profile', 'test')
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
