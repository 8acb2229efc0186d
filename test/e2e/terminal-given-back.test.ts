import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
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
    // The prompt is deaf at first, on purpose: so keys are pressed until they count.
    for (let key = 'a'; !screen.screen().includes('[a] approve once'); key = key === 'a' ? 'Space' : 'a') {
      screen.press(key)
      await delay(250)
    }
    expect(existsSync(join(world.project, 'build')), 'nothing ran before the last page').toBe(true)
    while (!done) {
      screen.press('a')
      await Promise.race([approved, delay(250)])
    }
    await screen.shows('Done.')
    expect(existsSync(join(world.project, 'build'))).toBe(false)
    client.close()
  })
})
