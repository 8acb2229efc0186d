import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { DEAF_MS } from '../../shared/host/cli/approval-prompt.ts'
import { bash, toolResults, use } from '../support/script.ts'
import type { TerminalProgram } from '../support/terminal.ts'
import { useTerminals } from '../support/terminals.ts'
import { missingForEndToEnd, nextEvent } from '../support/world.ts'

const missing = missingForEndToEnd()

const terminals = useTerminals('claude')

const open = (...args: string[]): TerminalProgram => terminals.open('run', '--profile', 'test', '--', 'claude', ...args)

describe.skipIf(missing !== null)(`the real Claude Code in a terminal${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  it('reads and writes without asking; rm -rf is asked over its screen, denied with d, approved with a', async () => {
    const world = await terminals.createWorld((project) => [
      use('Read', { file_path: join(project, 'README.md') }),
      use('Write', { file_path: join(project, 'made.txt'), content: 'made\n' }),
      bash('rm -rf build'),
      bash('rm -rf build/'),
    ])
    const screen = open()
    await screen.shows('manual mode on')
    screen.type('Do it.')
    screen.press('Enter')
    const question = await screen.shows('[a] approve once')
    expect(question).toContain('command: rm -rf build')
    expect(readFileSync(join(world.project, 'made.txt'), 'utf8')).toBe('made\n')
    expect(existsSync(join(world.project, 'build', 'out.txt'))).toBe(true)

    const client = await world.client()
    const decided = nextEvent(client, 'approval/changed', ({ state }) => state === 'denied')
    const again = nextEvent(client, 'approval/changed', (request) => request.state === 'waiting')
    await pressUntil(screen, 'd', decided)
    await again
    expect(toolResults(world).at(-1)).toContain('Denied by the user')
    expect(existsSync(join(world.project, 'build', 'out.txt'))).toBe(true)

    const approved = nextEvent(client, 'approval/changed', ({ state }) => state === 'approved')
    await screen.shows('command: rm -rf build/')
    await pressUntil(screen, 'a', approved)
    await screen.shows('Done.')
    expect(existsSync(join(world.project, 'build'))).toBe(false)
    client.close()
  })

  it('runs no command of a settings file for its screen: status lines, file suggestions', async () => {
    const world = await terminals.createWorld(() => [])
    const settings = JSON.stringify({
      statusLine: { type: 'command', command: 'touch status-ran.txt; echo EVIL STATUS' },
      subagentStatusLine: { type: 'command', command: 'touch subagent-status-ran.txt' },
      fileSuggestion: { type: 'command', command: 'touch suggestion-ran.txt' },
    })
    const agentHome = join(world.holdfastHome, 'data', 'agents', 'tester', 'home')
    for (const folder of [join(world.project, '.claude'), join(agentHome, '.claude')]) {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      writeFileSync(join(folder, 'settings.json'), settings)
    }
    writeFileSync(join(world.project, '.claude', 'settings.local.json'), settings)
    const screen = open()
    await screen.shows('held by Holdfast')
    screen.type('Do it @eadm')
    await screen.shows('README.md')
    screen.press('Tab')
    await screen.shows(/Do it @README\.md/)
    screen.press('Enter')
    await screen.shows('Done.')
    expect(screen.screen()).not.toContain('EVIL STATUS')
    expect(readdirSync(world.project).filter((name) => name.endsWith('-ran.txt'))).toEqual([])
  })

  it('k on the question kills the session and puts the folder back', async () => {
    const world = await terminals.createWorld((project) => [use('Write', { file_path: join(project, 'made.txt'), content: 'made\n' }), bash('rm -rf build')])
    const screen = open()
    await screen.shows('manual mode on')
    screen.type('Do it.')
    screen.press('Enter')
    await screen.shows('[k] kill the')
    const client = await world.client()
    const killed = nextEvent(client, 'session/changed', ({ state }) => state === 'killed')
    await pressUntil(screen, 'k', killed)
    await screen.shows('ended with 137')
    expect(existsSync(join(world.project, 'made.txt'))).toBe(false)
    expect(existsSync(join(world.project, 'build', 'out.txt'))).toBe(true)
    client.close()
  })
})

/** The prompt is deaf until no key was pressed for a while, on purpose: presses the key until the answer has come. */
const pressUntil = async (screen: TerminalProgram, key: string, answered: Promise<unknown>): Promise<void> => {
  let done = false
  void answered.then(() => (done = true))
  while (!done) {
    screen.press(key)
    await Promise.race([answered, new Promise((resolve) => setTimeout(resolve, DEAF_MS + 100))])
  }
}
