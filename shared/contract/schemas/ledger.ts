import { z } from 'zod'
import { SessionId } from '../ids.ts'
import { Timestamp } from './time.ts'

export const LedgerKind = z.enum([
  'host/started',
  'host/stopped',
  'session/started',
  'session/paused',
  'session/resumed',
  'session/ended',
  'session/killed',
  'tool-call/intent',
  'tool-call/decision',
  'tool-call/outcome',
  'approval/requested',
  'approval/decided',
  'model-request/intent',
  'model-request/outcome',
  'checkpoint/created',
  'checkpoint/restored',
  'network/reached',
  'network/refused',
  'secret/resolved',
  'server/pinned',
  'server/held',
  'server/accepted',
  'alarm/raised',
])
export type LedgerKind = z.infer<typeof LedgerKind>

const hash = z.string().regex(/^[0-9a-f]{64}$/)

/** One append-only record. `hash` covers every other field, `previousHash` the entry before: see domain/ledger-chain. */
export const LedgerEntry = z.object({
  sequence: z.number().int().positive(),
  at: Timestamp,
  kind: LedgerKind,
  sessionId: SessionId.nullable(),
  /** JSON object; no secret value is ever in it. */
  body: z.record(z.string(), z.unknown()),
  previousHash: hash,
  hash,
})
export type LedgerEntry = z.infer<typeof LedgerEntry>

export const LedgerFault = z.object({
  sequence: z.number().int().nonnegative(),
  problem: z.enum(['altered', 'removed', 'reordered', 'inserted', 'truncated', 'unreadable']),
  message: z.string(),
})
export type LedgerFault = z.infer<typeof LedgerFault>

export const LedgerVerification = z.object({
  ok: z.boolean(),
  entries: z.number().int().nonnegative(),
  headHash: hash,
  faults: z.array(LedgerFault),
})
export type LedgerVerification = z.infer<typeof LedgerVerification>
