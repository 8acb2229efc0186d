import { createHash } from 'node:crypto'
import { SessionId } from '../../shared/contract/ids.ts'
import type { LedgerEntry, LedgerKind } from '../../shared/contract/schemas/ledger.ts'
import type { PolicyDecision } from '../../shared/contract/schemas/tool-call.ts'
import { randomIds } from '../../shared/core/identifiers.ts'
import type { Clock, Ledger } from '../../shared/core/ports.ts'

export const SESSION = SessionId.parse('ses_22222222222b')

/** A ledger in memory that can be made to fail, for tests of what must not happen without it. */
export const createMemoryLedger = (): Ledger & { readonly entries: LedgerEntry[]; failFrom: number } => {
  const entries: LedgerEntry[] = []
  const ledger = {
    entries,
    failFrom: Number.POSITIVE_INFINITY,
    append: (kind: LedgerKind, sessionId: SessionId | null, body: Record<string, unknown>): LedgerEntry => {
      if (entries.length + 1 >= ledger.failFrom) throw new Error('the disk is gone')
      const hash = createHash('sha256').update(String(entries.length)).digest('hex')
      const entry = { sequence: entries.length + 1, at: 0, kind, sessionId, body, bodyHash: hash, pruned: false, previousHash: hash, hash }
      entries.push(entry)
      return entry
    },
    appendSoon: (kind: LedgerKind, sessionId: SessionId | null, body: Record<string, unknown>) => Promise.resolve(ledger.append(kind, sessionId, body)),
    appendLater: (kind: LedgerKind, sessionId: SessionId | null, body: Record<string, unknown>) => ledger.append(kind, sessionId, body),
    read: () => ({ entries: [], next: null }),
    tail: () => ({ entries, next: null }),
    seal: () => null,
    verify: () => Promise.reject(new Error('not here')),
    prune: () => Promise.reject(new Error('not here')),
    close: () => undefined,
  }
  return ledger
}

/** A clock that stands still until it is moved. */
export const createClock = (start = 1_000): Clock & { move(ms: number): void } => {
  let now = start
  return { now: () => now, move: (ms) => void (now += ms) }
}

export const ids = randomIds

export const decisionOf = (effect: PolicyDecision['effect'], actionClass: 'read' | 'write' | 'destructive' = 'destructive'): PolicyDecision => ({
  effect,
  classification: { class: actionClass, reasons: ['because the test says so'] },
  rules: [],
})
