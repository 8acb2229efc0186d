import type { SessionId } from '../../contract/ids.ts'
import type { CheckpointLimits, CheckpointStore } from '../ports.ts'

/** For each project. */
const LIMITS: CheckpointLimits = { maxAgeMs: 30 * 86_400_000, maxBytes: 5 * 1024 ** 3 }
const NO_LIMITS: CheckpointLimits = { maxAgeMs: Infinity, maxBytes: Infinity }
/** A host that has just started has other things to do. */
const FIRST_MS = 60_000
const EVERY_MS = 6 * 3_600_000

/** Clears old checkpoints from time to time, and at once what sessions of an earlier host left open. Returns how to stop. */
export const keepCheckpointsWithinLimits = (store: CheckpointStore, isLive: (sessionId: SessionId) => boolean, log: (line: string) => void): (() => void) => {
  const clear = (limits: CheckpointLimits): void =>
    void store.prune({ limits, isLive }).catch((error: unknown) => log(`old checkpoints could not be cleared: ${String(error)}`))
  clear(NO_LIMITS)
  const first = setTimeout(() => clear(LIMITS), FIRST_MS).unref()
  const again = setInterval(() => clear(LIMITS), EVERY_MS).unref()
  return () => {
    clearTimeout(first)
    clearInterval(again)
  }
}
