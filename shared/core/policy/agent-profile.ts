import type { AlarmRule } from '../../contract/schemas/ledger.ts'
import type { RateLimits } from '../../domain/rates.ts'
import type { AtCap, NetworkMode, OverLimit, OwnPrice, Policy, ProfileFile, RecordMode, RequestLogMode, SharedCap } from '../../contract/schemas/profile.ts'
import type { CheckpointLimits } from '../ports.ts'

export interface ProfileLimits extends RateLimits {
  readonly spendUsd: number | null
  readonly tokens: number | null
  readonly modelRequests: number | null
  readonly modelMinutes: number | null
  readonly shared: readonly SharedCap[]
  readonly warnAt: number
  readonly atCap: AtCap
  readonly tokensPerMinute: number | null
  readonly overLimit: OverLimit
  readonly approvalTimeoutMs: number
  readonly reviewEvery: NonNullable<ProfileFile['limits']>['reviewEvery'] | null
}

/** How one session is run: the user's profile, tightened by the project's file. */
export interface AgentProfile {
  readonly agent: string
  /** Whose word the name is. One that the user did not give is good in this folder alone. */
  readonly agentOrigin: 'user' | 'project'
  readonly command: readonly string[]
  /** Names of the variables that reach the agent. */
  readonly envPass: readonly string[]
  /** The user's word alone: with a project's, an agent could commit under another's name. */
  readonly identity: NonNullable<ProfileFile['identity']> | null
  /** Secret reference. */
  readonly modelKey: string
  readonly modelBaseUrl: string | null
  /** The cloud that serves the model; null for the agent's own provider. */
  readonly cloud: { readonly provider: 'bedrock'; readonly region: string } | null
  /** The user's word alone: a project could make its agent look cheap. */
  readonly prices: Readonly<Record<string, OwnPrice>>
  /** Whether the model's provider is told the agent's id in the request itself. */
  readonly namesAgent: boolean
  /** A path relative to `folder`, or the servers themselves; and whose word it is. */
  readonly servers: {
    readonly value: NonNullable<ProfileFile['servers']>
    readonly origin: 'user' | 'project'
    readonly folder: string
  } | null
  readonly policy: Policy
  /** What happens to a destructive call that a checkpoint covers whole. */
  readonly recoverable: 'ask' | 'allow'
  readonly limits: ProfileLimits
  /** Limits for the checkpoints of the folder it works in: the user's word alone, as an agent could have them cleared. */
  readonly checkpoints: CheckpointLimits
  readonly sandbox: 'auto' | 'off'
  /** The user's word alone: a project could hide what its agent does. */
  readonly record: { readonly inputs: RecordMode; readonly results: RecordMode }
  readonly requestLog: RequestLogMode
  /** The alarms that pause the session. */
  readonly pauseOn: readonly AlarmRule[]
  readonly network: NetworkMode
  /** What a project's file asks for and does not get, in words for the user. */
  readonly notices: readonly string[]
}

/** The keychain item of the model's key, when no profile names another. */
export const DEFAULT_MODEL_KEY = 'agent/anthropic'

const NOT_KEPT = '[value not kept]'
/** Names whose values say where a secret is, or what is allowed, and are none themselves. */
const PLAIN_NAME = /_SECRET$|^ALLOWED_/

const withoutValues = (fields: unknown): unknown =>
  typeof fields !== 'object' || fields === null
    ? fields
    : Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, PLAIN_NAME.test(name) ? value : NOT_KEPT]))

/** Servers as the audit log keeps them: of their variables and headers the names alone, as people put keys there. */
export const recordedServers = (servers: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(servers).map(([name, server]) => {
      if (typeof server !== 'object' || server === null) return [name, server]
      const kept = Object.entries(server).map(([key, field]) => [key, key === 'env' || key === 'headers' ? withoutValues(field) : (field as unknown)])
      return [name, Object.fromEntries(kept)]
    }),
  )

/** A profile as the audit log keeps it. */
export const recordedProfile = (profile: AgentProfile): Record<string, unknown> => {
  const { servers } = profile
  if (servers === null || typeof servers.value === 'string') return { ...profile }
  return { ...profile, servers: { ...servers, value: recordedServers(servers.value) } }
}
