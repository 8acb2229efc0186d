import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import type { SessionId } from '../../contract/ids.ts'
import type { RunningServer } from '../../contract/schemas/server.ts'
import type { Clock, Ledger, SecretStore, ToolCallGate } from '../ports.ts'
import { createSignIns } from '../secrets/sign-in.ts'
import { openBrokerSession } from './broker-session.ts'
import type { BrokerSession, BrokerSessionParams } from './broker-session.ts'
import type { Redactor } from './redactor.ts'
import type { ServerContainerDeps } from './server-container.ts'
import { createServerPool } from './server-pool.ts'
import type { BrokerHost } from './session-servers.ts'
import type { ToolPins } from './tool-pins.ts'

export type { BrokerSession, BrokerSessionParams }

export interface BrokerDeps {
  readonly gate: ToolCallGate
  readonly secrets: SecretStore
  readonly ledger: Ledger
  readonly clock: Clock
  readonly redactor: Redactor
  readonly toolPins: Pick<ToolPins, 'admit' | 'onAccepted' | 'packageOf' | 'pinPackage'>
  readonly version: string
  readonly containers: ServerContainerDeps
  /** The host's own environment, from which servers get PATH and LANG alone, and npm HOME. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Whether the process at the other end belongs to the session; a rejection counts as no. */
  peerCheck(sessionId: SessionId, socket: Socket): Promise<boolean>
  /** What the agent may know of its session: its identity, usage and limits. */
  status(sessionId: SessionId): Record<string, unknown>
  /** Tells a person, and the ledger. */
  raiseAlarm(sessionId: SessionId, message: string): void
  readonly timing?: Partial<BrokerTiming>
}

export interface BrokerTiming {
  /** While a person thinks, the agent's client hears this often that its call is alive. */
  readonly progressEveryMs: number
  /** How long the first list of tools waits for servers that are still starting. */
  readonly startGraceMs: number
  /** How long servers wait for the agent to say what it can do, before they are taken up without. */
  readonly agentGraceMs: number
  /** First wait before a crashed server is started again. */
  readonly restartDelayMs: number
}

const TIMING: BrokerTiming = { progressEveryMs: 5_000, startGraceMs: 2_000, agentGraceMs: 20_000, restartDelayMs: 250 }

export interface Broker {
  /**
   * Starts the session's servers and listens on its socket. A server that cannot start is a state of that server, not
   * an error here. Throws HoldfastError `unsupported` when the socket's path is too long.
   */
  openSession(params: BrokerSessionParams): Promise<BrokerSession>
  /** Starts anew, in every session, the servers that are given this secret: see SecretStore. */
  secretChanged(name: string): void
  /** The servers of every open session, as they are now. */
  running(): RunningServer[]
  /** Whether a process, by its id in the host's view, belongs to a server: no such process may decide anything. */
  isInsideServer(pid: number): Promise<boolean>
}

/** The broker: one MCP server towards each session's agent, in front of the user's own servers. */
export const createBroker = (deps: BrokerDeps): Broker => {
  const open = new Set<Awaited<ReturnType<typeof openBrokerSession>>>()
  const host: BrokerHost = {
    ...deps,
    timing: { ...TIMING, ...deps.timing },
    pool: createServerPool(),
    signIns: createSignIns({ secrets: deps.secrets, clock: deps.clock, know: deps.redactor.know }),
    poolKey: randomBytes(32),
    running: new Set(),
    compared: new Set(),
  }

  return {
    secretChanged: (name) => {
      for (const session of open) session.secretChanged(name)
    },
    running: () => [...open].flatMap((session) => session.running()),
    isInsideServer: async (pid) => {
      for (const container of host.running) if (await container.contains(pid)) return true
      return false
    },
    openSession: async (params) => {
      const session = await openBrokerSession(host, params)
      open.add(session)
      return {
        servers: session.servers,
        started: session.started,
        close: (urgency) => {
          open.delete(session)
          return session.close(urgency)
        },
      }
    },
  }
}
