import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CheckpointId, SessionId } from '../../shared/contract/ids.ts'
import type { LedgerEntry } from '../../shared/contract/schemas/ledger.ts'
import { isCutOf } from '../../shared/domain/cut-text.ts'
import { planRetention } from '../../shared/domain/checkpoint-retention.ts'
import { irreversibleCalls } from '../../shared/domain/irreversible.ts'
import { whoChanged, type Interval, type Writer } from '../../shared/domain/who-changed.ts'

const me: Writer = { sessionId: 'me', folders: ['/p'] }
const you: Writer = { sessionId: 'you', folders: ['/p/sub', '/shared/refs'] }
const judge = (intervals: Interval[], own: string[] = []) => {
  const { alone, shared } = whoChanged({ sessionId: 'me', intervals, realPath: (path) => path.replace(/^work/, '/p'), isOwn: (path) => own.includes(path) })
  return { alone: [...alone], shared: [...shared] }
}

test('what changed only where the session alone could write is its own', () => {
  expect(judge([{ writers: [me], others: false, changed: ['work/a'] }])).toEqual({ alone: [], shared: [] })
})

test('what changed only where it could not is someone else\'s; what changed in both is of both', () => {
  expect(judge([{ writers: [], others: true, changed: ['work/a', 'work/b'] }, { writers: [me], others: false, changed: ['work/b'] }])).toEqual({
    alone: ['work/a'],
    shared: ['work/b'],
  })
})

test('of two sessions at work at once, only a path that both could write is of both, and a tree\'s own branch is not', () => {
  const changed = ['work/a', 'work/sub/b', 'work/subway', '/shared/refs/heads/mine', '/shared/refs/heads/new']
  expect(judge([{ writers: [me, you], others: false, changed }], ['/shared/refs/heads/mine'])).toEqual({ alone: [], shared: ['work/sub/b', '/shared/refs/heads/new'] })
})

test('a path that the session could not change by the call that ran is someone else\'s, but for the folders above one that it could', () => {
  const writers: Writer[] = [{ ...me, reach: ['/p/made/file'] }]
  expect(judge([{ writers, others: false, changed: ['work/made/file', 'work/made', 'work/made/other', 'work/b'] }])).toEqual({ alone: ['work/made/other', 'work/b'], shared: [] })
  const rival: Writer = { ...you, reach: ['/p/sub/a'] }
  expect(judge([{ writers: [me, rival], others: false, changed: ['work/sub/a', 'work/sub/b'] }])).toEqual({ alone: [], shared: ['work/sub/a'] })
})

test('a path that changed last while nothing of the session ran is of both: it may have been changed before', () => {
  expect(judge([{ writers: [{ ...me, idleAt: ['work/a'] }], others: false, changed: ['work/a', 'work/b'] }])).toEqual({ alone: [], shared: ['work/a'] })
})

test('a path that no session wrote is someone else\'s in that time, and of both when the session changed it in another', () => {
  expect(judge([{ writers: [me, you], others: false, unwritten: ['work/sub/a'], changed: ['work/sub/a', 'work/b'] }])).toEqual({ alone: ['work/sub/a'], shared: [] })
  const intervals = [{ writers: [me], others: false, changed: ['work/a'] }, { writers: [me], others: false, unwritten: ['work/a'], changed: ['work/a'] }]
  expect(judge(intervals)).toEqual({ alone: [], shared: ['work/a'] })
})

test('a text is cut from another when it is the beginning of it, or all of it, and then zeros', () => {
  const isCut = (before: string, after: string): boolean => isCutOf(Buffer.from(before), Buffer.from(after))
  expect(['', 'sta', 'start', 'start\0\0', 'st\0\0\0', '\0'].map((after) => isCut('start', after))).toEqual([true, true, true, true, true, true])
  expect(['x', 'start\n', 'sta!', 'st\0x', 'tart'].map((after) => isCut('start', after))).toEqual([false, false, false, false, false])
})

test('whatever the intervals, a path that changed in a time that was not the session\'s alone is never restored unasked', () => {
  const writers = fc.constantFrom<Writer[]>([me], [you], [me, you], [])
  const interval = fc.record({ writers, others: fc.boolean(), changed: fc.subarray(['work/a', 'work/sub/b', 'work/c']) })
  fc.assert(
    fc.property(fc.array(interval), (intervals) => {
      const { alone, shared } = judge(intervals)
      for (const path of ['work/a', 'work/sub/b', 'work/c']) {
        const when = intervals.filter(({ changed }) => changed.includes(path))
        const doubtful = when.some((one) => one.others || !one.writers.includes(me) || (one.writers.includes(you) && path.startsWith('work/sub/')))
        expect(alone.includes(path) || shared.includes(path)).toBe(doubtful)
        expect(alone.includes(path)).toBe(when.length > 0 && when.every((one) => !one.writers.includes(me)))
      }
    }),
  )
})

test('retention goes oldest first, and leaves the pinned and the start of a live session', () => {
  const live = SessionId.parse('ses_222222222222')
  const over = SessionId.parse('ses_333333333333')
  const id = (letter: string) => CheckpointId.parse(`chk_${letter.repeat(12)}`)
  const checkpoints = [
    { id: id('b'), sessionId: over, reason: 'start' as const, takenAt: 60, pinned: false },
    { id: id('c'), sessionId: live, reason: 'start' as const, takenAt: 10, pinned: false },
    { id: id('d'), sessionId: over, reason: 'killed' as const, takenAt: 20, pinned: true },
    { id: id('f'), sessionId: live, reason: 'killed' as const, takenAt: 30, pinned: false },
    { id: id('g'), sessionId: over, reason: 'start' as const, takenAt: 20, pinned: false },
  ]
  expect(planRetention({ checkpoints, now: 100, maxAgeMs: 50, isLive: (session) => session === live })).toEqual({ expired: [id('g'), id('f')], spare: [id('b')] })
})

test('pushes, published packages and outside tools that do more than read cannot be taken back; local work and reads can', () => {
  const call = (tool: string, input: unknown, actionClass: string, reason: string): LedgerEntry =>
    ({ sequence: 1, at: 5, kind: 'tool-call/intent', sessionId: null, previousHash: '', hash: '', bodyHash: null, pruned: false, body: { tool, input, decision: { effect: 'allow', rules: [], classification: { class: actionClass, reasons: [reason] } } } }) as LedgerEntry
  const entries = [
    call('Bash', { command: 'git push origin main' }, 'write', 'git push: changes the repository'),
    call('Bash', { command: 'npm publish' }, 'destructive', 'npm publish: publishes a package'),
    call('mcp__github__create_issue', { title: 'x' }, 'write', 'judged by its name'),
    call('mcp__github__list_issues', {}, 'read', 'judged by its name'),
    call('Bash', { command: 'rm -rf build' }, 'destructive', 'rm: removes files'),
    { ...call('Bash', { command: 'npm publish' }, 'destructive', 'publishes'), kind: 'tool-call/decision' as const },
    { ...call('Bash', {}, 'write', ''), body: { odd: true } },
  ]
  expect(irreversibleCalls(entries).map(({ what }) => what)).toEqual(['git push origin main', 'npm publish', 'judged by its name'])
})
