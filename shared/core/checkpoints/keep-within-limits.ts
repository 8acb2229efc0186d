import type { SessionId } from '../../contract/ids.ts'
import { DEFAULT_CHECKPOINT_LIMITS } from '../../domain/checkpoint-retention.ts'
import type { CheckpointLimits, CheckpointStore } from '../ports.ts'

/** A host that has just started has other things to do. */
const FIRST_MS = 60_000
const EVERY_MS = 6 * 3_600_000

/** Clears old checkpoints from time to time, and at once what sessions of an earlier host left open. Returns how to stop. */
export const keepCheckpointsWithinLimits = (store: CheckpointStore, isLive: (sessionId: SessionId) => boolean, log: (line: string) => void): (() => void) => {
  const clear = (limits: CheckpointLimits | null): void =>
    void store.prune({ limits, isLive }).catch((error: unknown) => log(`old checkpoints could not be cleared: ${String(error)}`))
  clear(null)
  const first = setTimeout(() => clear(DEFAULT_CHECKPOINT_LIMITS), FIRST_MS).unref()
  const again = setInterval(() => clear(DEFAULT_CHECKPOINT_LIMITS), EVERY_MS).unref()
  return () => {
    clearTimeout(first)
    clearInterval(again)
  }
}
