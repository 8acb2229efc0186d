import type { SessionId } from '../../contract/ids.ts'
import type { Alarms } from './alarms.ts'
import type { Pace } from './pace.ts'
import type { SessionCheckpoints } from './session-checkpoints.ts'
import type { Supervisor } from './supervisor.ts'

interface ReviewPointDeps {
  readonly supervisor: Pick<Supervisor, 'pause' | 'whileStill'>
  readonly sessionCheckpoints: Pick<SessionCheckpoints, 'has' | 'create'>
  readonly pace: Pick<Pace, 'resumeSession'>
  readonly alarms: Alarms
}

const inWords = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** A point of review: keeps a checkpoint, then pauses the session until a person has looked. Never rejects. */
export const createReviewPoint =
  ({ supervisor, sessionCheckpoints, pace, alarms }: ReviewPointDeps) =>
  async (sessionId: SessionId, reason: string): Promise<void> => {
    try {
      if (await sessionCheckpoints.has(sessionId)) {
        await supervisor.whileStill(sessionId, async () => void (await sessionCheckpoints.create(sessionId, 'review')))
      }
    } catch (error) {
      alarms.raise(sessionId, `No checkpoint could be kept at the review: ${inWords(error)}`)
    }
    try {
      await supervisor.pause(sessionId, reason)
    } catch (error) {
      pace.resumeSession(sessionId)
      alarms.raise(sessionId, `The session could not be paused for its review: ${inWords(error)}`)
    }
  }
