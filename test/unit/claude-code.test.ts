import { trustingGuard } from '../fixtures/guard.ts'
import { describe, expect, it } from 'vitest'
import { checkFlags } from '../../shared/core/agents/claude-code/flags.ts'
import { createClaudeCodeHooks } from '../../shared/core/agents/claude-code/hooks.ts'
import { pinnedProxies, pinnedSettings, seedConfiguration } from '../../shared/core/agents/claude-code/settings.ts'
import { isOlder, parseVersion } from '../../shared/core/agents/claude-code/version.ts'
import type { ToolCallAsk, ToolCallGate, ToolCallVerdict } from '../../shared/core/ports.ts'
import { ids, SESSION } from '../support/fakes.ts'

describe('flags given to claude', () => {
  it.each([
    [['-p', 'fix it']],
    [['--print', '--model', 'opus', 'fix it']],
    [['--model=opus', '--resume', 'abc', '--output-format', 'json']],
    [['--resume']],
    [['-c', '--verbose']],
    [['--allowedTools', 'Read', 'Bash(git *)', '-p', 'x']],
    [['--permission-mode', 'plan']],
    [['fix the --settings bug', '--effort', 'high']],
    [['-p', '--', '--dangerously-skip-permissions is a bad flag']],
    [['auth', 'login']],
    [[]],
  ])('pass through: %j', (args) => {
    expect(checkFlags(args)).toMatchObject({ ok: true })
  })

  it.each([
    [['--dangerously-skip-permissions'], '--dangerously-skip-permissions', 'every tool call'],
    [['-p', 'x', '--settings', '{"disableAllHooks":true}'], '--settings', 'replace'],
    [['--settings={}'], '--settings', 'replace'],
    [['--managed-settings={}'], '--managed-settings', 'replace'],
    [['--mcp-config', 'x.json'], '--mcp-config', 'broker'],
    [['--bare'], '--bare', 'hooks'],
    [['--safe-mode'], '--safe-mode', 'hooks'],
    [['--plugin-dir', 'x'], '--plugin-dir', 'plugin'],
    [['--bg', 'x'], '--bg', 'outside'],
    [['--permission-mode', 'bypassPermissions'], '--permission-mode bypassPermissions', 'only manual, plan, acceptEdits'],
    [['--permission-mode=dontAsk'], '--permission-mode dontAsk', 'only manual'],
    [['--some-new-flag'], '--some-new-flag', 'does not know'],
    [['-w'], '-w', 'work tree'],
    [['mcp', 'add', 'x'], 'mcp', 'outside a session'],
    [['update'], 'update', 'outside a session'],
    [['--model', 'opus', '--agents', '{}'], '--agents', 'hooks'],
  ])('that would open a hole are refused by name: %j', (args, flag, reason) => {
    const check = checkFlags(args)
    expect(check).toMatchObject({ ok: false, flag })
    expect(check.ok ? '' : check.reason).toContain(reason)
  })

  it('cannot smuggle a flag in as the value of another', () => {
    expect(checkFlags(['--resume', '--bare'])).toMatchObject({ ok: false, flag: '--bare' })
    expect(checkFlags(['--tools', 'Bash', '--bare'])).toMatchObject({ ok: false, flag: '--bare' })
  })

  it('tell which extra folders and whether a permission mode was given', () => {
    expect(checkFlags(['--add-dir', '../a', '../b', '--permission-mode', 'plan'])).toEqual({
      ok: true,
      setsPermissionMode: true,
      subcommand: null,
      extraFolders: ['../a', '../b'],
    })
  })
})

describe('the version of Claude Code', () => {
  it('is read from what the program prints', () => {
    expect(parseVersion('2.1.330 (Claude Code)\n')).toEqual([2, 1, 330])
    expect(parseVersion('zsh: command not found')).toBeNull()
  })
  it('is compared by number', () => {
    expect(isOlder([2, 1, 294], [2, 1, 295])).toBe(true)
    expect(isOlder([2, 1, 295], [2, 1, 295])).toBe(false)
    expect(isOlder([2, 10, 0], [2, 9, 9])).toBe(false)
    expect(isOlder([1, 9, 999], [2, 1, 295])).toBe(true)
  })
})

describe('settings', () => {
  it('pin every key through which a file could switch off hooks or run a command unasked', () => {
    const pinned = pinnedSettings('http://127.0.0.1:1/session/t', { HTTP_PROXY: 'http://127.0.0.1:2' })
    expect(Object.keys(pinned)).toEqual(['disableAllHooks', 'allowedHttpHookUrls', 'statusLine', 'subagentStatusLine', 'fileSuggestion', 'otelHeadersHelper', 'awsAuthRefresh', 'awsCredentialExport', 'gcpAuthRefresh', 'env'])
    expect(pinned).toMatchObject({ disableAllHooks: false, allowedHttpHookUrls: ['http://127.0.0.1:1/session/t/hook/*'] })
    expect(pinned.env).toMatchObject({ ANTHROPIC_BASE_URL: 'http://127.0.0.1:1/session/t', HTTP_PROXY: 'http://127.0.0.1:2', ANTHROPIC_UNIX_SOCKET: '', CLAUDE_CODE_SIMPLE: '' })
  })
  it('pin every proxy variable to what the launch has, in both cases, and keep loopback out of all of them', () => {
    const none = { ALL_PROXY: '', all_proxy: '', CLAUDE_CODE_HTTP_PROXY: '', CLAUDE_CODE_HTTPS_PROXY: '', HTTPS_PROXY: '', https_proxy: '' }
    expect(pinnedProxies({})).toEqual({ ...none, HTTP_PROXY: '', http_proxy: '', NO_PROXY: '127.0.0.1,localhost', no_proxy: '127.0.0.1,localhost' })
    expect(pinnedProxies({ http_proxy: 'http://127.0.0.1:2', NO_PROXY: 'intranet,localhost' })).toEqual({
      ...none,
      HTTP_PROXY: 'http://127.0.0.1:2',
      http_proxy: 'http://127.0.0.1:2',
      NO_PROXY: 'intranet,localhost,127.0.0.1',
      no_proxy: 'intranet,localhost,127.0.0.1',
    })
  })
  it('keep what the agent had when its first-run questions are answered', () => {
    expect(seedConfiguration({ theme: 'light', projects: { '/a': { x: 1 } } }, '/b')).toEqual({
      theme: 'light',
      hasCompletedOnboarding: true,
      projects: { '/a': { x: 1 }, '/b': { hasTrustDialogAccepted: true } },
    })
    expect(seedConfiguration('broken', '/b')).toMatchObject({ hasCompletedOnboarding: true })
  })
})

describe('the hooks of Claude Code', () => {
  const setUp = (verdict: Partial<ToolCallVerdict> & { allowed: boolean }) => {
    const asked: ToolCallAsk[] = []
    const finished: unknown[] = []
    const alarms: string[] = []
    const messages: string[] = []
    const gate: ToolCallGate = {
      request: (ask) => {
        asked.push(ask)
        return Promise.resolve({ toolCallId: ids.toolCall(), reason: 'because', ...verdict } as ToolCallVerdict)
      },
      finish: (_id, outcome) => void finished.push(outcome),
    }
    const hooks = createClaudeCodeHooks()
    const call = (path: string, tool: string, input: unknown, id = 'toolu_1') =>
      hooks.handle(path, { tool_name: tool, tool_input: input, tool_use_id: id }, { sessionId: SESSION, gate, guard: trustingGuard, signal: new AbortController().signal, raiseAlarm: (message) => void alarms.push(message), told: () => undefined, takeMessage: () => messages.shift() ?? null })
    return { call, asked, finished, alarms, messages }
  }
  const allowed = { hookSpecificOutput: { hookEventName: 'PermissionRequest', decision: { behavior: 'allow' } } }
  const behaviour = (answer: unknown) => (answer as typeof allowed).hookSpecificOutput.decision.behavior

  it('answer the permission request of a call that was just allowed, once', async () => {
    const { call } = setUp({ allowed: true })
    await call('pre-tool-use', 'Bash', { command: 'ls' })
    expect(await call('permission-request', 'Bash', { command: 'ls' })).toEqual(allowed)
    expect(behaviour(await call('permission-request', 'Bash', { command: 'ls' }))).toBe('deny')
  })

  it('give arguments that a person changed to the agent and its model, and let those alone run', async () => {
    const { call, asked } = setUp({ allowed: true, changedInput: { value: { command: 'ls -l' } } })
    expect(await call('pre-tool-use', 'Bash', { command: 'rm x' })).toEqual({
      hookSpecificOutput: {
        hookEventName: 'PreToolUse',
        permissionDecision: 'allow',
        permissionDecisionReason: 'Allowed by Holdfast, as the user changed it.',
        updatedInput: { command: 'ls -l' },
        additionalContext: 'The user changed the arguments of this call before it ran. It ran with: {"command":"ls -l"}',
      },
    })
    expect(asked[0]?.mayChange).toBe(true)
    expect(behaviour(await call('permission-request', 'Bash', { command: 'rm x' }))).toBe('deny')
    expect(behaviour(await call('permission-request', 'Bash', { command: 'ls -l' }))).toBe('allow')
  })

  it('take what a person has to say along, once, with the next step that the agent makes', async () => {
    const { call, messages } = setUp({ allowed: true })
    const said = 'The user looked at what you did and says: use the other table'
    messages.push('use the other table')
    expect(await call('post-tool-use', 'Bash', { command: 'ls' })).toEqual({ hookSpecificOutput: { hookEventName: 'PostToolUse', additionalContext: said } })
    expect(await call('post-tool-use', 'Bash', { command: 'ls' })).toEqual({})
    messages.push('use the other table')
    expect(await call('pre-tool-use', 'Bash', { command: 'ls' })).toMatchObject({ hookSpecificOutput: { permissionDecision: 'allow', additionalContext: said } })
    messages.push('use the other table')
    expect(await call('stop', 'Bash', {})).toEqual({ decision: 'block', reason: said })
    expect(await call('stop', 'Bash', {})).toEqual({})
  })

  it('deny a permission request with other input than was allowed, and raise an alarm', async () => {
    const { call, alarms } = setUp({ allowed: true })
    await call('pre-tool-use', 'Bash', { command: 'ls' })
    expect(behaviour(await call('permission-request', 'Bash', { command: 'ls; rm -rf /' }))).toBe('deny')
    expect(alarms).toHaveLength(1)
  })

  it('match input by value, whatever the order of its keys', async () => {
    const { call } = setUp({ allowed: true })
    await call('pre-tool-use', 'Bash', { command: 'ls', description: 'x' })
    expect(behaviour(await call('permission-request', 'Bash', { description: 'x', command: 'ls' }))).toBe('allow')
  })

  it('forget the oldest of very many allowed calls, and deny it', async () => {
    const { call } = setUp({ allowed: true })
    for (let n = 0; n <= 1_000; n += 1) await call('pre-tool-use', 'Write', { file_path: `/${n}`, content: 'x' })
    expect(behaviour(await call('permission-request', 'Write', { file_path: '/0', content: 'x' }))).toBe('deny')
    expect(behaviour(await call('permission-request', 'Write', { file_path: '/1', content: 'x' }))).toBe('allow')
  })

  it('deny with the reason that the gate gave', async () => {
    const { call } = setUp({ allowed: false })
    expect(await call('pre-tool-use', 'Bash', { command: 'rm -rf /' })).toEqual({
      hookSpecificOutput: { hookEventName: 'PreToolUse', permissionDecision: 'deny', permissionDecisionReason: 'because' },
    })
  })

  it('do not ask twice about the broker\'s own tools', async () => {
    const { call, asked } = setUp({ allowed: false })
    await call('pre-tool-use', 'mcp__holdfast__github__create_pr', {})
    expect(asked).toHaveLength(0)
    expect(behaviour(await call('permission-request', 'mcp__holdfast__github__create_pr', {}))).toBe('allow')
  })

  it('report how a call ended', async () => {
    const { call, finished } = setUp({ allowed: true })
    await call('pre-tool-use', 'Bash', { command: 'ls' }, 'toolu_1')
    await call('post-tool-use', 'Bash', { command: 'ls' }, 'toolu_1')
    await call('pre-tool-use', 'Bash', { command: 'false' }, 'toolu_2')
    await call('post-tool-use-failure', 'Bash', { command: 'false' }, 'toolu_2')
    expect(finished).toEqual([
      { ok: true, summary: 'completed' },
      { ok: false, summary: 'failed' },
    ])
  })

  it('fail, so that the call is blocked, on what they cannot read', async () => {
    const { call } = setUp({ allowed: true })
    await expect(call('pre-tool-use', '', {})).rejects.toThrow('tool_name')
    await expect(call('no-such-hook', 'Bash', {})).rejects.toThrow('no such hook')
  })
})
