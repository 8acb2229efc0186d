import { expect, test } from 'vitest'
import { ToolCallId, SessionId, formatId } from '../../shared/contract/ids.ts'
import { createToolUseGuard } from '../../shared/core/gateway/tool-use-guard.ts'
import type { ToolCallAsk } from '../../shared/core/ports.ts'

const SESSION = SessionId.parse('ses_222222222222')
const CALL = ToolCallId.parse(formatId('call', new Uint8Array(12)))
const gone = new AbortController().signal
const use = (id: string, tool = 'Bash', input: unknown = { command: 'ls' }) => ({ id, tool, input })

const create = (says: 'allow' | 'ask' | 'deny' = 'ask', approves = true) => {
  const asked: ToolCallAsk[] = []
  const alarms: string[] = []
  const tampering: string[] = []
  const guard = createToolUseGuard({
    sessionId: SESSION,
    gate: {
      request: (ask) => {
        asked.push(ask)
        return Promise.resolve(approves && says !== 'deny' ? { allowed: true, toolCallId: CALL } : { allowed: false, toolCallId: CALL, reason: 'no' })
      },
      finish: () => undefined,
    },
    judge: () => says,
    isBrokered: (tool) => tool.startsWith('mcp__holdfast__'),
    canonical: (tool, input) => ({ tool, input }),
    onTampering: (message) => tampering.push(message),
    raiseAlarm: (message) => alarms.push(message),
  })
  return { guard, asked, alarms, tampering }
}

test('a call in a conversation with hooks is released, and asked about by its hook', () => {
  const { guard, asked, alarms, tampering } = create()
  guard.heardFrom('c1')
  expect(guard.judge(use('t1'), 'c1', gone)).toEqual({ released: true })
  expect(guard.report('t1', 'Bash', { command: 'ls' })).toEqual({ kind: 'ask' })
  guard.observe([{ toolUseId: 't1', isError: false }])
  expect({ asked, alarms, tampering }).toEqual({ asked: [], alarms: [], tampering: [] })
})

test('a call that policy denies is never released, though the conversation has hooks', async () => {
  const { guard } = create('deny')
  guard.heardFrom('c1')
  expect(await guard.judge(use('t1'), 'c1', gone)).toEqual({ released: false, reason: 'no' })
})

test('a conversation without hooks, or without a name, is asked about at the gateway', async () => {
  const { guard, asked } = create('ask', false)
  guard.heardFrom('c1')
  expect(await guard.judge(use('t1'), 'c2', gone)).toEqual({ released: false, reason: 'no' })
  expect(await guard.judge(use('t2'), null, gone)).toEqual({ released: false, reason: 'no' })
  expect(asked.map(({ toolUseId }) => toolUseId)).toEqual(['t1', 't2'])
})

test('what was allowed at the gateway is not asked about again by a hook that comes late, once', async () => {
  const { guard } = create('ask', true)
  expect(await guard.judge(use('t1'), 'c1', gone)).toEqual({ released: true })
  expect(guard.report('t1', 'Bash', { command: 'ls' })).toEqual({ kind: 'allowed', toolCallId: CALL })
  expect(guard.report('t1', 'Bash', { command: 'ls' }).kind).toBe('ask')
})

test('a call that ran without its hook shows that hooks are off: an alarm, and the gateway asks from then on', async () => {
  const { guard, asked, tampering } = create('ask', false)
  guard.heardFrom('c1')
  expect(guard.judge(use('t1'), 'c1', gone)).toEqual({ released: true })
  guard.observe([{ toolUseId: 't1', isError: false }, { toolUseId: 'of an earlier session', isError: false }])
  guard.observe([{ toolUseId: 't1', isError: false }])
  expect(tampering).toHaveLength(1)
  expect(await guard.judge(use('t2'), 'c1', gone)).toEqual({ released: false, reason: 'no' })
  expect(asked.map(({ toolUseId }) => toolUseId)).toEqual(['t2'])
})

test('a call that failed before its hook, such as one with a wrong input, shows nothing', () => {
  const { guard, tampering } = create()
  guard.heardFrom('c1')
  void guard.judge(use('t1'), 'c1', gone)
  guard.observe([{ toolUseId: 't1', isError: true }])
  expect(tampering).toEqual([])
})

test('a call that the agent has completed or read its own way is the same call; one of another tool, or with a field changed or left out, is not', () => {
  const cases: [unknown, unknown, boolean][] = [
    [{ file_path: '/a', old_string: 'x' }, { file_path: '/a', old_string: 'x', replace_all: false }, true],
    [{ command: 'ls', timeout: '120000', run_in_background: 'true' }, { command: 'ls', timeout: 120_000, run_in_background: true }, true],
    [{ questions: [{ q: 'a' }] }, { questions: [{ q: 'a', multiSelect: false }] }, true],
    [{}, { plan: 'do it' }, true],
    [{ command: 'ls', dangerouslyDisableSandbox: true }, { command: 'ls' }, false],
    [{ command: 'ls' }, { command: 'rm' }, false],
    [{ command: 'ls 007' }, { command: 'ls 7' }, false],
    [['ls'], ['rm'], false],
    [{ file_path: 'a/b.md' }, { file_path: '/p/a/b.md' }, true],
    [{ file_path: './b.md', content: '5' }, { file_path: '/p/b.md', content: '5' }, true],
    [{ file_path: '../q/b.md' }, { file_path: '/q/b.md' }, true],
    [{ file_path: '~/b.md' }, { file_path: '/home/agent/b.md' }, true],
    [{ path: '.' }, { path: '/p' }, true],
    [{ notebook_path: '/p/x/../b.ipynb' }, { notebook_path: '/p/b.ipynb' }, true],
    [{ file_path: 'a/b.md' }, { file_path: '/p/b.md' }, false],
    [{ file_path: 'b.md' }, { file_path: '/p/xb.md' }, false],
    [{ file_path: 'b.md' }, { file_path: '/p/../q/b.md' }, false],
    [{ file_path: '/p/b.md' }, { file_path: '/q/b.md' }, false],
    [{ command: 'b.md' }, { command: '/p/b.md' }, false],
  ]
  for (const [made, shown, isSame] of cases) {
    const { guard, tampering } = create()
    guard.heardFrom('c1')
    void guard.judge(use('t1', 'Bash', made), 'c1', gone)
    expect(guard.report('t1', 'Bash', shown).kind, JSON.stringify(shown)).toBe(isSame ? 'ask' : 'denied')
    expect(tampering).toHaveLength(isSame ? 0 : 1)
  }
  const { guard } = create()
  guard.heardFrom('c1')
  void guard.judge(use('t1', 'Read', { path: '/a' }), 'c1', gone)
  expect(guard.report('t1', 'Write', { path: '/a' }).kind).toBe('denied')
})

test('a call that was allowed at the gateway, and completed since, is judged anew as it is now', async () => {
  const { guard, tampering } = create('ask', true)
  await guard.judge(use('t1'), 'c1', gone)
  expect(guard.report('t1', 'Bash', { command: 'ls', description: 'more' }).kind).toBe('ask')
  await guard.judge(use('t2', 'Read', { file_path: 'a.md' }), 'c1', gone)
  expect(guard.report('t2', 'Read', { file_path: '/elsewhere/a.md' }).kind).toBe('ask')
  expect(tampering).toEqual([])
})

test('a hook that shows another call than the model made is denied, and the gateway asks from then on', async () => {
  const { guard, tampering } = create('ask', false)
  guard.heardFrom('c1')
  void guard.judge(use('t1', 'Bash', { command: 'ls' }), 'c1', gone)
  expect(guard.report('t1', 'Bash', { command: 'rm -rf /' }).kind).toBe('denied')
  expect(tampering).toHaveLength(1)
  expect(await guard.judge(use('t2'), 'c1', gone)).toEqual({ released: false, reason: 'no' })
})

test('a hook for a call that the model did not make raises an alarm, and asks as ever', () => {
  const { guard, alarms } = create()
  expect(guard.report('t9', 'Bash', { command: 'ls' })).toEqual({ kind: 'ask' })
  expect(alarms).toHaveLength(1)
})

test('tools of the broker pass: it judges them itself, and nothing can skip it', () => {
  const { guard, asked } = create('deny')
  expect(guard.judge(use('t1', 'mcp__holdfast__db__query'), null, gone)).toEqual({ released: true })
  expect(guard.report('t1', 'mcp__holdfast__db__query', {})).toEqual({ kind: 'ask' })
  expect(asked).toEqual([])
})

test('a person may change the arguments where the gateway asks: the agent gets those, and its hook and its history are held to them', async () => {
  const asked: ToolCallAsk[] = []
  const guard = createToolUseGuard({
    sessionId: SESSION,
    gate: {
      request: (ask) => {
        asked.push(ask)
        return Promise.resolve({ allowed: true, toolCallId: CALL, changedInput: { value: { command: 'ls -a' } } })
      },
      finish: () => undefined,
    },
    judge: () => 'ask',
    isBrokered: () => false,
    canonical: (tool, input) => (tool === 'shell' ? { tool: 'Bash', input: { command: 'x' } } : { tool, input }),
    onTampering: () => undefined,
    raiseAlarm: () => undefined,
  })
  expect(await guard.judge(use('t1'), 'c1', gone)).toEqual({ released: true, changedInput: { value: { command: 'ls -a' } } })
  expect(guard.deniedAs('t1')).toEqual({ tool: 'Bash', input: { command: 'ls' }, changed: { command: 'ls -a' } })
  expect(guard.report('t1', 'Bash', { command: 'ls' })).toMatchObject({ kind: 'denied' })
  expect(guard.report('t1', 'Bash', { command: 'ls -a' })).toEqual({ kind: 'allowed', toolCallId: CALL })
  await guard.judge(use('t2', 'shell', { command: ['x'] }), 'c1', gone)
  expect(asked.map(({ mayChange }) => mayChange)).toEqual([true, undefined])
})
