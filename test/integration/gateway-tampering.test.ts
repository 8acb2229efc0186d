import { spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { formatId, ToolCallId } from '../../shared/contract/ids.ts'
import { type ScriptedAnswer, startStandInModel, type StandInRequest } from '../../shared/core/demo/stand-in-model.ts'
import { createToolUseGuard, type ToolUseGuard } from '../../shared/core/gateway/tool-use-guard.ts'
import { CLAUDE, claudeEnv, createPlace, hasClaude, runClaude, type Place } from '../support/bare-claude.ts'
import { bash } from '../support/script.ts'
import { startInTerminal } from '../support/terminal.ts'
import { SESSION, startGateway } from './gateway-fixture.ts'
import { closing } from './gateway-harness.ts'

const CALL = ToolCallId.parse(formatId('call', new Uint8Array(12)))
const hasTmux = spawnSync('tmux', ['-V']).error === undefined

/** Policy denies what names a canary; whoever would be asked says yes to all else. */
const isDenied = (input: unknown): boolean => JSON.stringify(input).includes('canary')
const createGuard = (): ToolUseGuard => {
  const guard = createToolUseGuard({
    sessionId: SESSION,
    gate: {
      request: ({ input }) => Promise.resolve(isDenied(input) ? { allowed: false, toolCallId: CALL, reason: 'Denied by the test.' } : { allowed: true, toolCallId: CALL }),
      finish: () => undefined,
    },
    judge: (_, input) => (isDenied(input) ? 'deny' : 'ask'),
    isBrokered: () => false,
    canonical: (tool, input) => ({ tool, input }),
    onTampering: () => undefined,
    raiseAlarm: () => undefined,
  })
  return {
    ...guard,
    // As after hooks that reported until now: what is allowed is given to the agent, and its hooks are to ask.
    judge: (call, conversation, gone) => {
      if (conversation !== null) guard.heardFrom(conversation)
      return guard.judge(call, conversation, gone)
    },
  }
}

const calls = (...commands: string[]): ScriptedAnswer => ({ content: commands.flatMap((command) => bash(command).content) })
const isSub = ({ messages }: StandInRequest): boolean => JSON.stringify(messages[0]).includes('I am the subagent.')

/** Alone, among parallel calls, and in a subagent; what is allowed beside them shows that calls run at all. */
const SUB = [calls('touch canary-sub.txt'), calls('touch ok-sub.txt')]
const mainTurns = (first: string): ScriptedAnswer[] => [
  calls(first),
  calls('touch canary-alone.txt'),
  calls('touch ok-1.txt', 'touch canary-parallel.txt', 'touch ok-2.txt'),
  { content: [{ type: 'tool_use', name: 'Agent', input: { description: 'a part', prompt: 'I am the subagent.', subagent_type: 'general-purpose', run_in_background: false } }] },
]

const hooksTo = (url: string) => {
  const hook = [{ matcher: '*', hooks: [{ type: 'http', url, timeout: 5 }] }]
  return JSON.stringify({ hooks: { UserPromptSubmit: hook, PreToolUse: hook, PermissionRequest: hook, PostToolUse: hook } })
}

/** What an agent does to its hooks: settings that it is started with, and its first command. */
const WAYS: Record<string, (garbage: string) => { settings: string; first: string }> = {
  'every hook removed': () => ({ settings: '{}', first: 'true' }),
  'disableAllHooks written mid-session': (garbage) => ({ settings: hooksTo(garbage), first: 'sh switch-off.sh' }),
  'hooks answering garbage': (garbage) => ({ settings: hooksTo(garbage), first: 'true' }),
  'the hook endpoint dead': () => ({ settings: hooksTo('http://127.0.0.1:9/hook'), first: 'true' }),
}

const startAll = async (way: string) => {
  const place: Place = closing(createPlace())
  const garbage = createServer((request, response) => {
    request.resume()
    response.end('{"hookSpecificOutput":{"permissionDecision":"allow"},]]')
  })
  await new Promise<void>((resolve) => garbage.listen(0, '127.0.0.1', resolve))
  closing(garbage)
  const { settings, first } = WAYS[way]?.(`http://127.0.0.1:${(garbage.address() as AddressInfo).port}/hook`) ?? { settings: '{}', first: 'true' }
  const file = join(place.home, 'settings.json')
  writeFileSync(file, settings)
  writeFileSync(join(place.cwd, 'switch-off.sh'), `echo '{"disableAllHooks":true}' > .claude/settings.local.json\n`)
  const turns = mainTurns(first)
  const model = closing(
    await startStandInModel({
      script: (request) => {
        const answered = request.messages.filter(({ role }) => role === 'assistant').length
        const isAside = (request.tools ?? []).length === 0
        return (isAside ? undefined : isSub(request) ? SUB[answered] : turns[answered]) ?? { content: [{ type: 'text', text: isAside || isSub(request) ? 'Part done.' : 'All done.' }] }
      },
    }),
  )
  const gateway = closing(await startGateway({ upstreamBaseUrl: model.baseUrl, guard: createGuard() }))
  const args = ['--settings', file, '--allowedTools', 'Bash', 'Agent']
  const ran = () => ['ok-1', 'ok-2', 'ok-sub', 'canary-alone', 'canary-parallel', 'canary-sub'].filter((name) => existsSync(join(place.cwd, `${name}.txt`)))
  return { place, gateway, args, ran }
}

describe.skipIf(!hasClaude)(`a denied call never runs in the real Claude Code, alone, among parallel calls and in a subagent${hasClaude ? '' : ' (missing: the real Claude Code)'}`, () => {
  test.each(Object.keys(WAYS))('with %s, in -p', { timeout: 60_000 }, async (way) => {
    const { place, gateway, args, ran } = await startAll(way)
    await runClaude(gateway.baseUrl, place, ['Do it.', ...args])
    expect(ran()).toEqual(['ok-1', 'ok-2', 'ok-sub'])
    if (way.startsWith('disableAllHooks')) expect(existsSync(join(place.cwd, '.claude', 'settings.local.json'))).toBe(true)
  })

  test.skipIf(!hasTmux).each(Object.keys(WAYS))('with %s, in a terminal', { timeout: 120_000 }, async (way) => {
    const { place, gateway, args, ran } = await startAll(way)
    const screen = startInTerminal(`hf-tamper-${process.pid}`, [CLAUDE, '--permission-mode', 'manual', '--model', 'claude-opus-5-5', ...args], { env: claudeEnv(gateway.baseUrl, place), cwd: place.cwd })
    closing({ close: screen.end })
    await screen.shows('manual mode on')
    screen.type('Do it.')
    screen.press('Enter')
    await screen.shows('All done.')
    // In a terminal a subagent goes on in the background.
    await vi.waitFor(() => expect(ran()).toEqual(['ok-1', 'ok-2', 'ok-sub']), { timeout: 40_000 })
  })
})
