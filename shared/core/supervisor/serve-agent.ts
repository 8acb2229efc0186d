import type { SessionId } from '../../contract/ids.ts'
import type { BudgetMeter } from '../../domain/budget-meter.ts'
import type { PriceTable } from '../../domain/price.ts'
import type { AgentAdapter } from '../agents/adapter.ts'
import type { CloudUpstream } from '../gateway/cloud-upstream.ts'
import type { GatewaySession } from '../gateway/gateway.ts'
import { watchHooks } from '../gateway/hook-window.ts'
import { createToolUseGuard } from '../gateway/tool-use-guard.ts'
import type { SessionIdentity } from '../identity/session-identity.ts'
import type { AgentProfile } from '../policy/agent-profile.ts'
import type { ContainerSpec } from '../ports.ts'
import type { AgentRoutes } from '../transports/agent-server.ts'
import type { SessionLauncherDeps } from './session-launcher.ts'
import { createOwnFigures, type OwnFigures } from './own-figures.ts'
import type { NetworkPlan } from './session-network.ts'

export interface ServedAgent {
  /** The network that leads to what serves it. */
  readonly network: ContainerSpec['network']
  readonly figures: OwnFigures
}

/** From now on, until the signal, the session's token opens its model, its hooks and its signer. */
export const serveAgent = (
  deps: Pick<SessionLauncherDeps, 'agentServer' | 'gate' | 'gateway' | 'judge' | 'ledger' | 'onTampering' | 'raiseAlarm' | 'registry' | 'requestLogs' | 'takeMessage'>,
  session: {
    readonly sessionId: SessionId
    readonly token: string
    readonly cwd: string
    readonly profile: AgentProfile
    readonly adapter: AgentAdapter
    readonly identity: SessionIdentity
    readonly meter: BudgetMeter
    readonly priceTable: PriceTable
    readonly resolveKey: () => Promise<string | null>
    readonly upstreamBaseUrl: string
    readonly cloud: CloudUpstream | null
    readonly way: NetworkPlan & { readonly proxy: AgentRoutes['proxy'] }
    readonly signal: AbortSignal
  },
): ServedAgent => {
  const { sessionId, token, cwd, profile, adapter, identity, meter, priceTable, resolveKey, upstreamBaseUrl, cloud, way } = session
  const raiseAlarm = (message: string): void => deps.raiseAlarm(sessionId, message, 'hooks')
  const alone = createToolUseGuard({
    sessionId,
    gate: deps.gate,
    judge: (tool, input) => deps.judge(sessionId, tool, input)?.effect ?? null,
    isBrokered: adapter.isBrokered,
    canonical: (tool, input) => adapter.canonical(tool, input, cwd),
    onTampering: (message) => void deps.onTampering(sessionId, message),
    raiseAlarm,
  })
  const { guard, window } = watchHooks(alone, {
    isBrokered: adapter.isBrokered,
    isRunning: () => deps.registry.get(sessionId).state === 'running',
    onMissed: () => void deps.onTampering(sessionId, 'A tool call of the model was not reported by the agent’s hooks: they are switched off, or something posed as the agent. Every call is now asked about before the agent has it.'),
  })
  session.signal.addEventListener('abort', window.close, { once: true })
  const figures = createOwnFigures({
    readResult: adapter.readResult?.(profile.command) ?? null,
    record: (compared) => void deps.ledger.append('usage/compared', sessionId, { ...compared }),
    raiseAlarm: (message) => deps.raiseAlarm(sessionId, message, 'usage'),
  })
  const { agentId, proof, signer } = identity
  const gatewaySession: GatewaySession = { sessionId, agent: profile.agent, agentId, namesAgent: profile.namesAgent, proof, project: cwd, upstreamBaseUrl, cloud, meter, priceTable, resolveKey, guard, figures, requestLog: deps.requestLogs.of(sessionId, profile.requestLog), isNetworkOpen: way.mode === 'open' }
  const hooks = adapter.createHookHandler()
  const routes: AgentRoutes = {
    hook: (path, body, gone) => {
      if (hooks === null) throw new Error('this agent has no hooks')
      const signal = AbortSignal.any([gone, session.signal])
      return hooks.handle(path, body, { sessionId, gate: deps.gate, guard, window, told: figures.told, signal, raiseAlarm, takeMessage: () => deps.takeMessage(sessionId) })
    },
    model: (request, response, path) => deps.gateway.handle(gatewaySession, request, response, path),
    sign: (payload) => signer.sign(payload),
    proxy: way.proxy,
    onFlood: () => raiseAlarm('The session sends more hooks than any agent does: calls beyond that are blocked.'),
  }
  if (way.mode !== 'open') return { network: { port: deps.agentServer.port, listen: deps.agentServer.admitApart(token, routes) }, figures }
  deps.agentServer.admit(token, routes)
  return { network: 'open', figures }
}
