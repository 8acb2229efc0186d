import { z } from 'zod'
import { CheckpointId, SessionId } from '../ids.ts'
import { RestoreReport } from './checkpoint.ts'
import { Timestamp } from './time.ts'
import { Usage } from './usage.ts'

export const SessionState = z.enum(['starting', 'running', 'paused', 'killing', 'killed', 'ended', 'failed'])
export type SessionState = z.infer<typeof SessionState>

/** What holds a session's processes. `off` is said loudly wherever it appears. */
export const ContainerKind = z.enum(['linux', 'plain', 'macos', 'windows', 'off'])
export type ContainerKind = z.infer<typeof ContainerKind>

/** What came in the last minute. Told of with each change, and again as it falls. */
export const LastMinute = z.object({
  requests: z.number().int().nonnegative(),
  tokens: z.number().int().nonnegative(),
  toolCalls: z.number().int().nonnegative(),
})
export type LastMinute = z.infer<typeof LastMinute>

export const QUIET_MINUTE: LastMinute = { requests: 0, tokens: 0, toolCalls: 0 }

export const Session = z.object({
  id: SessionId,
  /** The agent's own identity, from its profile. */
  agent: z.string(),
  /** Which adapter launched it: `claude-code`, or `none` where single tool calls are not seen. */
  adapter: z.string(),
  command: z.array(z.string()),
  cwd: z.string(),
  state: SessionState,
  container: ContainerKind,
  startedAt: Timestamp,
  endedAt: Timestamp.nullable(),
  exitCode: z.number().int().nullable(),
  /** Why it is paused, killed or failed, for a person. */
  reason: z.string().nullable(),
  startCheckpoint: CheckpointId.nullable(),
  /** What a person should know of how it is held, one line each; more may come while it runs. */
  notices: z.array(z.string()),
  waitingApprovals: z.number().int().nonnegative(),
  toolCalls: z.object({
    total: z.number().int().nonnegative(),
    read: z.number().int().nonnegative(),
    write: z.number().int().nonnegative(),
    destructive: z.number().int().nonnegative(),
    denied: z.number().int().nonnegative(),
  }),
  usage: Usage,
  lastMinute: LastMinute,
})
export type Session = z.infer<typeof Session>

/**
 * What a kill did. `survivors` is what a sweep of the container still found at the end: empty, or the kill is not proven,
 * the session stays in `killing`, nothing is put back, and the kill can be repeated.
 */
export const KillReport = z.object({
  sessionId: SessionId,
  processesKilled: z.number().int().nonnegative(),
  survivors: z.array(z.number().int().positive()),
  durationMs: z.number().nonnegative(),
  /** null when the changes were kept, or when there was nothing to restore. */
  restore: RestoreReport.nullable(),
  /** Why there was no restore, or why it failed; null when it was done, or when the session had not run anything yet. */
  restoreProblem: z.string().nullable(),
})
export type KillReport = z.infer<typeof KillReport>
