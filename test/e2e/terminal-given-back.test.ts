import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { DEAF_MS } from '../../shared/host/cli/approval-prompt.ts'
import { bash } from '../support/script.ts'
import type { TerminalProgram } from '../support/terminal.ts'
import { useTerminals } from '../support/terminals.ts'
import { missingForEndToEnd, nextEvent } from '../support/world.ts'

const missing = missingForEndToEnd()
/** Alternate screen, hidden cursor, mouse, bracketed paste, application cursor keys, red. */
const MESS = String.raw`printf '\033[?1049h\033[?25l\033[?1003h\033[?1006h\033[?2004h\033[?1h\033[31mready'; sleep 1000`
const STATE = '#{alternate_on} #{cursor_flag} #{mouse_any_flag} #{keypad_cursor_flag}'

const terminals = useTerminals('given')

const open = (...command: string[]): TerminalProgram => terminals.open('run', '--profile', 'test', '--', ...command)

describe.skipIf(missing !== null)(`a terminal lent to an agent${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  it('is given back in order when the host dies: exit code 4, said in words', async () => {
    const world = await terminals.createWorld(() => [])
    const screen = open('sh', '-c', MESS)
    await screen.shows('ready')
    expect(screen.state(STATE)).toBe('1 0 1 1')
    process.kill((await world.endpoint()).pid, 'SIGKILL')
    const after = await screen.shows('ended with 4')
    expect(after).toContain('The host has gone')
    expect(screen.state(STATE)).toBe('0 1 0 0')
  })

  it('is let go by Ctrl-C when the host hangs: exit code 4, with how to end the session', async () => {
    const world = await terminals.createWorld(() => [])
    const screen = open('sh', '-c', MESS)
    await screen.shows('ready')
    const { pid } = await world.endpoint()
    process.kill(pid, 'SIGSTOP')
    screen.press('C-c')
    const after = await screen.shows('ended with 4')
    process.kill(pid, 'SIGCONT')
    expect(after.replaceAll('\n', '')).toMatch(/The host does not answer.* holdfast kill ses_/)
    expect(screen.state(STATE)).toBe('0 1 0 0')
  })

  it('is given back in order after a kill, and Ctrl-C reaches the agent before', async () => {
    const world = await terminals.createWorld(() => [])
    const screen = open('sh', '-c', `trap 'echo interrupted' INT; while :; do ${MESS}; done`)
    await screen.shows('ready')
    screen.press('C-c')
    await screen.shows('interrupted')
    expect((await world.holdfast(['kill', '--all'])).code).toBe(0)
    await screen.shows('ended with 137')
    expect(screen.state(STATE)).toBe('0 1 0 0')
  })

  it('shows the whole question over a screen that the agent made a trap of: a region of five rows, letters drawn as lines, a string that never ends', async () => {
    const left = String.raw`\033[36;40r\033[?6h\033(0\033P`
    const world = await terminals.createWorld(() => [])
    writeFileSync(join(world.holdfastHome, 'config/profiles/test.yaml'), `agent: tester\nmodel: { key: agent/test, baseUrl: "${world.model.baseUrl}" }\nnetwork: allowlist\n`)
    // The question about a host is one that any command can bring about.
    const screen = open('sh', '-c', `printf 'Press a to see more.${left}'; curl -s http://hosts.example/; sleep 1000`)
    const shown = await screen.shows('Holdfast: the agent waits for your answer')
    expect(shown).toContain('host: hosts.example')
    expect(shown).toContain('[a] approve for one minute')
    expect(shown).not.toContain('Press a to see more')
  })

  it('shows a long question in pages, and approves only after the last', async () => {
    const world = await terminals.createWorld(() => [bash(`rm -rf build${'\n# a line to scroll the command away'.repeat(80)}`)])
    const screen = open('claude')
    await screen.shows('manual mode on')
    screen.type('Do it.')
    screen.press('Enter')
    const first = await screen.shows('more lines')
    expect(first).toContain('command: rm -rf build')
    expect(first).not.toContain('[a]')
    const client = await world.client()
    const approved = nextEvent(client, 'approval/changed', ({ state }) => state === 'approved')
    let done = false
    void approved.then(() => (done = true))
    // The prompt is deaf until no key was pressed for a while, on purpose: so keys are pressed until they count.
    for (let key = 'a'; !screen.screen().includes('[a] approve once'); key = key === 'a' ? 'Space' : 'a') {
      screen.press(key)
      await delay(DEAF_MS + 100)
    }
    expect(existsSync(join(world.project, 'build')), 'nothing ran before the last page').toBe(true)
    while (!done) {
      screen.press('a')
      await Promise.race([approved, delay(DEAF_MS + 100)])
    }
    await screen.shows('Done.')
    expect(existsSync(join(world.project, 'build'))).toBe(false)
    client.close()
  })
})
