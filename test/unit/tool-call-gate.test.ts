import { describe, expect, it } from 'vitest'
import type { PolicyEffect, ToolCall } from '../../shared/contract/schemas/tool-call.ts'
import type { AgentProfile } from '../../shared/core/policy/agent-profile.ts'
import { createApprovals } from '../../shared/core/approvals/approvals.ts'
import { createToolCallGate } from '../../shared/core/supervisor/tool-call-gate.ts'
import { createClock, createMemoryLedger, decisionOf, ids, SESSION } from '../support/fakes.ts'

const setUp = (effect: PolicyEffect | 'throws', overRate: Promise<string> | null = null, record: AgentProfile['record'] = { inputs: 'full', results: 'hashed' }) => {
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
            approvalTimeoutMs: 60_000,
            record,
            pace: { admit: () => overRate, whileActive: () => null },
            evaluate: () => {
              if (effect === 'throws') throw new Error('a broken rule')
              return decisionOf(effect, effect === 'allow' ? 'write' : 'destructive')
            },
          }
        : null,
    publish: ({ state }) => void states.push(state),
    onDecided: (call, denied) => void decided.push([call.state, denied]),
  })
  const gone = new AbortController()
  const request = (input: unknown = { command: 'x' }) => gate.request({ sessionId: SESSION, tool: 'Bash', input, toolUseId: 'toolu_1', signal: gone.signal })
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
    const { request, ledger } = setUp('allow', Promise.resolve('the limit is 1 tool calls a minute'))
    expect(await request()).toMatchObject({ allowed: false, reason: 'Denied by Holdfast: the limit is 1 tool calls a minute' })
    expect(ledger.entries.map(({ kind }) => kind)).toEqual(['tool-call/decision'])
  })
})
