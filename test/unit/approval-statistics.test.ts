import { expect, test } from 'vitest'
import type { LedgerEntry, LedgerKind } from '../../shared/contract/schemas/ledger.ts'
import { approvalStatistics } from '../../shared/domain/approval-statistics.ts'
import { ids } from '../support/fakes.ts'

const entry = (kind: LedgerKind, body: Record<string, unknown>): LedgerEntry => ({ sequence: 1, at: 7, kind, sessionId: null, body, bodyHash: null, pruned: false, previousHash: 'a'.repeat(64), hash: 'a'.repeat(64) })
const BY_CLASS = { rule: 'destructive actions', effect: 'ask', source: 'built-in' }
const OF_MINE = { rule: 'Bash(git push:*)', effect: 'ask', source: 'profile.yaml:3' }

const asked = (count: number, rule: typeof BY_CLASS, state: string, waitedMs = 1_000, via = 'owner'): LedgerEntry[] =>
  Array.from({ length: count }, () => ids.approval()).flatMap((approvalId) => [
    entry('approval/requested', { approvalId, toolCallId: ids.toolCall(), tool: 'Bash', bindingHash: 'a'.repeat(64), expiresAt: 9, rules: [rule] }),
    entry('approval/decided', { approvalId, toolCallId: ids.toolCall(), bindingHash: 'a'.repeat(64), state, scope: 'once', reason: null, waitedMs, via }),
  ])

test('how questions were answered, how long a person took, and by which rules they came', () => {
  const entries = [...asked(3, OF_MINE, 'approved', 4_000), ...asked(1, OF_MINE, 'denied', 2_000), ...asked(2, BY_CLASS, 'expired', 600_000), ...asked(1, BY_CLASS, 'approved', 0, 'session-grant')]
  expect(approvalStatistics(entries)).toEqual({
    since: 7,
    asked: 7,
    approved: 4,
    denied: 1,
    expired: 2,
    medianWaitMs: 4_000,
    byRule: [
      { rule: 'Bash(git push:*)', source: 'profile.yaml:3', asked: 4, approved: 3 },
      { rule: 'destructive actions', source: 'built-in', asked: 3, approved: 1 },
    ],
    hint: null,
  })
})

test('a hint where one rule makes most of the questions, and what to do where nearly all get a yes', () => {
  expect(approvalStatistics([...asked(12, OF_MINE, 'approved'), ...asked(3, BY_CLASS, 'denied')]).hint).toBe(
    '12 of 15 questions come from "Bash(git push:*)" (profile.yaml:3), and nearly all were approved: consider to narrow that rule, or to take it out.',
  )
  expect(approvalStatistics(asked(12, BY_CLASS, 'approved')).hint).toContain('recoverable: allow')
  expect(approvalStatistics([...asked(6, OF_MINE, 'approved'), ...asked(6, OF_MINE, 'denied')]).hint).toBe('12 of 12 questions come from "Bash(git push:*)" (profile.yaml:3).')
  expect(approvalStatistics(asked(9, OF_MINE, 'approved')).hint).toBeNull()
})

test('of nothing there is nothing to tell', () => {
  expect(approvalStatistics([])).toEqual({ since: null, asked: 0, approved: 0, denied: 0, expired: 0, medianWaitMs: null, byRule: [], hint: null })
})
