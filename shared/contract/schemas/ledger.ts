import { z } from 'zod'
import { SessionId } from '../ids.ts'
import { Timestamp } from './time.ts'

export const LedgerKind = z.enum([
  'host/started',
  'host/stopped',
  'agent/changed',
  'session/started',
  'session/paused',
  'session/resumed',
  'session/ended',
  'session/killed',
  'tool-call/proposed',
  'tool-call/intent',
  'tool-call/decision',
  'tool-call/outcome',
  'approval/requested',
  'approval/decided',
  'grant/made',
  'grant/revoked',
  'model-request/intent',
  'model-request/outcome',
  'usage/compared',
  'checkpoint/created',
  'checkpoint/restored',
  'file/changed',
  'git/moved',
  'configuration/changed',
  'commit/signed',
  'commit/unsigned',
  'identity/overruled',
  'network/reached',
  'network/refused',
  'secret/resolved',
  'server/pinned',
  'server/held',
  'server/accepted',
  'server/switched',
  'profile/changed',
  'secret/changed',
  'alarm/raised',
  'ledger/began',
  'ledger/sealed',
  'ledger/pruned',
])
export type LedgerKind = z.infer<typeof LedgerKind>

/**
 * What is watched for. In the stream of entries: see domain/ledger-alarms. `hooks`: the agent told of a call that its model
 * did not make. `usage`: its own count of tokens or cost differs from ours by more than 1 %. `verify`: the ledger does not verify.
 */
export const AlarmRule = z.enum(['repeat', 'burst', 'denials', 'first-host', 'first-tool', 'secret-paths', 'cost', 'unusual-hour', 'hooks', 'usage', 'verify'])
export type AlarmRule = z.infer<typeof AlarmRule>

const hash = z.string().regex(/^[0-9a-f]{64}$/)
const count = z.number().int().nonnegative()

/** One append-only record. `hash` covers every other field, `previousHash` the entry before: see domain/ledger-chain. */
export const LedgerEntry = z.object({
  sequence: z.number().int().positive(),
  at: Timestamp,
  kind: LedgerKind,
  sessionId: SessionId.nullable(),
  /** JSON object; no secret value is ever in it. Empty when its content was pruned. */
  body: z.record(z.string(), z.unknown()),
  /** SHA-256 of the body, which thus proves itself after the body was pruned. null in the first format: `hash` covers the body itself. */
  bodyHash: hash.nullable(),
  pruned: z.boolean(),
  previousHash: hash,
  hash,
})
export type LedgerEntry = z.infer<typeof LedgerEntry>

/** Which entries are asked for. Every condition given must hold. */
export const LedgerFilter = z.object({
  sessionId: SessionId.optional(),
  kinds: z.array(LedgerKind).min(1).max(100).optional(),
  /** Not before, and not at or after. */
  since: Timestamp.optional(),
  until: Timestamp.optional(),
  /** Whole words that stand in the body's values one after the other; capital letters count as small ones. */
  text: z.string().min(1).max(1_000).optional(),
})
export type LedgerFilter = z.infer<typeof LedgerFilter>

/** The body of a `ledger/sealed` entry: a signed Merkle root over the hashes of entries `from` to `to`. */
export const LedgerSeal = z.object({
  from: z.number().int().positive(),
  to: z.number().int().positive(),
  root: hash,
  /** Ed25519, base64 of the SubjectPublicKeyInfo (RFC 8410). */
  publicKey: z.string().max(200),
  /** Base64, over `sealText` of domain/ledger-seal. */
  signature: z.string().max(200),
})
export type LedgerSeal = z.infer<typeof LedgerSeal>

export const LedgerFault = z.object({
  sequence: count,
  problem: z.enum(['altered', 'removed', 'reordered', 'inserted', 'truncated', 'unreadable', 'unsigned']),
  message: z.string(),
})
export type LedgerFault = z.infer<typeof LedgerFault>

export const LedgerVerification = z.object({
  ok: z.boolean(),
  entries: count,
  headHash: hash,
  faults: z.array(LedgerFault),
  /** How far the chain is signed as well: entries 1 to `through`. */
  signed: z.object({
    through: count,
    seals: count,
    /** Base64 of the SubjectPublicKeyInfo of the key that was trusted; null when there was none to compare with. */
    publicKey: z.string().nullable(),
    /** Why nothing is being signed, for a person; null when signing works. */
    problem: z.string().nullable(),
  }),
})
export type LedgerVerification = z.infer<typeof LedgerVerification>
