import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { HoldfastError } from '../../shared/contract/errors.ts'
import { AgentId, SessionId } from '../../shared/contract/ids.ts'
import type { LedgerKind } from '../../shared/contract/schemas/ledger.ts'
import type { Usage } from '../../shared/contract/schemas/usage.ts'
import { createDecisionTrail } from '../../shared/core/gateway/decision-trail.ts'
import { createGateway, type GatewayDeps, type GatewaySession } from '../../shared/core/gateway/gateway.ts'
import type { Ledger } from '../../shared/core/ports.ts'
import type { Caps } from '../../shared/domain/budget-account.ts'
import { type BudgetMeter, createBudgetMeter } from '../../shared/domain/budget-meter.ts'
import type { PriceTable } from '../../shared/domain/price.ts'
import { PRICE_TABLE } from '../../shared/domain/price-table.ts'
import { trustingGuard } from '../fixtures/guard.ts'

export interface Noted {
  readonly kind: LedgerKind
  readonly body: Record<string, unknown>
}

export const SESSION = SessionId.parse('ses_222222222222')

/**
 * A ledger in memory that can be told to fail, at once (`faults`) or at the disk (`lost`): the one thing of the gateway's
 * neighbours that a test stands in for.
 */
export const createMemoryLedger = () => {
  const entries: Noted[] = []
  const faults = new Set<LedgerKind>()
  const lost = new Set<LedgerKind>()
  const ledger: Ledger = {
    append(kind, sessionId, body) {
      if (faults.has(kind))
        throw new HoldfastError('ledger-unavailable', 'The audit log cannot be written. Free the disk.')
      entries.push({ kind, body })
      const hash = '0'.repeat(64)
      return { sequence: entries.length, at: 0, kind, sessionId, body, bodyHash: hash, pruned: false, previousHash: hash, hash }
    },
    appendSoon: (kind, sessionId, body) => {
      const entry = ledger.append(kind, sessionId, body)
      return lost.has(kind) ? Promise.reject(new HoldfastError('disk-full', 'The disk is full. Free some of it.')) : Promise.resolve(entry)
    },
    appendLater: (kind, sessionId, body) => ledger.append(kind, sessionId, body),
    read: () => ({ entries: [], next: null }),
    tail: () => ({ entries: [], next: null }),
    seal: () => null,
    verify: () => Promise.reject(new Error('not here')),
    prune: () => Promise.reject(new Error('not here')),
    close() {},
  }
  return { ledger, entries, faults, lost }
}

const listen = async (handler: (request: IncomingMessage, response: ServerResponse) => void) => {
  const server = createServer(handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** A provider that answers as it is told, byte by byte. */
export const startRawProvider = listen

/** A gateway on 127.0.0.1 for one session, with everything it told its neighbours. */
export const startGateway = async (params: {
  upstreamBaseUrl: string
  cloud?: GatewaySession['cloud']
  resolveKey?: () => Promise<string | null>
  caps?: Caps
  priceTable?: PriceTable
  namesAgent?: boolean
  admit?: GatewayDeps['admit']
  guard?: GatewaySession['guard']
  isNetworkOpen?: boolean
  requestLog?: GatewaySession['requestLog']
  environment?: GatewayDeps['environment']
  ledger?: Ledger
  onCapReached?: GatewayDeps['onCapReached']
  /** Whose a request is, where there are several sessions; else all are of one. */
  sessionOf?: (request: IncomingMessage, session: GatewaySession) => GatewaySession
}) => {
  const notes = createMemoryLedger()
  const usages: Usage[] = []
  const capMessages: string[] = []
  const warnings: string[] = []
  const priceTable = params.priceTable ?? PRICE_TABLE
  const meter: BudgetMeter = createBudgetMeter({
    caps: params.caps ?? { microUsd: null, tokens: null },
    priceTable,
  })
  const gateway = createGateway({
    clock: { now: () => Date.now() },
    ledger: params.ledger ?? notes.ledger,
    environment: params.environment ?? {},
    trail: createDecisionTrail({ ledger: params.ledger ?? notes.ledger, recordOf: () => 'full' }),
    admit: params.admit ?? (() => null),
    onUsage: (_, usage) => usages.push(usage),
    onCharged: () => undefined,
    onCapNear: (_, message) => warnings.push(message),
    onCapReached: (stopped) => {
      capMessages.push(stopped.message)
      return params.onCapReached?.(stopped) ?? Promise.resolve(false)
    },
  })
  const session: GatewaySession = {
    guard: params.guard ?? trustingGuard,
    isNetworkOpen: params.isNetworkOpen ?? true,
    figures: { passed: () => undefined },
    requestLog: params.requestLog ?? null,
    sessionId: SESSION,
    agent: 'claude-test',
    project: '/project',
    agentId: AgentId.parse('agt_222222222222'),
    namesAgent: params.namesAgent ?? false,
    proof: () => Promise.resolve('a.signed.token'),
    upstreamBaseUrl: params.upstreamBaseUrl,
    cloud: params.cloud ?? null,
    meter,
    priceTable,
    resolveKey: params.resolveKey ?? (async () => 'sk-ant-api03-canary'),
  }
  const handled = new Set<Promise<void>>()
  const server = await listen((request, response) => {
    const one = gateway.handle(params.sessionOf?.(request, session) ?? session, request, response, request.url ?? '/').finally(() => handled.delete(one))
    handled.add(one)
  })
  return {
    baseUrl: server.baseUrl,
    ...notes,
    usages,
    capMessages,
    warnings,
    meter,
    gateway,
    /** Resolves when every request so far has been dealt with. */
    settled: async () => {
      await Promise.all(handled)
    },
    close: async () => {
      gateway.close()
      await server.close()
    },
  }
}

export const messagesBody = (fields: Record<string, unknown> = {}): string =>
  JSON.stringify({
    model: 'claude-sonnet-5-5',
    max_tokens: 1000,
    stream: true,
    messages: [{ role: 'user', content: 'hi' }],
    ...fields,
  })

export const postMessages = (baseUrl: string, body: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${baseUrl}/v1/messages?beta=true`, {
    method: 'POST',
    body,
    ...init,
    headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01', ...init.headers },
  })
