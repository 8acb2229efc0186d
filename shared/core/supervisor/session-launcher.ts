import type { SessionRules } from '../../contract/schemas/profile.ts'
import type { AgentId, SessionId } from '../../contract/ids.ts'
import type { CommandParams } from '../../contract/protocol.ts'
import type { AlarmRule } from '../../contract/schemas/ledger.ts'
import type { PolicyDecision } from '../../contract/schemas/tool-call.ts'
import type { PriceTable } from '../../domain/price.ts'
import type { AgentAdapter } from '../agents/adapter.ts'
import type { Broker } from '../broker/create-broker.ts'
import type { Urgency } from '../broker/upstream-process.ts'
import type { ContainerChoice } from '../containers/choose.ts'
import type { Gateway } from '../gateway/gateway.ts'
import type { RequestLogs } from '../gateway/request-log.ts'
import type { SharedTotals } from '../budgets/shared-totals.ts'
import type { SessionIdentityDeps } from '../identity/session-identity.ts'
import type { Paths } from '../paths.ts'
import type { AgentProfile } from '../policy/agent-profile.ts'
import type { CheckpointStore, Clock, Container, IdSource, KillProof, Ledger, SecretStore, ToolCallGate } from '../ports.ts'
import type { AgentServer } from '../transports/agent-server.ts'
import type { Egress } from '../egress/egress.ts'
import type { OwnFigures } from './own-figures.ts'
import type { SessionRegistry } from './session-registry.ts'

/** A session from the moment it has an id until nothing of it is left. */
export interface LiveSession {
  readonly id: SessionId
  /** Resolves when its command runs; rejects with HoldfastError when it does not come to that. Then nothing of it is left. */
  readonly launched: Promise<Container>
  /** Whether its command may have begun to run: before that there is nothing to end, and after `revoke` there never is. */
  readonly launching: boolean
  readonly container: Container | null
  readonly profile: AgentProfile | null
  readonly agentId: AgentId | null
  /** SHA-256 of what it had signed; null where its commits are not. */
  readonly signed: ReadonlySet<string> | null
  readonly cwd: string | null
  /** The agent's home as the agent sees it. */
  readonly homeAt: string | null
  readonly revoked: boolean
  /** What its agent says it used, beside what passed the gateway; null before it runs. */
  readonly ownFigures: OwnFigures | null
  /** Its tokens open nothing from now on, and what it waits for is withdrawn. */
  revoke(): void
  /** Ends its MCP servers at once. */
  killServers(): Promise<KillProof>
  /** Ends its servers and removes its folder. */
  close(urgency: Urgency): Promise<void>
}

export interface SessionLauncher {
  launch(params: CommandParams<'session/start'>): LiveSession
}

export interface SessionLauncherDeps extends SessionIdentityDeps {
  readonly paths: Paths
  readonly clock: Clock
  readonly ids: IdSource
  readonly ledger: Ledger
  readonly registry: SessionRegistry
  readonly checkpoints: CheckpointStore
  readonly secrets: SecretStore
  readonly priceTable: PriceTable
  readonly gateway: Gateway
  readonly requestLogs: RequestLogs
  readonly totals: SharedTotals
  readonly gate: ToolCallGate
  readonly broker: Broker
  readonly agentServer: AgentServer
  readonly egress: Egress
  /** What policy says of a call, without asking anybody; null when the session is not running. */
  readonly judge: (sessionId: SessionId, tool: string, input: unknown) => PolicyDecision | null
  readonly adapters: readonly AgentAdapter[]
  readonly resolveProfile: (params: { cwd: string; command: readonly string[]; profile?: string | undefined; rules?: SessionRules | undefined }) => Promise<AgentProfile>
  /** Throws HoldfastError `container-unavailable`, saying what is missing and how to get it. */
  readonly chooseContainer: (sandbox: 'auto' | 'off') => Promise<ContainerChoice>
  readonly raiseAlarm: (sessionId: SessionId, message: string, rule?: AlarmRule) => void
  /** What a person has to say to a session's agent, once. */
  readonly takeMessage: (sessionId: SessionId) => string | null
  /** The session does what it should not: tells of it, and resolves when it is paused, or cannot be. */
  readonly onTampering: (sessionId: SessionId, message: string) => Promise<void>
  /** The program that relays MCP between the agent and the broker. */
  readonly shimFile: string
  /** The program that watches for git repositories that the agent makes. */
  readonly repositoryWatcherFile: string
}
