import { describe, expect, it } from 'vitest'
import { PROTOCOL_VERSION as PAGE_PROTOCOL } from '../../renderer/approval/protocol-version.ts'
import { DEAF_MS, EMPTY_QUEUE, mayAnswer, withAll, withChange, withShown } from '../../renderer/approval/queue.ts'
import { splitCommand } from '../../renderer/features/launch/split-command.ts'
import { chartSpan } from '../../renderer/features/usage/chart-span.ts'
import { PROTOCOL_VERSION } from '../../shared/contract/protocol.ts'
import type { ApprovalRequest } from '../../shared/contract/schemas/approval.ts'
import type { LedgerEntry, LedgerKind } from '../../shared/contract/schemas/ledger.ts'
import { createTally, usageByPeriod } from '../../shared/domain/usage-tally.ts'

const MINUTE = 60_000
const tokens = { input: 1, output: 2, cacheRead: 3, cacheWrite5m: 4, cacheWrite1h: 5 }

let sequence = 0
const entry = (at: number, kind: LedgerKind, body: Record<string, unknown> = {}): LedgerEntry => ({
  sequence: (sequence += 1),
  at,
  kind,
  sessionId: 'ses_bcdfghjkmnpq' as LedgerEntry['sessionId'],
  body,
  bodyHash: null,
  pruned: false,
  previousHash: '',
  hash: '',
})
const request = (id: string, state: ApprovalRequest['state'] = 'waiting', expiresAt = 1_000_000) => ({ id, state, expiresAt }) as ApprovalRequest

describe('what the usage page adds up', () => {
  const entries = [
    entry(0, 'session/started', { agent: 'tester' }),
    entry(1, 'tool-call/intent', { decision: { classification: { class: 'write' } } }),
    entry(1, 'tool-call/outcome', { redacted: 3 }),
    entry(2, 'tool-call/decision', {}),
    entry(3, 'approval/requested'),
    entry(4, 'approval/decided', { state: 'approved' }),
    entry(5, 'approval/decided', { state: 'denied' }),
    entry(6, 'model-request/outcome', { model: 'a', tokens, costMicroUsd: 70 }),
    entry(7, 'model-request/outcome', { model: 'b', tokens, costMicroUsd: null }),
    entry(8, 'model-request/outcome', { httpStatus: 500 }),
  ]

  const tallied = (list: readonly LedgerEntry[]) => {
    const tally = createTally(MINUTE)
    for (const one of list) tally.add(one)
    return tally
  }

  it('is every answer once, with an unknown price counted as unknown', () => {
    const tally = tallied(entries)
    for (const one of entries) tally.add(one)
    const { sum } = tally
    expect(sum).toMatchObject({ costMicroUsd: 70, unpriced: 1, requests: 2, calls: { read: 0, write: 1, destructive: 0 }, denied: 1, asked: 1, approved: 1, redacted: 3 })
    expect(sum.tokens).toEqual({ input: 2, output: 4, cacheRead: 6, cacheWrite5m: 8, cacheWrite1h: 10 })
    const part = { requests: 1, tokens: 15, subscription: false }
    expect([...sum.byModel]).toEqual([
      ['a', { ...part, costMicroUsd: 70, unpriced: 0 }],
      ['b', { ...part, costMicroUsd: 0, unpriced: 1 }],
    ])
    expect([sum.byAgent.get('tester')?.requests, sum.bySession.get('ses_bcdfghjkmnpq')?.requests, [...sum.byDay.values()][0]?.requests]).toEqual([2, 2, 2])
  })

  it('says of a session on a subscription that its cost is none', () => {
    const { sum } = tallied([entry(0, 'model-request/intent', { agent: 'tester', billing: 'subscription' }), entry(1, 'model-request/outcome', { model: 'a', tokens, costMicroUsd: 70 })])
    expect([sum.subscription, sum.byAgent.get('tester')?.subscription]).toEqual([true, true])
  })

  it('has a gap where no host ran, and a zero where one ran and nothing happened', () => {
    const { stretches } = tallied([
      entry(0, 'host/started'),
      entry(2 * MINUTE, 'tool-call/intent', { decision: { classification: { class: 'read' } } }),
      entry(2 * MINUTE + 1, 'host/stopped'),
      entry(4 * MINUTE, 'host/started'),
      entry(4 * MINUTE, 'model-request/outcome', { tokens, costMicroUsd: 9 }),
    ]).series(5 * MINUTE)
    expect(stretches.map((one) => one && [one.read, one.requests, one.costMicroUsd])).toEqual([[0, 0, 0], [0, 0, 0], [1, 0, 0], null, [0, 1, 9], [0, 0, 9]])
  })

  it('is the same for a day, a month and all there is', () => {
    const at = (...when: [number, number, number, number?]): number => new Date(...when).getTime()
    const answer = (when: number, costMicroUsd: number | null) => ({ ...entry(0, 'model-request/outcome', { model: 'a', tokens, costMicroUsd }), at: when })
    const { sum } = tallied([answer(at(2026, 9, 31, 23), 1), answer(at(2026, 10, 1), 10), answer(at(2026, 10, 23, 23), null), answer(at(2026, 10, 24), 100)].map((one, index) => ({ ...one, sequence: index + 1 })))
    const { today, month, all } = usageByPeriod(sum, at(2026, 10, 24, 12))
    expect([today, month, all].map(({ requests, tokens: count, costMicroUsd, unpriced }) => [requests, count, costMicroUsd, unpriced])).toEqual([[1, 15, 100, 0], [3, 45, 110, 1], [4, 60, 111, 1]])
  })

  it('is nothing at all for an empty log', () => {
    expect(tallied([]).sum).toMatchObject({ since: null, costMicroUsd: 0, requests: 0 })
    expect(tallied([]).series(0).stretches).toEqual([null])
  })

  it('fills a chart of any time: half an hour at least, which ends with the one moment where there is but one', () => {
    const threeYears = 86_400_000
    expect(chartSpan([7_200], 7_200, 7_200 + threeYears)).toEqual([5_400, 7_200])
    expect(chartSpan([7_200, 7_260], 7_200, 7_260)).toEqual([5_460, 7_260])
    expect(chartSpan([0, 7_200], 0, 7_200)).toEqual([0, 7_200])
  })
})

describe('a command as typed', () => {
  it.each([
    ['claude', ['claude']],
    ['  claude   --model  x ', ['claude', '--model', 'x']],
    [`run 'a b' "c \\" d" e\\ f`, ['run', 'a b', 'c " d', 'e f']],
    ['a $(rm) ; b && c', ['a', '$(rm)', ';', 'b', '&&', 'c']],
    ['', []],
  ])('%j is its words, and nothing of a shell', (line, words) => {
    expect(splitCommand(line)).toEqual(words)
  })
})

describe('the queue of questions', () => {
  it('keeps what is shown when others come or go', () => {
    let queue = withAll(EMPTY_QUEUE, [request('a')], 0)
    queue = withChange(queue, request('b'), 5)
    expect([queue.shown?.id, queue.shownAt]).toEqual(['a', 0])
    queue = withChange(queue, request('b', 'denied'), 6)
    expect(queue.waiting.map(({ id }) => id)).toEqual(['a'])
  })

  it('shows the next when the shown one is answered, and is deaf again', () => {
    let queue = withAll(EMPTY_QUEUE, [request('a'), request('b')], 0)
    expect(mayAnswer(queue, DEAF_MS)).toBe(true)
    queue = withChange(queue, request('a', 'approved'), DEAF_MS)
    expect(queue.shown?.id).toBe('b')
    expect(mayAnswer(queue, DEAF_MS + 1)).toBe(false)
    expect(mayAnswer(queue, 2 * DEAF_MS)).toBe(true)
  })

  it('is deaf after a person goes to another, and never answers one that has expired', () => {
    const queue = withShown(withAll(EMPTY_QUEUE, [request('a'), request('b', 'waiting', 5_000)], 0), 'b', 1_000)
    expect(mayAnswer(queue, 1_000 + DEAF_MS - 1)).toBe(false)
    expect(mayAnswer(queue, 1_000 + DEAF_MS)).toBe(true)
    expect(mayAnswer(queue, 5_000)).toBe(false)
  })

  it('shows a question anew, and is not deaf again, when the connection comes back', () => {
    const queue = withAll(withAll(EMPTY_QUEUE, [request('a')], 0), [request('a'), request('b')], 9_000)
    expect([queue.shown?.id, queue.shownAt]).toEqual(['a', 0])
  })
})

it('the approvals page, which holds no code of the contract, speaks its protocol', () => {
  expect(PAGE_PROTOCOL).toBe(PROTOCOL_VERSION)
})
