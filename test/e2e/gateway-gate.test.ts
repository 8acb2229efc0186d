import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { LedgerEntry } from '../../shared/contract/schemas/ledger.ts'
import { scriptedTurns, type StandInRequest } from '../../shared/core/demo/stand-in-model.ts'
import { bash, createScriptedWorld, toolResults } from '../support/script.ts'
import { createWorld, missingForEndToEnd, nextEvent, type World } from '../support/world.ts'

const missing = missingForEndToEnd()

let world: World | null = null
afterEach(async () => {
  await world?.end()
  world = null
})

const run = (args: readonly string[] = []) => ['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.', ...args]

const alarms = async (here: World): Promise<string[]> => {
  const { stdout } = await here.holdfast(['ledger', 'tail', '--json', '--lines', '500'])
  return stdout.trim().split('\n').map((line) => JSON.parse(line) as LedgerEntry).filter(({ kind }) => kind === 'alarm/raised').map(({ body }) => String(body['message']))
}

/** As an agent would: the address stands in a file that its own process was started with; any token will do. */
const secondAgent = (): string => {
  const settings = `$(tr '\\0' '\\n' < /proc/$PPID/cmdline | sed -n 's/^--settings=//p')`
  const address = `$(sed -n 's/.*"ANTHROPIC_BASE_URL":"\\([^"]*\\)".*/\\1/p' ${settings})`
  return `ANTHROPIC_AUTH_TOKEN=x ANTHROPIC_BASE_URL=${address} claude -p 'I am the second.' --allowedTools Bash --settings '{"disableAllHooks":true}' < /dev/null`
}

const isSecond = ({ messages }: StandInRequest): boolean => JSON.stringify(messages[0]).includes('I am the second.')

/** The calls in the history of the last request, as the model reads them. */
const historyCalls = (here: World): unknown[] =>
  here.model.requests.filter(({ path }) => path.startsWith('/v1/messages')).slice(-1).flatMap(({ body }) => (body as StandInRequest).messages).flatMap(({ content }) =>
    typeof content === 'string' ? [] : content.filter(({ type }) => type === 'tool_use').map((block) => [block['name'], (block['input'] as Record<string, unknown>)['command']]),
  )

describe.skipIf(missing !== null)(`the gate in the gateway, with the real Claude Code${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  it('a call that policy denies never reaches the agent; the model reads what it asked for, and why not', async () => {
    const here = (world = await createScriptedWorld(() => [bash('touch denied.txt'), bash('touch fine.txt')]))
    writeFileSync(join(here.project, 'holdfast.yaml'), 'policy: { deny: ["Bash(touch denied.txt)"] }\n')
    const { code, stdout } = await here.holdfast(run(['--output-format', 'stream-json', '--verbose']))
    expect(code).toBe(0)
    expect(stdout).toContain('"name":"HoldfastDenied"')
    expect(existsSync(join(here.project, 'denied.txt'))).toBe(false)
    expect(existsSync(join(here.project, 'fine.txt'))).toBe(true)
    expect(historyCalls(here)).toEqual([['Bash', 'touch denied.txt'], ['Bash', 'touch fine.txt']])
    expect(toolResults(here)[0]).toContain("Denied by Holdfast's policy")
    expect(await alarms(here)).toEqual([])
  })

  /** A first Claude Code has started a second, with every hook off, whose `rm -rf build` waits for an answer. */
  const secondHeld = async () => {
    const second = secondAgent()
    const here = (world = await createWorld((request) => scriptedTurns([bash(isSecond(request) ? 'rm -rf build' : second)])(request)))
    await here.holdfast(['up'])
    const client = await here.client()
    // Starting another agent is a question of its own: here the user says yes to it.
    client.on('approval/changed', ({ id: approvalId, bindingHash, state, input }) => {
      if (state === 'waiting' && JSON.stringify(input).includes('I am the second.')) void client.call('approval/decide', { approvalId, bindingHash, answer: 'approve', scope: 'once' })
    })
    const waiting = nextEvent(client, 'approval/changed', ({ state, input }) => state === 'waiting' && JSON.stringify(input).includes('"rm -rf build"'))
    const session = here.start(run())
    session.child.stdin?.end()
    return { here, client, session, id: (await waiting).id }
  }

  it('a second Claude Code that the first starts, with every hook off and Bash allowed, is asked about at the gateway', async () => {
    const { here, client, session, id } = await secondHeld()
    expect(existsSync(join(here.project, 'build', 'out.txt'))).toBe(true)
    await here.holdfast(['deny', id, '--reason', 'I need the build.'])
    expect((await session.finished).code).toBe(0)
    expect(existsSync(join(here.project, 'build', 'out.txt'))).toBe(true)
    expect(JSON.stringify(here.model.requests.map(({ body }) => body))).toContain('I need the build.')
    const conversations = new Set(here.model.requests.map(({ headers }) => headers['x-claude-code-session-id']))
    expect(conversations.size).toBe(2)
    client.close()
  })

  it('a person changes the arguments of a call that the gateway holds: those run, and the model reads its own call and what ran', async () => {
    const { here, client, session, id } = await secondHeld()
    const { code, stderr } = await here.holdfast(['approve', id, '--input', JSON.stringify({ command: 'echo changed > changed.txt' })])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect((await session.finished).code).toBe(0)
    expect(existsSync(join(here.project, 'build', 'out.txt'))).toBe(true)
    expect(readFileSync(join(here.project, 'changed.txt'), 'utf8')).toBe('changed\n')
    const sent = JSON.stringify(here.model.requests.map(({ body }) => body).filter((body) => isSecond(body as StandInRequest)))
    expect(sent).toContain('The user changed the arguments of this call before it ran. It ran with: ')
    expect(sent).toContain('"input":{"command":"rm -rf build"')
    expect(sent).not.toContain('"input":{"command":"echo changed')
    const { stdout } = await here.holdfast(['ledger', 'tail', '--json', '--lines', '500'])
    const intents = stdout.trim().split('\n').map((line) => JSON.parse(line) as LedgerEntry).filter(({ kind }) => kind === 'tool-call/intent')
    expect(intents.at(-1)?.body).toMatchObject({ approvedBy: 'person', input: { command: 'echo changed > changed.txt' }, askedInput: { command: 'rm -rf build' } })
    expect(await alarms(here)).toEqual([])
    client.close()
  })
})
