import { join } from 'node:path'
import { PROTOCOL_VERSION } from '../contract/protocol.ts'
import { createDispatcher } from './api/dispatcher.ts'
import { createHandlers, type HandlerDeps } from './api/handlers/create-handlers.ts'
import { authoriseRole } from './api/roles.ts'
import { randomIds } from './identifiers.ts'
import { processStartTime } from './process-info.ts'
import { createSetupProposer } from './onboarding/propose-setup.ts'
import { createProfileChange } from './proposals/profile-change.ts'
import { createProposals } from './proposals/proposals.ts'
import { createSetupChange } from './proposals/setup-change.ts'
import { createAcceptTools, createAllowTool } from './proposals/tool-changes.ts'
import { createDetachedViewers } from './supervisor/detached-viewers.ts'
import { createToken } from './supervisor/session-folder.ts'
import { createDashboardServer } from './transports/dashboard-server.ts'
import { removeEndpoint, writeEndpoint, type Endpoint } from './transports/endpoint-file.ts'
import { createLoginKeeper } from './transports/kept-logins.ts'
import { listenLocalSocket } from './transports/local-socket-server.ts'
import type { Undo } from './undo.ts'

export interface ServeDeps extends Omit<HandlerDeps, 'secretChanged' | 'proposals' | 'proposeSetup' | 'dashboard' | 'viewers'> {
  /** The folder of the pages in a browser. */
  readonly pages: string
  readonly log: (line: string) => void
}

/**
 * Opens the host to people: the dashboard's server, the local socket, and the endpoint file by which clients find it,
 * last. What it opens joins `opened`. Throws HoldfastError `disk-full`, `read-only`.
 */
export const serveClients = async (opened: Undo, deps: ServeDeps): Promise<Endpoint> => {
  const { paths, clock, ledger, broker, supervisor, toolPins, hub, log } = deps
  const isForbiddenPeer = async (pid: number): Promise<boolean> => (await supervisor.isInsideAnySession(pid)) || (await broker.isInsideServer(pid))
  const dashboard = createDashboardServer({
    folder: deps.pages,
    dispatch: (connection, request) => dispatch(connection, request),
    hub,
    clock,
    newSecret: createToken,
    isForbiddenPeer,
    // Elsewhere the host cannot tell which process connects, so that a login must not outlive it.
    keepers: process.platform === 'linux' ? { approval: createLoginKeeper(join(paths.run, 'approval-logins.json')), dashboard: createLoginKeeper(join(paths.run, 'dashboard-logins.json')) } : null,
  })
  opened.push(() => dashboard.close())
  const proposeSetup = createSetupProposer({ paths, environment: deps.environment })
  const proposals = createProposals({
    clock,
    ids: randomIds,
    kinds: {
      profile: createProfileChange({ folder: paths.profiles, ledger }),
      setup: createSetupChange({ folder: paths.profiles, ledger, propose: proposeSetup }),
      'accept-tools': createAcceptTools(toolPins),
      'allow-tool': createAllowTool(toolPins),
    },
    publish: (proposal) => hub.publish('proposal/changed', proposal),
  })
  const dispatch = createDispatcher(
    createHandlers({ ...deps, secretChanged: (name) => broker.secretChanged(name), proposals, proposeSetup, dashboard, viewers: createDetachedViewers() }),
    { authorise: ({ role }, command) => authoriseRole(role, command), logFault: (command, error) => log(`${command}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`) },
  )
  const endpoint: Endpoint = {
    protocol: PROTOCOL_VERSION,
    pid: process.pid,
    processStartTime: processStartTime(process.pid),
    socketPath: join(paths.run, 'host.sock'),
    token: createToken(),
  }
  const socketServer = await listenLocalSocket({
    socketPath: endpoint.socketPath,
    token: endpoint.token,
    dispatch,
    hub,
    isForbiddenPeer,
  })
  opened.push(() => socketServer.close())
  opened.push(() => removeEndpoint(paths.run, endpoint))
  await writeEndpoint(paths.run, endpoint)
  await dashboard.resume().catch((error: unknown) => log(`the dashboard is not served again: ${String(error)}`))
  return endpoint
}
