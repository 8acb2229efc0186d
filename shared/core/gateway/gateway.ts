import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { SessionId } from '../../contract/ids.ts'
import type { Usage } from '../../contract/schemas/usage.ts'
import type { BudgetMeter, Reservation } from '../../domain/budget-meter.ts'
import { outwardPart } from '../../domain/outward-request.ts'
import type { PriceTable } from '../../domain/price.ts'
import {
  boundRequest,
  MessagesRequest,
  type RequestBound,
  type Unbounded,
} from '../../domain/request-bound.ts'
import type { Clock, Ledger } from '../ports.ts'
import { Refused, sendRefusal, toRefusal } from './anthropic-error.ts'
import { findEndpoint } from './endpoints.ts'
import { type Exchange, runExchange } from './exchange.ts'
import { isSubscriptionKey } from './forward-headers.ts'
import { readBody } from './request-body.ts'
import { putBack, readRequest, type ReadRequest } from './request-history.ts'
import type { ToolUseGuard } from './tool-use-guard.ts'
import { createUpstream } from './upstream.ts'

/** What the gateway needs to know of the session that a request came from. */
export interface GatewaySession {
  readonly sessionId: SessionId
  readonly agent: string
  /** Where the model is: `https://api.anthropic.com`, or a compatible one. */
  readonly upstreamBaseUrl: string
  readonly meter: BudgetMeter
  /**
   * The key to put in, asked for with each request; null passes the agent's own bearer on (a subscription).
   * Throws HoldfastError `secret-unavailable`: then the request is refused with its message.
   */
  resolveKey(): Promise<string | null>
  /** Judges the calls that the model's answers ask for; null for an agent whose calls nobody judges here. */
  readonly guard: ToolUseGuard | null
  /** Whether its own processes reach any host: else the model's provider may not be sent to one for it either. */
  readonly isNetworkOpen: boolean
}

export interface GatewayDeps {
  readonly clock: Clock
  readonly ledger: Ledger
  readonly priceTable: PriceTable
  /**
   * Before anything of a request is read: null when it may go on at once, else resolves when it may, with null, or with
   * the reason why not.
   */
  admit(sessionId: SessionId, gone: AbortSignal): Promise<string | null> | null
  /** Hears every change of a session's usage as its bytes pass. */
  onUsage(sessionId: SessionId, usage: Usage): void
  /** A request was refused because of a cap; `message` is what the agent was told. */
  onCapReached(sessionId: SessionId, message: string): void
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

const parseMessagesRequest = (json: unknown): MessagesRequest => {
  try {
    return MessagesRequest.parse(json)
  } catch {
    const message =
      'The request body is not a Messages API request: JSON with a model and a whole number of max_tokens.'
    throw new Refused({ status: 400, type: 'invalid_request_error', message, retry: false })
  }
}

/** The gateway between agents and their model: puts the key in, meters, caps, and keeps the record. */
export const createGateway = (deps: GatewayDeps): Gateway => {
  const upstream = createUpstream()
  const open = new Set<AbortController>()
  let isClosed = false

  /** Waits while other requests in flight hold the room that this one needs. */
  const admit = async (
    session: GatewaySession,
    bound: RequestBound | Unbounded,
    gone: AbortSignal,
  ): Promise<Reservation> => {
    for (;;) {
      gone.throwIfAborted()
      const changed = session.meter.changed()
      const result = session.meter.reserve(bound)
      if (result.kind === 'reserved') return result.reservation
      if (result.kind === 'unbounded') {
        throw new Refused({
          status: 400,
          type: 'invalid_request_error',
          message: result.message,
          retry: false,
        })
      }
      if (result.kind === 'refused') {
        deps.onCapReached(session.sessionId, result.message)
        throw new Refused({ status: 402, type: 'billing_error', message: result.message, retry: false })
      }
      await Promise.race([changed, once(gone, 'abort')])
    }
  }

  const meter = async (
    session: GatewaySession,
    { body, json }: ReadRequest,
    gone: AbortSignal,
  ): Promise<Exchange['metered']> => {
    const request = parseMessagesRequest(json)
    const bound = boundRequest(request, body.length, deps.priceTable)
    return {
      model: request.model,
      stream: request.stream ?? false,
      maxOutputTokens: request.max_tokens ?? null,
      bound,
      reservation: await admit(session, bound, gone),
    }
  }

  const answer = async (
    session: GatewaySession,
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    gone: AbortSignal,
  ): Promise<void> => {
    const endpoint = findEndpoint(request.method, path)
    if (endpoint === null) {
      const message = 'Holdfast passes on model requests only; this address is not one of them.'
      throw new Refused({ status: 404, type: 'not_found_error', message, retry: false })
    }
    if (endpoint === 'probe') {
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
    const outward = session.isNetworkOpen ? null : outwardPart(asked.json)
    if (outward !== null) {
      const message = `Holdfast does not pass on ${outward}: this session's network is closed. Fetch it in the session, where the host is asked about.`
      throw new Refused({ status: 400, type: 'invalid_request_error', message, retry: false })
    }
    const sent = session.guard === null ? asked : putBack(asked, session.guard)
    const key = await session.resolveKey()
    const billing = isSubscriptionKey(key) ? 'subscription' : 'api-key'
    session.meter.setBilling(billing)
    const metered = endpoint === 'messages' ? await meter(session, sent, gone) : null
    try {
      await runExchange(deps, upstream, {
        session,
        request,
        response,
        path,
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
    },
  }
}
