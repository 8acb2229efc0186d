import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import type { SessionId } from '../../contract/ids.ts'
import type { Timestamp } from '../../contract/schemas/time.ts'
import { LedgerKind } from '../../contract/schemas/ledger.ts'
import { identify, isSameAlive, ProcessIdentity } from '../containers/processes.ts'
import { readIfThere, writeWhole } from '../whole-file.ts'

/** How long a host waits for a client that is still at it, and how often it looks, in ms. */
const WAIT_MS = 30_000
const LOOK_MS = 20

/** What a client that kills a session without the host leaves for the host, which alone writes the ledger. */
const KillNote = z.strictObject({
  version: z.literal(1),
  /** The client; null where the platform does not tell. */
  writer: ProcessIdentity.nullable(),
  /** null while it is still at it. */
  outcome: z.strictObject({ processesKilled: z.number().int().nonnegative(), survivors: z.array(z.number()).max(0), durationMs: z.number().nonnegative(), restoreProblem: z.string().max(4_096).nullable() }).nullable(),
  /** What it would have recorded on the way. */
  entries: z.array(z.strictObject({ kind: LedgerKind, body: z.record(z.string(), z.unknown()) })).max(16),
})
export type KillNote = z.infer<typeof KillNote>

const noteFile = (killFiles: string, sessionId: SessionId): string => join(killFiles, `${sessionId}.killed`)

export const writeKillNote = (killFiles: string, sessionId: SessionId, { outcome, entries }: Pick<KillNote, 'outcome' | 'entries'>): void => {
  writeWhole(noteFile(killFiles, sessionId), JSON.stringify({ version: 1, writer: identify(process.pid), outcome, entries } satisfies KillNote))
}

export const removeKillNote = (killFiles: string, sessionId: SessionId): void => rmSync(noteFile(killFiles, sessionId), { force: true })

const ALL = 'all.killed'

/**
 * Says that everything was killed now, for sessions that were just starting and had no kill file yet: a host that hung
 * meanwhile starts none of them when it goes on.
 */
export const noteKillOfAll = (killFiles: string, now: Timestamp): void => writeWhole(join(killFiles, ALL), JSON.stringify(now))

/** Whether everything was killed since `beganAt`. */
export const wasAllKilledSince = (killFiles: string, beganAt: Timestamp, now: Timestamp): boolean => {
  const at = Number(readIfThere(join(killFiles, ALL)) ?? Number.NaN)
  // One from the future is of a clock that was set back since.
  return at >= beganAt && at <= now
}

/** A kill without the host that came to its end: nothing survived it. */
export interface KilledElsewhere {
  readonly outcome: NonNullable<KillNote['outcome']>
  readonly entries: KillNote['entries']
}

/**
 * The note that such a kill left, removed with the taking; null when there was none, or its client was ended in the middle.
 * Waits for a client that is still at it.
 */
export const takeKillNote = async (killFiles: string, sessionId: SessionId): Promise<KilledElsewhere | null> => {
  for (const deadline = performance.now() + WAIT_MS; ; await delay(LOOK_MS)) {
    const text = readIfThere(noteFile(killFiles, sessionId))
    if (text === null) return null
    const { outcome = null, entries = [], writer = null } = parseNote(text) ?? {}
    if (outcome === null && writer !== null && isSameAlive(writer) && performance.now() < deadline) continue
    removeKillNote(killFiles, sessionId)
    return outcome === null ? null : { outcome, entries }
  }
}

const parseNote = (text: string): KillNote | null => {
  try {
    return KillNote.parse(JSON.parse(text))
  } catch {
    return null
  }
}
