import type { CheckpointId, SessionId } from '../contract/ids.ts'
import type { Checkpoint } from '../contract/schemas/checkpoint.ts'

/** For each project, where no profile says otherwise: 30 days, 5 GiB. */
export const DEFAULT_CHECKPOINT_LIMITS = { maxAgeMs: 30 * 86_400_000, maxBytes: 5 * 1024 ** 3 }

export interface RetentionPlan {
  /** To go, whatever the disk use. */
  readonly expired: readonly CheckpointId[]
  /** To go one by one, in this order, while the disk use is above the limit. */
  readonly spare: readonly CheckpointId[]
}

/** What retention may remove of one project, oldest first: nothing pinned, and never the start of a session that is live. */
export const planRetention = (params: {
  checkpoints: readonly Pick<Checkpoint, 'id' | 'sessionId' | 'reason' | 'takenAt' | 'pinned'>[]
  now: number
  maxAgeMs: number
  isLive: (sessionId: SessionId) => boolean
}): RetentionPlan => {
  const removable = params.checkpoints
    .filter(({ pinned, reason, sessionId }) => !pinned && !(reason === 'start' && params.isLive(sessionId)))
    .toSorted((a, b) => a.takenAt - b.takenAt)
  const isExpired = ({ takenAt }: { takenAt: number }): boolean => takenAt < params.now - params.maxAgeMs
  return { expired: removable.filter(isExpired).map(({ id }) => id), spare: removable.filter((one) => !isExpired(one)).map(({ id }) => id) }
}
