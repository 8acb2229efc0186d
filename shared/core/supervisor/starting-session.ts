import type { SessionId } from '../../contract/ids.ts'
import { type ContainerKind, QUIET_MINUTE, type Session } from '../../contract/schemas/session.ts'
import { NO_TOKENS, type Usage } from '../../contract/schemas/usage.ts'
import { isSubscriptionKey } from '../gateway/forward-headers.ts'
import type { AgentProfile } from '../policy/agent-profile.ts'
import { startNotices } from './session-notices.ts'

const NO_USAGE: Usage = { billing: null, byModel: [], tokens: NO_TOKENS, requests: 0, costMicroUsd: 0, hasUnknownPrice: false, capMicroUsd: null }

const microUsd = (usd: number | null): number | null => (usd === null ? null : Math.round(usd * 1_000_000))

/** A session as it is shown before anything of it runs. */
export const startingSession = (start: {
  readonly id: SessionId
  readonly profile: AgentProfile
  /** The adapter's id; `none` for a command whose model requests are not seen. */
  readonly adapter: string
  readonly cwd: string
  readonly container: ContainerKind
  readonly startedAt: number
  readonly modelKey: string
  /** The value of that key; null where there is none. */
  readonly firstKey: string | null
  /** Where its model requests are logged; null where they are not. */
  readonly requestLog: string | null
  readonly doubts: readonly string[]
  readonly unsigned: string | null
}): Session => {
  const { id, profile, adapter, cwd, container, startedAt, modelKey, firstKey, requestLog, doubts, unsigned } = start
  return {
    id,
    agent: profile.agent,
    adapter,
    command: [...profile.command],
    cwd,
    state: 'starting',
    container,
    startedAt,
    endedAt: null,
    exitCode: null,
    reason: null,
    startCheckpoint: null,
    notices: startNotices({ container, isSeen: adapter !== 'none', modelKey, hasModelKey: firstKey !== null, isSubscription: isSubscriptionKey(firstKey), requestLog, doubts, unsigned }),
    waitingApprovals: 0,
    toolCalls: { total: 0, read: 0, write: 0, destructive: 0, denied: 0 },
    usage: { ...NO_USAGE, capMicroUsd: microUsd(profile.limits.spendUsd) },
    lastMinute: QUIET_MINUTE,
  }
}
