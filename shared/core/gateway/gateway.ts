import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AgentId, SessionId } from '../../contract/ids.ts'
import type { Usage } from '../../contract/schemas/usage.ts'
import type { Amount } from '../../domain/budget-account.ts'
import type { BudgetMeter, Reservation } from '../../domain/budget-meter.ts'
import type { PriceTable } from '../../domain/price.ts'
import type { UsageCheck } from '../../domain/usage-check.ts'
import { isFields } from '../../domain/json-fields.ts'
import type { RequestBound, Unbounded } from '../../domain/request-bound.ts'
import type { StoppedRequest } from '../budgets/cap-keeper.ts'
import type { Clock, Ledger } from '../ports.ts'
import { Refused, sendRefusal, toRefusal } from './anthropic-error.ts'
import type { CloudUpstream } from './cloud-upstream.ts'
import type { AskedOfModel, Dialect } from './dialects/dialect.ts'
import type { DecisionTrail } from './decision-trail.ts'
import { findEndpoint } from './endpoints.ts'
import { type Exchange, runExchange } from './exchange.ts'
import { isSubscriptionKey } from './forward-headers.ts'
import { createLiveUsage } from './live-usage.ts'
import { readBody } from './request-body.ts'
import { nameAgent, putBack, readRequest, type ReadRequest } from './request-history.ts'
import type { RequestLog } from './request-log.ts'
import type { ToolUseGuard } from './tool-use-guard.ts'
import { createUpstream } from './upstream.ts'

/** What the gateway needs to know of the session that a request came from. */
export interface GatewaySession {
  readonly sessionId: SessionId
  readonly agent: string
  /** Its folder. */
  readonly project: string
  readonly agentId: AgentId
  /** Whether the provider is told that id in the request itself too, where its API has a place for it. */
  readonly namesAgent: boolean
  /** A signed statement of who the session is, good for some minutes; null without a key. */
  proof(): Promise<string | null>
  /** Where the model is: `https://api.anthropic.com`, or a compatible one. */
  readonly upstreamBaseUrl: string
  /** The cloud that is there, with requests of its own; null where it is an API as agents know it. */
  readonly cloud: CloudUpstream | null
  readonly meter: BudgetMeter
  /** As the meter has it. */
  readonly priceTable: PriceTable
  /**
   * The key to put in, asked for with each request; null passes the agent's own bearer on (a subscription).
   * Throws HoldfastError `secret-unavailable`: then the request is refused with its message.
   */
  resolveKey(): Promise<string | null>
  /** Judges the calls that the model's answers ask for. */
  readonly guard: ToolUseGuard
  /** Hears what each request came to, to be held against what the agent itself says. */
  readonly figures: Pick<UsageCheck, 'passed'>
  /** Where its requests are written down; null where they are not. */
  readonly requestLog: RequestLog | null
  /** Whether its own processes reach any host: else the model's provider may not be sent to one for it either. */
  readonly isNetworkOpen: boolean
}

export interface GatewayDeps {
  readonly clock: Clock
  readonly ledger: Ledger
  readonly trail: Pick<DecisionTrail, 'add'>
  /** The user's own, for the proxies of their network. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /**
   * Before anything of a request is read: null when it may go on at once, else resolves when it may, with null, or with
   * the reason why not.
   */
  admit(sessionId: SessionId, gone: AbortSignal): Promise<string | null> | null
  /** Hears of a session's usage as its bytes pass: soon after they do, and exactly once a request is over. */
  onUsage(sessionId: SessionId, usage: Usage): void
  /** A request is over, and was charged so much. */
  onCharged(sessionId: SessionId, amount: Amount): void
  /** A cap is nearly used up. */
  onCapNear(sessionId: SessionId, message: string): void
  /** A cap stops a request. Resolves with true when it was raised and the request may be tried again, else it is refused with `message`. */
  onCapReached(stopped: StoppedRequest): Promise<boolean>
}

export interface Gateway {
  /**
   * Answers one request of a session's agent; `path` is what follows the session's part of the address, with its
   * query. Never rejects. Fails closed: no key, no ledger or no room under a cap, and nothing leaves this machine.
   */
  handle(
    session: GatewaySession,
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
  ): Promise<void>
  /** Breaks off what is in flight, and refuses what comes later. */
  close(): void
}

/** Longest answer to a request that sets no limit, where a cap holds: what Claude Code is given too. */
const CAPPED_OUTPUT_TOKENS = 16_000

const askedOf = (dialect: Dialect, { body, json }: ReadRequest, table: PriceTable): AskedOfModel => {
  try {
    return dialect.readRequest(json, body.length, table)
  } catch {
    const message = 'The request body is not one of this API: JSON with a model, and whole numbers for what it limits.'
    throw new Refused({ status: 400, type: 'invalid_request_error', message, retry: false })
  }
}

/** The gateway between agents and their model: puts the key in, meters, caps, and keeps the record. */
export const createGateway = (deps: GatewayDeps): Gateway => {
  const upstream = createUpstream(deps.environment)
  const live = createLiveUsage(deps.onUsage)
  const open = new Set<AbortController>()
  let isClosed = false

  /** Waits while other requests in flight hold the room that this one needs. */
  const admit = async (
    session: GatewaySession,
    bound: RequestBound | Unbounded,
    gone: AbortSignal,
  ): Promise<Reservation> => {
    let left: Promise<boolean> | undefined
    try {
      for (;;) {
        gone.throwIfAborted()
        const result = session.meter.reserve(bound, gone)
        if (result.kind === 'reserved') return result.reservation
        if (result.kind === 'unbounded') {
          throw new Refused({ status: 400, type: 'invalid_request_error', message: result.message, retry: false })
        }
        left ??= once(gone, 'abort').then(() => false)
        if (result.kind === 'refused') {
          const onRaised = (): void => deps.onUsage(session.sessionId, session.meter.usage())
          const raised = deps.onCapReached({ sessionId: session.sessionId, cap: result.cap, message: result.message, onRaised })
          if (await Promise.race([raised, left])) continue
          gone.throwIfAborted()
          throw new Refused({ status: 402, type: 'billing_error', message: result.message, retry: false })
        }
        await Promise.race([session.meter.changed(), left])
      }
    } finally {
      session.meter.leave(gone)
    }
  }

  /** Without a limit to its output a request fits under no cap: so it gets one where a cap holds. */
  const limited = (session: GatewaySession, dialect: Dialect, read: ReadRequest): ReadRequest => {
    if (dialect.limitOutput === null || !isFields(read.json) || !session.meter.isCapped()) return read
    if (askedOf(dialect, read, session.priceTable).maxOutputTokens !== null) return read
    const json = dialect.limitOutput(read.json, CAPPED_OUTPUT_TOKENS)
    return { json, body: Buffer.from(JSON.stringify(json)) }
  }

  const meter = async (session: GatewaySession, dialect: Dialect, read: ReadRequest, gone: AbortSignal): Promise<Exchange['metered']> => {
    const asked = askedOf(dialect, read, session.priceTable)
    return { ...asked, reservation: await admit(session, asked.bound, gone) }
  }

  const answer = async (
    session: GatewaySession,
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    gone: AbortSignal,
  ): Promise<void> => {
    const endpoint = (session.cloud?.findEndpoint ?? findEndpoint)(request.method, path)
    if (endpoint === null) {
      const message = 'Holdfast passes on model requests only; this address is not one of them.'
      throw new Refused({ status: 404, type: 'not_found_error', message, retry: false })
    }
    const { does, dialect } = endpoint
    if (does === 'probe') {
      response.end()
      return
    }
    const late = deps.admit(session.sessionId, gone)
    const overRate = late === null ? null : await late
    gone.throwIfAborted()
    if (overRate !== null) {
      throw new Refused({ status: 429, type: 'rate_limit_error', message: `Held back by Holdfast: ${overRate}`, retry: true })
    }
    const given = await readBody(request)
    if (given === null) {
      throw new Refused({
        status: 413,
        type: 'request_too_large',
        message: 'The request is above 64 MB.',
        retry: false,
      })
    }
    const asked = readRequest(given)
    const outward = session.isNetworkOpen ? null : dialect.outwardPart(asked.json)
    if (outward !== null) {
      const message = `Holdfast does not pass on ${outward}: this session's network is closed. Fetch it in the session, where the host is asked about.`
      throw new Refused({ status: 400, type: 'invalid_request_error', message, retry: false })
    }
    const whole = putBack(asked, dialect, session.guard)
    const bounded = does === 'meter' ? limited(session, dialect, whole) : whole
    const sent = does === 'meter' && session.namesAgent ? nameAgent(bounded, dialect, session.agentId) : bounded
    const key = await session.resolveKey()
    const billing = isSubscriptionKey(key) ? 'subscription' : 'api-key'
    session.meter.setBilling(billing)
    const metered = does === 'meter' ? await meter(session, dialect, sent, gone) : null
    try {
      await runExchange({ ...deps, live }, session.requestLog?.through(upstream) ?? upstream, {
        session,
        request,
        response,
        path,
        dialect,
        body: sent.body,
        key,
        billing,
        gone,
        metered,
      })
    } finally {
      metered?.reservation.settle({ kind: 'free' })
    }
  }

  return {
    async handle(session, request, response, path) {
      const gone = new AbortController()
      open.add(gone)
      response.once('close', () => {
        if (!response.writableFinished) gone.abort()
      })
      response.on('error', () => gone.abort())
      if (isClosed) gone.abort()
      try {
        await answer(session, request, response, path, gone.signal)
      } catch (error) {
        if (gone.signal.aborted) response.destroy()
        else sendRefusal(response, toRefusal(error))
      } finally {
        open.delete(gone)
      }
    },
    close() {
      isClosed = true
      for (const gone of open) gone.abort()
      upstream.close()
      live.close()
    },
  }
}
