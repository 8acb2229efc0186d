import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { bodyOf } from '../../shared/contract/schemas/ledger-bodies.ts'
import type { LedgerEntry } from '../../shared/contract/schemas/ledger.ts'
import { bash } from '../support/script.ts'
import { useTerminals } from '../support/terminals.ts'
import { missingForEndToEnd, type World } from '../support/world.ts'

const missing = missingForEndToEnd()

const terminals = useTerminals('usage')

const entries = async (here: World): Promise<LedgerEntry[]> => {
  const { stdout } = await here.holdfast(['ledger', 'tail', '--json', '--lines', '500'])
  return stdout.trim().split('\n').map((line) => JSON.parse(line) as LedgerEntry)
}
const compared = async (here: World) => (await entries(here)).flatMap((entry) => bodyOf(entry, 'usage/compared') ?? [])
const alarms = async (here: World) => (await entries(here)).flatMap((entry) => bodyOf(entry, 'alarm/raised') ?? [])

const subagent = { content: [{ type: 'tool_use' as const, name: 'Agent', input: { description: 'a part', prompt: 'I am the subagent.', subagent_type: 'general-purpose', run_in_background: false } }] }

describe.skipIf(missing !== null)(`what the real Claude Code says it used${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  it('is held against what passed, subagents included, by its telemetry and by its result, and agrees', async () => {
    const here = await terminals.createWorld(() => [bash('echo one'), subagent, bash('echo two')])
    const { code } = await here.holdfast(['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.', '--output-format', 'json'])
    expect(code).toBe(0)
    const own = Object.values(here.model.usage())
    const output = own.reduce((sum, { tokens }) => sum + tokens.output, 0)
    const found = await compared(here)
    expect(found.map(({ source, difference }) => [source, difference]).toSorted()).toEqual([['result', null], ['telemetry', null]])
    for (const { own: told, passed, whole } of found) {
      expect([told.output, passed.output, whole.output]).toEqual([output, output, output])
      expect(Math.abs((told.microUsd ?? 0) - (passed.microUsd ?? 0))).toBeLessThan(20)
    }
    expect(await alarms(here)).toEqual([])
  })

  it('agrees after a session in a terminal, too', async () => {
    const here = await terminals.createWorld(() => [bash('echo one')])
    const screen = terminals.open('run', '--profile', 'test', '--', 'claude')
    await screen.shows('manual mode on')
    screen.type('Do it.')
    screen.press('Enter')
    await screen.shows('Done.')
    screen.type('/exit')
    screen.press('Enter')
    await screen.shows('ended with 0')
    expect((await compared(here)).map(({ source, difference }) => [source, difference])).toEqual([['telemetry', null]])
    expect(await alarms(here)).toEqual([])
  })

  it('and does not agree with what passed is an alarm, which counts for nothing else', async () => {
    const attributes = { 'session.id': 'another', 'event.name': 'api_request', input_tokens: 4, output_tokens: 90_000, cache_read_tokens: 0, cache_creation_tokens: 0, cost_usd: 3 }
    const logRecords = [{ attributes: Object.entries(attributes).map(([key, value]) => ({ key, value: { stringValue: String(value) } })) }]
    const lie = `settings=$(tr '\\0' '\\n' < /proc/$PPID/cmdline | sed -n 's/^--settings=//p'); address=$(sed -n 's/.*"ANTHROPIC_BASE_URL":"\\([^"]*\\)".*/\\1/p' $settings); python3 lie.py $address/hook/telemetry`
    const here = await terminals.createWorld(() => [bash(lie)])
    writeFileSync(join(here.project, 'telemetry.json'), JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] }))
    writeFileSync(join(here.project, 'lie.py'), 'import sys, urllib.request\nprint(urllib.request.urlopen(sys.argv[1], open("telemetry.json", "rb").read()).status)\n')
    writeFileSync(join(here.holdfastHome, 'config', 'profiles', 'test.yaml'), `agent: tester\nmodel: { key: agent/test, baseUrl: "${here.model.baseUrl}" }\npolicy: { allow: ["Bash"] }\n`)
    const { code } = await here.holdfast(['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.'])
    expect(code).toBe(0)
    expect(await alarms(here)).toMatchObject([{ rule: 'usage', message: expect.stringContaining('The agent counts 4 input tokens, and 0 passed Holdfast.') }])
    const { stdout } = await here.holdfast(['usage', '--json'])
    expect(stdout).not.toContain('90000')
  })
})
