import type { ContainerKind } from '../../contract/schemas/session.ts'
import type { UpstreamStatus } from '../broker/upstream-server.ts'

export interface SessionStart {
  readonly container: ContainerKind
  /** Whether the session's model requests pass the gateway. */
  readonly isSeen: boolean
  readonly modelKey: string
  readonly hasModelKey: boolean
  readonly isSubscription: boolean
  /** Who else can change the programs that are run. */
  readonly doubts: readonly string[]
  /** Where its model requests are logged; null where they are not. */
  readonly requestLog: string | null
  /** Why its commits are not signed; null when they are, or were not to be. */
  readonly unsigned: string | null
}

const billingNotice = ({ modelKey, hasModelKey, isSubscription }: SessionStart): string => {
  if (!hasModelKey) return `No key is kept as ${modelKey}: the agent signs in by itself, and a subscription pays.`
  return `Model requests use the key ${modelKey}, ${isSubscription ? 'of a subscription' : 'billed by what they use'}.`
}

/** What a person should know when a session starts, one line each; that it has no container is said loudly elsewhere. */
export const startNotices = (start: SessionStart): string[] => [
  ...(start.container === 'off' ? [] : [`Held in a ${start.container} container.`]),
  ...(start.isSeen ? [billingNotice(start)] : []),
  ...(start.isSeen && start.requestLog !== null ? [`What its model is asked and answers is logged in ${start.requestLog}, as its profile says (record.requests).`] : []),
  ...start.doubts,
  ...(start.unsigned === null ? [] : [`Its commits are not signed: ${start.unsigned}`]),
]

/** What the agent has to do without, of the servers it was to have. */
export const serverNotices = (servers: readonly UpstreamStatus[]): string[] =>
  servers.flatMap(({ name, state, message }) => (state === 'closed' || message === null ? [] : [`MCP server ${name}: ${message}`]))
