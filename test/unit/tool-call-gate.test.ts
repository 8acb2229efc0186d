import { describe, expect, it, vi } from 'vitest'
import { CheckpointId } from '../../shared/contract/ids.ts'
import type { PolicyDecision, PolicyEffect, ToolCall } from '../../shared/contract/schemas/tool-call.ts'
import type { AgentProfile } from '../../shared/core/policy/agent-profile.ts'
import { createApprovals } from '../../shared/core/approvals/approvals.ts'
import { createToolCallGate } from '../../shared/core/supervisor/tool-call-gate.ts'
import type { Foreseen } from '../../shared/core/foresight/foresee.ts'
import type { Held } from '../../shared/core/supervisor/pace.ts'
import type { ToolCallAsk } from '../../shared/core/ports.ts'
import { createClock, createMemoryLedger, decisionOf, ids, SESSION } from '../support/fakes.ts'
import { heldBytes } from '../support/memory.ts'

const setUp = (effect: PolicyEffect | 'throws', overRate: Promise<Held> | null = null, record: AgentProfile['record'] = { inputs: 'full', results: 'hashed' },
  { recoverable = 'ask', foreseen = null, evaluate, ...extra }: {
    recoverable?: 'ask' | 'allow'
    foreseen?: Promise<Foreseen> | null
    evaluate?: (input: unknown) => PolicyDecision
  } & Partial<ToolCallAsk> = {}) => {
  const clock = createClock()
  const ledger = createMemoryLedger()
  const states: string[] = []
  const decided: [ToolCall['state'], boolean][] = []
  const approvals = createApprovals({ clock, ids, ledger, grantsFile: '/dev/null/none', publish: () => undefined })
  let runs = true
  const gate = createToolCallGate({
    trail: { wordsOf: (_, toolUseId) => (toolUseId === 'toolu_1' ? { text: 'I clean up first.', thinking: '' } : null), endSession: () => undefined },
    activity: { before: () => null, after: () => undefined, recordAll: () => Promise.resolve(), endSession: () => undefined },
    clock,
    ids,
    ledger,
    approvals,
    sessionOf: () =>
      runs
        ? {
            agent: 'claude',
            cwd: '/project',
            home: '/home/a',
            recoverable,
            approvalTimeoutMs: 60_000,
            record,
            pace: { admit: () => overRate, whileActive: () => null },
            evaluate: (_tool, input) => {
              if (evaluate !== undefined) return evaluate(input)
              if (effect === 'throws') throw new Error('a broken rule')
              return decisionOf(effect, effect === 'allow' ? 'write' : 'destructive')
            },
          }
        : null,
    publish: ({ state }) => void states.push(state),
    foresee: () => foreseen,
    onDecided: (call, denied) => void decided.push([call.state, denied]),
  })
  const gone = new AbortController()
  const request = (input: unknown = { command: 'x' }) => gate.request({ sessionId: SESSION, tool: 'Bash', input, toolUseId: 'toolu_1', signal: gone.signal, ...extra })
  const answer = (given: 'approve' | 'deny') => {
    const waiting = approvals.waiting()[0]
    if (waiting === undefined) throw new Error('nothing waits')
    approvals.decide({ approvalId: waiting.id, bindingHash: waiting.bindingHash, answer: given, scope: 'once', reason: 'keep it' })
  }
  return { gate, ledger, states, decided, request, answer, gone, approvals, endSession: () => void (runs = false) }
}

describe('the tool call gate', () => {
  it('records the intent before an allowed call runs, and its outcome after', async () => {
    const { gate, ledger, states, request } = setUp('allow')
    const verdict = await request()
    expect(verdict.allowed).toBe(true)
    expect(ledger.entries.map(({ kind }) => kind)).toEqual(['tool-call/intent'])
    expect(states).toEqual(['received', 'evaluated', 'running'])
    gate.finish(verdict.toolCallId, { ok: true, summary: 'completed' })
    expect(ledger.entries.at(-1)).toMatchObject({ kind: 'tool-call/outcome', body: { ok: true } })
    expect(states.at(-1)).toBe('completed')
  })

  it('lets a call not run that has become another while a person was asked, as by a change of the script that it runs', async () => {
    let reasons = ['make clean: removes files below build']
    const { request, answer, approvals, ledger } = setUp('ask', null, undefined, {
      evaluate: () => ({ ...decisionOf('ask', 'destructive'), classification: { class: 'destructive', reasons } }),
    })
    const asked = request()
    await vi.waitFor(() => expect(approvals.waiting()).toHaveLength(1))
    reasons = ['make clean: pushes by force']
    answer('approve')
    expect(await asked).toMatchObject({ allowed: false, reason: expect.stringContaining('has changed since the user was asked') as string })
    expect(ledger.entries.map(({ kind }) => kind)).not.toContain('tool-call/intent')
  })

  it('records of a result the hash and size, and of inputs and results what the profile wants', async () => {
    const run = async (record?: AgentProfile['record']) => {
      const { gate, ledger, request } = setUp('allow', null, record)
      const { toolCallId } = await request()
      gate.finish(toolCallId, { ok: true, summary: 'completed', result: { text: 'found it' } })
      const [intent, outcome] = ledger.entries
      return [intent?.body['input'], outcome?.body['result']]
    }
    const input = { sha256: expect.stringMatching(/^[0-9a-f]{64}$/), characters: 15, beginning: '' }
    expect(await run()).toMatchObject([{ command: 'x' }, { sha256: expect.stringMatching(/^[0-9a-f]{64}$/), bytes: 19 }])
    expect(JSON.stringify(await run())).not.toContain('found it')
    expect(await run({ inputs: 'hashed', results: 'full' })).toMatchObject([input, { bytes: 19, text: '{"text":"found it"}' }])
    expect(await run({ inputs: 'off', results: 'off' })).toEqual([null, null])
  })

  it('denies when the ledger cannot take the intent', async () => {
    const { ledger, states, request } = setUp('allow')
    ledger.failFrom = 1
    expect(await request()).toMatchObject({ allowed: false, reason: 'Denied by Holdfast: it could not be judged' })
    expect(states.at(-1)).toBe('denied')
  })

  it('denies when the policy cannot be evaluated', async () => {
    expect(await setUp('throws').request()).toMatchObject({ allowed: false })
  })

  it('denies outright what policy denies, with the reason, and records it', async () => {
    const { ledger, request } = setUp('deny')
    expect(await request()).toMatchObject({ allowed: false, reason: "Denied by Holdfast's policy: because the test says so." })
    expect(ledger.entries).toMatchObject([{ kind: 'tool-call/decision', body: { effect: 'denied', input: { command: 'x' } } }])
  })

  it('runs nothing while a person thinks, and runs it when the person approves', async () => {
    const { ledger, request, answer, states } = setUp('ask')
    const verdict = request()
    expect(states.at(-1)).toBe('awaiting-approval')
    expect(ledger.entries.map(({ kind }) => kind)).toEqual(['approval/requested'])
    answer('approve')
    expect(await verdict).toMatchObject({ allowed: true })
    expect(ledger.entries.map(({ kind }) => kind)).toEqual(['approval/requested', 'approval/decided', 'tool-call/intent'])
  })

  it('shows a person what the model said before the call', async () => {
    const { request, answer, approvals } = setUp('ask')
    const verdict = request()
    expect(approvals.waiting()[0]?.words).toEqual({ text: 'I clean up first.', thinking: '' })
    answer('deny')
    await verdict
  })

  it('tells the agent why the person said no', async () => {
    const { request, answer } = setUp('ask')
    const verdict = request()
    answer('deny')
    expect(await verdict).toMatchObject({ allowed: false, reason: 'Denied by the user through Holdfast: keep it' })
  })

  it('does not run an approved call whose session has ended meanwhile', async () => {
    const { ledger, request, answer, endSession } = setUp('ask')
    const verdict = request()
    endSession()
    answer('approve')
    expect(await verdict).toMatchObject({ allowed: false })
    expect(ledger.entries.map(({ kind }) => kind)).not.toContain('tool-call/intent')
  })

  it('does not run a call whose session has ended while its intent was written, and says so after the intent', async () => {
    const { ledger, request, endSession } = setUp('allow')
    const written = Promise.withResolvers<void>()
    ledger.appendSoon = async (kind, sessionId, body) => {
      const entry = ledger.append(kind, sessionId, body)
      await written.promise
      return entry
    }
    const verdict = request()
    endSession()
    written.resolve()
    expect(await verdict).toMatchObject({ allowed: false, reason: 'Cancelled: the session does not wait for it any more.' })
    expect(ledger.entries.map(({ kind, body }) => [kind, (body as { ok?: boolean }).ok])).toEqual([['tool-call/intent', undefined], ['tool-call/outcome', false]])
  })

  it('withdraws the question when the agent goes away', async () => {
    const { request, gone, approvals, states } = setUp('ask')
    const verdict = request()
    gone.abort()
    expect(await verdict).toMatchObject({ allowed: false })
    expect(approvals.waiting()).toEqual([])
    expect(states.at(-1)).toBe('cancelled')
  })

  it('denies every call of a session that does not run', async () => {
    const { request, endSession } = setUp('allow')
    endSession()
    expect(await request()).toMatchObject({ allowed: false, reason: 'Denied by Holdfast: the session is not running.' })
  })

  it('never asks about an input too long to be shown, but denies it', async () => {
    const { request, approvals } = setUp('ask')
    expect(await request({ command: 'x'.repeat(1_000_001) })).toMatchObject({ allowed: false })
    expect(approvals.waiting()).toEqual([])
  })

  it('denies an input nested too deep to be judged, on record, whatever its depth', async () => {
    const { request, ledger } = setUp('allow')
    for (const depth of [300, 200_000]) {
      const input: unknown = JSON.parse(`{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`)
      expect(await request(input)).toMatchObject({ allowed: false })
    }
    expect(ledger.entries.map(({ kind }) => kind)).toEqual(['tool-call/decision', 'tool-call/decision'])
  })

  it('keeps of a long input its hash and beginning in the ledger', async () => {
    const { ledger, request } = setUp('allow')
    await request({ content: 'y'.repeat(100_000) })
    expect(ledger.entries[0]?.body['input']).toMatchObject({ characters: 100_014, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string })
  })

  it('counts a call once, denied or not', async () => {
    const { request, decided } = setUp('deny')
    await request()
    expect(decided).toEqual([['denied', true]])
  })

  it('forgets finished calls of a long session before any that runs', async () => {
    const { gate, request } = setUp('allow')
    const running = await request()
    for (let i = 0; i < 1_005; i += 1) gate.finish((await request()).toolCallId, { ok: true, summary: 'completed' })
    const listed = gate.list(SESSION)
    expect(listed).toHaveLength(1_000)
    expect(listed[0]?.id).toBe(running.toolCallId)
    gate.finish(running.toolCallId, { ok: true, summary: 'completed' })
    expect(gate.list(SESSION)[0]?.state).toBe('completed')
  })

  it('lists of a long input that is done with its beginning only', async () => {
    const { gate, request } = setUp('allow')
    const { toolCallId } = await request({ content: 'y'.repeat(100_000) })
    expect(JSON.stringify(gate.list(SESSION)).length).toBeGreaterThan(100_000)
    gate.finish(toolCallId, { ok: true, summary: 'completed' })
    expect(JSON.stringify(gate.list(SESSION)).length).toBeLessThan(10_000)
  })

  it('holds no long input in memory once its call is done, by no part of it', async () => {
    const judge = (input: unknown): PolicyDecision => {
      const { command } = input as { command: string }
      return { ...decisionOf('allow'), classification: { class: 'write', reasons: [command.slice(0, 100)], unknown: [command.slice(10, 90)] } }
    }
    const { gate, request } = setUp('allow', null, { inputs: 'full', results: 'full' }, { evaluate: judge })
    const before = heldBytes()
    for (let i = 0; i < 50; i += 1) {
      const { toolCallId } = await request({ command: `${'x'.repeat(500_000)}${i}` })
      gate.finish(toolCallId, { ok: i % 2 === 0, summary: `${'z'.repeat(500_000)}${i}`.slice(0, 500), result: { text: `${'y'.repeat(500_000)}${i}` } })
    }
    expect(gate.list(SESSION)).toHaveLength(50)
    expect(heldBytes() - before).toBeLessThan(5_000_000)
  })

  it('keeps the calls of the newest sessions that are over, and forgets those before', async () => {
    const { gate, request } = setUp('allow')
    const sessions = Array.from({ length: 21 }, () => ids.session())
    for (const sessionId of sessions) {
      await gate.request({ sessionId, tool: 'Bash', input: {}, toolUseId: null, signal: new AbortController().signal })
      gate.endSession(sessionId)
    }
    expect(sessions.map((sessionId) => gate.list(sessionId).length)).toEqual([0, ...Array<number>(20).fill(1)])
    expect((await request()).allowed).toBe(true)
  })

  it('denies a call above its rate, with the limit by name', async () => {
    const { request, ledger } = setUp('allow', Promise.resolve({ denied: 'the limit is 1 tool calls a minute' }))
    expect(await request()).toMatchObject({ allowed: false, reason: 'Denied by Holdfast: the limit is 1 tool calls a minute' })
    expect(ledger.entries.map(({ kind }) => kind)).toEqual(['tool-call/decision'])
  })
})

describe('a destructive call that a checkpoint covers', () => {
  const byClass: PolicyDecision = { ...decisionOf('ask'), rules: [{ rule: 'destructive actions', effect: 'ask', source: 'built-in' }] }
  const seen = (covered: boolean): Promise<Foreseen> => {
    const coveredBy = covered ? CheckpointId.parse('chk_22222222222b') : null
    return Promise.resolve({ coveredBy, foresight: { touches: [], moreTouches: 0, production: false, preview: [], recoverable: { covered, why: 'the test says so' } } })
  }
  const run = (recoverable: 'ask' | 'allow', covered: boolean, decision = byClass) => setUp('ask', null, undefined, { recoverable, foreseen: seen(covered), evaluate: () => decision })

  it('passes where the profile lets it, recorded with the checkpoint that brings it back', async () => {
    const { request, ledger } = run('allow', true)
    expect(await request()).toMatchObject({ allowed: true })
    expect(ledger.entries).toMatchObject([{ kind: 'tool-call/intent', body: { approvedBy: 'recoverable', checkpointId: 'chk_22222222222b' } }])
  })

  it.each([
    ['the profile says nothing', 'ask', true, byClass],
    ['no checkpoint covers it', 'allow', false, byClass],
    ['a rule asks about it', 'allow', true, { ...byClass, rules: [...byClass.rules, { rule: 'Bash(rm:*)', effect: 'ask', source: 'profile:3' }] }],
    ['what governs the agent is at stake', 'allow', true, { ...byClass, rules: [{ rule: 'Edit(.git/hooks)', effect: 'ask', source: 'built-in' }] }],
  ] satisfies [string, 'ask' | 'allow', boolean, PolicyDecision][])('is asked about where %s, with what was seen', async (_, recoverable, covered, decision) => {
    const { request, approvals, answer } = run(recoverable, covered, decision)
    const verdict = request()
    await expect.poll(() => approvals.waiting().length).toBe(1)
    expect(approvals.waiting()[0]?.foresight?.recoverable).toEqual({ covered, why: 'the test says so' })
    answer('deny')
    expect(await verdict).toMatchObject({ allowed: false })
  })
})

describe('arguments that a person changes', () => {
  const changing = (extra: Partial<ToolCallAsk> = { mayChange: true }) =>
    setUp('ask', null, undefined, {
      ...extra,
      evaluate: (input) => decisionOf(JSON.stringify(input).includes('secret') ? 'deny' : JSON.stringify(input).includes('ls') ? 'allow' : 'ask', 'destructive'),
    })
  const approveWith = ({ approvals }: ReturnType<typeof changing>, value: unknown, more: { scope?: 'session' } = {}) => {
    const waiting = approvals.waiting()[0]
    if (waiting === undefined) throw new Error('nothing waits')
    return approvals.decide({ approvalId: waiting.id, bindingHash: waiting.bindingHash, answer: 'approve', scope: 'once', reason: null, changedInput: { value }, ...more })
  }

  it('are what the asker gets, and stand in the ledger beside those that the agent gave', async () => {
    const all = changing()
    const verdict = all.request({ command: 'rm -rf src' })
    approveWith(all, { command: 'rm -rf build' })
    expect(await verdict).toMatchObject({ allowed: true, changedInput: { value: { command: 'rm -rf build' } } })
    expect(all.ledger.entries.slice(1)).toMatchObject([
      { kind: 'approval/decided', body: { state: 'approved', changedInputHash: expect.stringMatching(/^[0-9a-f]{64}$/) } },
      { kind: 'tool-call/intent', body: { input: { command: 'rm -rf build' }, askedInput: { command: 'rm -rf src' }, approvedBy: 'person' } },
    ])
    expect(all.gate.list(SESSION)[0]?.input).toEqual({ command: 'rm -rf build' })
  })

  it.each([
    ['policy denies the changed call', { command: 'cat secret' }, {}, "Denied by Holdfast's policy"],
    ['they are no object', 'rm', {}, 'an object of fields'],
    ['nothing was changed', { command: 'x' }, {}, 'as they were'],
    ['it would hold for the session', { command: 'y' }, { scope: 'session' }, 'for one call'],
  ] as const)('are refused where %s, and the question stays', (_, value, more, reason) => {
    const all = changing()
    void all.request({ command: 'x' })
    expect(() => approveWith(all, value, more)).toThrow(reason)
    expect(all.approvals.waiting()).toHaveLength(1)
  })

  it('are refused where the asker could not make the changed call', () => {
    const all = changing({})
    void all.request({ command: 'x' })
    expect(() => approveWith(all, { command: 'y' })).toThrow('cannot be changed')
  })

  it('never lead outside what the server may be used for', () => {
    const all = changing({ mayChange: true, outside: (input) => (JSON.stringify(input).includes('other') ? 'the test says so' : null) })
    void all.request({ command: 'x' })
    expect(() => approveWith(all, { command: 'other' })).toThrow('outside what this server may be used for')
  })
})

it('asks about a program that nothing is known of once a session, and about another', async () => {
  const unknown = (input: unknown): PolicyDecision => ({
    effect: 'ask',
    classification: { class: 'write', reasons: ['x'], unknown: [String((input as { command: string }).command.split(' ')[0])] },
    rules: [{ rule: 'unknown programs', effect: 'ask', source: 'built-in' }],
  })
  const { request, answer, approvals, ledger, gate } = setUp('ask', null, undefined, { evaluate: unknown })
  const refused = request({ command: 'mine a' })
  answer('deny')
  expect(await refused).toMatchObject({ allowed: false })
  const first = request({ command: 'mine a' })
  answer('approve')
  expect(await first).toMatchObject({ allowed: true })
  expect(await request({ command: 'mine b' })).toMatchObject({ allowed: true })
  expect(ledger.entries.at(-1)).toMatchObject({ kind: 'tool-call/intent', body: { approvedBy: 'met-program' } })
  void request({ command: 'other' })
  expect(approvals.waiting()).toHaveLength(1)
  gate.endSession(SESSION)
  void request({ command: 'mine b' })
  expect(approvals.waiting()).toHaveLength(2)
})

it('binds an answer to the folder that the agent\u2019s shell is in', async () => {
  const { request, approvals } = setUp('ask', null, undefined, { folder: '/project/sub' })
  void request()
  expect(approvals.waiting()[0]?.cwd).toBe('/project/sub')
})
