import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { checkArguments } from '../../shared/core/agents/check-arguments.ts'
import { codex, codexConfiguration } from '../../shared/core/agents/codex/codex.ts'
import { canonical as codexCall } from '../../shared/core/agents/codex/tools.ts'
import { opencode } from '../../shared/core/agents/opencode/opencode.ts'
import { canonical as opencodeCall } from '../../shared/core/agents/opencode/tools.ts'
import { writeOwnFile } from '../../shared/core/agents/own-file.ts'
import { SESSION } from '../support/fakes.ts'

const CWD = '/home/me/project'
const patch = (...lines: string[]) => ['*** Begin Patch', ...lines, '*** End Patch'].join('\n')

describe('calls of other agents under the names that rules know', () => {
  it('reads a command as Bash where it means the same, and what else it says stays with it', () => {
    expect(opencodeCall('bash', { command: 'ls', description: 'list' }, CWD)).toEqual({ tool: 'Bash', input: { command: 'ls', description: 'list' } })
    expect(codexCall('exec_command', { cmd: 'ls', yield_time_ms: 5 }, CWD)).toEqual({ tool: 'Bash', input: { command: 'ls', yield_time_ms: 5 } })
    expect(codexCall('shell', { command: ['bash', '-lc', 'ls'] }, CWD)).toEqual({ tool: 'Bash', input: { command: 'ls' } })
  })

  it.each([
    ['bash', { command: 'rm x', workdir: '/' }, opencodeCall],
    ['exec_command', { cmd: 'ls', workdir: '../other' }, codexCall],
    ['exec_command', { cmd: 'ls', shell: './evil' }, codexCall],
    ['shell', { command: ['python3', '-c', 'ls'] }, codexCall],
    ['shell', { command: ['bash', '-c', 'ls', 'more'] }, codexCall],
    ['write_stdin', { session_id: 1, chars: 'rm -rf .\n' }, codexCall],
    ['apply_patch', { patchText: patch('*** Delete File: a') }, opencodeCall],
    ['apply_patch', { input: patch('*** Update File: a', '*** Add File: b') }, codexCall],
    ['apply_patch', { input: patch('*** Update File: a', '*** Move to: b') }, codexCall],
    ['apply_patch', { input: patch('*** Add File: ../../etc/x') }, codexCall],
    ['of_the_future', { x: 1 }, opencodeCall],
    ['bash', 'ls', opencodeCall],
  ] as const)('leaves a call that may mean something else as it is, unknown to rules: %s %j', (tool, input, call) => {
    expect(call(tool, input, CWD)).toEqual({ tool, input })
  })

  it('reads files and edits by their path', () => {
    expect(opencodeCall('edit', { filePath: '/home/me/project/a', oldString: 'x' }, CWD)).toEqual({ tool: 'Edit', input: { file_path: '/home/me/project/a', oldString: 'x' } })
    const text = patch('*** Update File: src/a.ts', '@@', '+x')
    expect(codexCall('apply_patch', { input: text }, CWD)).toEqual({ tool: 'Edit', input: { file_path: '/home/me/project/src/a.ts', patch: text } })
    expect(opencodeCall('apply_patch', { patchText: text }, CWD).tool).toBe('Edit')
  })

  it('knows the tools of the broker by the name that each agent gives them', () => {
    expect([opencode.isBrokered('holdfast_db__query'), opencode.isBrokered('bash'), codex.isBrokered('mcp__holdfast__db__query'), codex.isBrokered('exec_command')]).toEqual([true, false, true, false])
  })
})

describe('arguments', () => {
  const allowed = { flags: { '--model': 'one', '--json': 'none' }, refusedSubcommands: ['serve'] } as const

  it('pass when they are known, their values and the prompt unread', () => {
    expect(() => checkArguments('X', ['run', '--model', '--evil', '--json', 'serve', '--model=y', '--', '--evil'], allowed)).not.toThrow()
  })

  it.each([[['--evil']], [['-c', 'x']], [['serve']], [['--json', 'serve']], [['run', '--evil=1']]])('are refused when they are not: %j', (args) => {
    expect(() => checkArguments('X', args, allowed)).toThrow('Holdfast does not start X with')
  })
})

it("Codex's configuration holds whatever stands in its values", () => {
  const text = codexConfiguration({ baseUrl: 'http://127.0.0.1:1/session/T', cwd: '/a "b"\\c', shim: { file: '/n', args: ['--x', 'é'], env: { TOKEN: 'v"1' } } })
  expect(text).toContain('base_url = "http://127.0.0.1:1/session/T/v1"')
  expect(text).toContain('[projects."/a \\"b\\"\\\\c"]')
  expect(text).toContain('env = { "TOKEN" = "v\\"1" }')
})

const nowhere = mkdtempSync(join(tmpdir(), 'holdfast-agents-'))
afterAll(() => rmSync(nowhere, { recursive: true }))

it.each([['opencode', opencode], ['codex', codex]] as const)('%s’s own housekeeping names no host that projects and users need as well', async (name, adapter) => {
  const bin = join(nowhere, name)
  const home = join(nowhere, `${name}-home`)
  const file = join(bin, name)
  mkdirSync(bin)
  writeFileSync(file, '#!/bin/sh\n', { mode: 0o755 })
  const { housekeepingHosts } = await adapter.prepare({
    sessionId: SESSION, agent: 'a', command: [name], cwd: CWD, env: { PATH: bin }, interactive: false, baseUrl: 'http://127.0.0.1:1/session/t', hasModelKey: true,
    isCapped: false, cloud: null, home, homeAt: '/home/agent', folder: nowhere, resolveFolder: (folder) => Promise.resolve(folder), ask: () => Promise.reject(new Error('asks nothing')),
    pinnedEnv: {}, shim: { file: '/n', args: [], env: {} },
  })
  expect(housekeepingHosts.filter((host) => /(^|\.)(github|gitlab|npmjs|pypi|crates|docker|google|googleapis|amazonaws)\./.test(host))).toEqual([])
})

it('a folder of the agent’s home that leads elsewhere gets no file of its configuration', async () => {
  const home = join(nowhere, 'linked')
  const elsewhere = join(nowhere, 'elsewhere')
  mkdirSync(home)
  mkdirSync(elsewhere)
  symlinkSync(elsewhere, join(home, '.config'))
  await expect(writeOwnFile(home, '.config/opencode/package-lock.json', '{}')).rejects.toThrow(`${join(home, '.config')} is not a folder of the agent's own`)
  expect(readdirSync(elsewhere)).toEqual([])
})
