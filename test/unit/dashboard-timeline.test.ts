import { describe, expect, it } from 'vitest'
import { foldRows } from '../../renderer/features/sessions/fold-rows.ts'
import { createTimeline, entryText, filterRows } from '../../renderer/features/sessions/timeline.ts'
import type { LedgerEntry, LedgerKind } from '../../shared/contract/schemas/ledger.ts'
import type { ToolCall } from '../../shared/contract/schemas/tool-call.ts'

const SESSION = 'ses_bcdfghjkmnpq' as LedgerEntry['sessionId']
const decision = (actionClass: string) => ({ effect: 'ask', classification: { class: actionClass, reasons: ['because'] }, rules: [] })

const entry = (sequence: number, kind: LedgerKind, body: Record<string, unknown>, at = sequence * 1_000): LedgerEntry => ({
  sequence,
  at,
  kind,
  sessionId: SESSION,
  body,
  bodyHash: null,
  pruned: false,
  previousHash: '0'.repeat(64),
  hash: '0'.repeat(64),
})

const call = (id: string, input: unknown): ToolCall => ({
  id: id as ToolCall['id'],
  sessionId: SESSION!,
  tool: 'Bash',
  input,
  toolUseId: null,
  state: 'awaiting-approval',
  decision: decision('destructive') as ToolCall['decision'],
  reason: null,
  receivedAt: 0,
  endedAt: null,
})

describe('a session’s timeline', () => {
  it('tells one call in one row, from question to end', () => {
    const timeline = createTimeline()
    timeline.add(entry(1, 'approval/requested', { toolCallId: 'call_a', tool: 'Bash' }))
    expect(timeline.rows).toMatchObject([{ kind: 'call', title: 'Bash', state: 'waits for approval' }])
    timeline.add(entry(2, 'approval/decided', { toolCallId: 'call_a', state: 'approved' }))
    timeline.add(entry(3, 'tool-call/intent', { toolCallId: 'call_a', tool: 'Bash', input: { command: 'rm -rf build' }, decision: decision('destructive') }))
    timeline.add(entry(4, 'tool-call/outcome', { toolCallId: 'call_a', ok: true, durationMs: 340 }))
    expect(timeline.rows).toHaveLength(1)
    expect(timeline.rows[0]).toMatchObject({ what: 'rm -rf build', class: 'destructive', state: 'done', aside: '340 ms', reasons: ['because'] })
    expect(timeline.rows[0]?.entries.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4])
  })

  it('knows what a waiting call would do, whether it was told before its first entry or after', () => {
    const timeline = createTimeline()
    timeline.addCall(call('call_a', { command: 'first' }))
    timeline.add(entry(1, 'approval/requested', { toolCallId: 'call_a', tool: 'Bash' }))
    timeline.add(entry(2, 'approval/requested', { toolCallId: 'call_b', tool: 'Bash' }))
    timeline.addCall(call('call_b', { command: 'second' }))
    expect(timeline.rows.map(({ what, class: actionClass }) => [what, actionClass])).toEqual([['first', 'destructive'], ['second', 'destructive']])
  })

  it('tells a model request with its answer, and a cost that is not known as unknown', () => {
    const timeline = createTimeline()
    const tokens = { input: 10, output: 5, cacheRead: 1_000, cacheWrite5m: 0, cacheWrite1h: 0 }
    timeline.add(entry(1, 'model-request/intent', { model: 'claude-x' }))
    timeline.add(entry(2, 'model-request/outcome', { intent: 1, httpStatus: 200, model: 'claude-x', tokens, costMicroUsd: null }))
    expect(timeline.rows).toMatchObject([{ kind: 'model', state: 'answered', what: 'claude-x: 1,010 tokens in, 5 out', aside: 'price unknown' }])
  })

  it('tells what the model said before a call, and which files and refs changed after it', () => {
    const timeline = createTimeline()
    timeline.add(entry(1, 'tool-call/proposed', { tool: 'Write', words: { text: 'I write\nit.', thinking: '' } }))
    timeline.add(entry(2, 'tool-call/proposed', { tool: 'Write', words: null }))
    timeline.add(entry(3, 'file/changed', { counts: { added: 1, modified: 1, deleted: 0, linesAdded: 7, linesRemoved: 2 }, files: [{ path: 'a' }, { path: 'b\u202e' }] }))
    timeline.add(entry(4, 'git/moved', { refs: [{ ref: 'refs/heads/main', pushed: true }] }))
    expect(timeline.rows.map(({ kind, what, aside }) => [kind, what, aside])).toEqual([
      ['said', 'I write it.', 'then asked for Write'],
      ['change', 'a, b\\u{202e}', '+7 −2 lines'],
      ['change', 'refs/heads/main (pushed)', ''],
    ])
    expect(filterRows(timeline.rows, '', 'change')).toHaveLength(2)
  })

  it('tells the end of a session and a seal in words, each count with its own', () => {
    const told = (kind: LedgerKind, body: LedgerEntry['body']) => entryText({ kind, body })
    expect([
      told('session/ended', { exitCode: 0, signal: null }),
      told('session/ended', { exitCode: null, signal: 'SIGTERM' }),
      told('session/ended', { exitCode: null }),
      told('session/killed', { processesKilled: 1 }),
      told('checkpoint/restored', { written: 1, deleted: 2 }),
      told('ledger/sealed', { from: 1, to: 40, root: 'x' }),
    ]).toEqual([
      'ended · exit code 0',
      'ended · by SIGTERM',
      'ended · by a signal',
      'killed · 1 process ended',
      'reverted · 1 file put back, 2 removed',
      'sealed · entries 1 to 40',
    ])
  })

  it('takes an entry in once, however often it comes', () => {
    const timeline = createTimeline()
    timeline.add(entry(5, 'session/started', { command: ['claude'] }))
    timeline.add(entry(5, 'session/started', { command: ['claude'] }))
    timeline.add(entry(4, 'alarm/raised', { message: 'old' }))
    expect(timeline.rows).toHaveLength(1)
  })

  it('shows what is hidden in a text', () => {
    const timeline = createTimeline()
    timeline.add(entry(1, 'alarm/raised', { message: 'a\u202eb' }))
    expect(timeline.rows[0]?.what).toBe('a\\u{202e}b')
  })

  it('is searched by words and by class', () => {
    const timeline = createTimeline()
    timeline.add(entry(1, 'tool-call/intent', { toolCallId: 'a', tool: 'Read', input: { file_path: 'x.md' }, decision: decision('read') }))
    timeline.add(entry(2, 'tool-call/decision', { toolCallId: 'b', tool: 'Bash', effect: 'denied', decision: decision('destructive') }))
    expect(filterRows(timeline.rows, 'X.MD read', 'all').map(({ key }) => key)).toEqual(['a'])
    expect(filterRows(timeline.rows, '', 'destructive').map(({ key }) => key)).toEqual(['b'])
    expect(filterRows(timeline.rows, '', 'denied').map(({ key }) => key)).toEqual(['b'])
    expect(filterRows(timeline.rows, 'nothing', 'all')).toEqual([])
  })

  it('folds to one row a turn, which is opened by itself, and folds away neither an alarm nor what waits', () => {
    const timeline = createTimeline()
    timeline.add(entry(1, 'session/started', { command: ['claude'] }))
    timeline.add(entry(2, 'model-request/intent', { model: 'claude-x' }))
    timeline.add(entry(3, 'tool-call/intent', { toolCallId: 'call_a', tool: 'Read', input: {}, decision: decision('read') }))
    timeline.add(entry(4, 'alarm/raised', { message: 'look' }))
    timeline.add(entry(5, 'model-request/intent', { model: 'claude-x' }))
    timeline.add(entry(6, 'tool-call/intent', { toolCallId: 'call_b', tool: 'Bash', input: {}, decision: decision('write') }))
    timeline.add(entry(7, 'approval/requested', { toolCallId: 'call_c', tool: 'Bash' }))
    const told = (...opened: string[]) => foldRows(timeline.rows, new Set(opened)).map(({ row, inside }) => [row.title, inside])
    expect(told()).toEqual([['started', 0], ['model', 2], ['alarm', 0], ['model', 2], ['Bash', 0]])
    expect(told('m2')).toEqual([['started', 0], ['model', 2], ['Read', 0], ['alarm', 0], ['model', 2], ['Bash', 0]])
  })
})
