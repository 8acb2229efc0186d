import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { LedgerBody } from '../../contract/schemas/ledger-bodies.ts'
import { type Billing, NO_TOKENS } from '../../contract/schemas/usage.ts'
import type { MessageCost, RequestEnd, Reservation } from '../../domain/budget-meter.ts'
import { createMessageUsageReader, type MessageUsage } from '../../domain/message-usage.ts'
import { findPrice, type PriceTable } from '../../domain/price.ts'
import type { RequestBound, Unbounded } from '../../domain/request-bound.ts'
import { Refused } from './anthropic-error.ts'
import { downstreamHeaders, upstreamHeaders } from './forward-headers.ts'
import type { GatewayDeps, GatewaySession } from './gateway.ts'
import { networkErrorCode, type Upstream } from './upstream.ts'
import { createUsageTap } from './usage-tap.ts'

/** A request that may be sent: everything about it has been read and checked. */
export interface Exchange {
  readonly session: GatewaySession
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly path: string
  readonly body: Buffer
  readonly key: string | null
  readonly billing: Billing
  /** Aborts when the agent has gone or the gateway closes. */
  readonly gone: AbortSignal
  /** Of a request that is billed; null for the others. */
  readonly metered: {
    readonly model: string
    readonly stream: boolean
    readonly maxOutputTokens: number | null
    readonly bound: RequestBound | Unbounded
    readonly reservation: Reservation
  } | null
}

/** How an answer was passed on; filled in as it goes. */
interface Progress {
  status: number | null
  usage: MessageUsage | null
  cost: MessageCost | null
  answerBytes: number
  end: RequestEnd
}

const priceSource = (table: PriceTable, model: string): string | null => {
  const source = table.sources[findPrice(table, model)?.source ?? '']
  return source === undefined ? null : `${source.package}@${source.version} (${source.publishedAt})`
}

const header = (request: IncomingMessage, name: string): string | null => {
  const value = request.headers[name]
  return typeof value === 'string' ? value.slice(0, 256) : null
}

const describeIntent = ({
  session,
  request,
  path,
  body,
  billing,
  metered,
}: Exchange): LedgerBody<'model-request/intent'> => ({
  agent: session.agent,
  subagent: header(request, 'x-claude-code-agent-id'),
  endpoint: `${request.method} ${path.split('?', 1)[0]}`,
  bodyBytes: body.length,
  billing,
  ...(metered === null
    ? {}
    : {
        model: metered.model.slice(0, 256),
        stream: metered.stream,
        maxOutputTokens: metered.maxOutputTokens,
        bound: metered.bound,
      }),
})

const describeOutcome = (intent: number, latencyMs: number, progress: Progress, priceTable: PriceTable): LedgerBody<'model-request/outcome'> => ({
  intent,
  latencyMs,
  httpStatus: progress.status,
  ended: progress.end.kind,
  ...(progress.usage === null
    ? {}
    : {
        messageId: progress.usage.messageId,
        model: progress.usage.model,
        stopReason: progress.usage.stopReason,
        tokens: progress.cost?.tokens ?? NO_TOKENS,
        costMicroUsd: progress.cost?.microUsd ?? null,
        priceSource: priceSource(priceTable, progress.usage.model),
      }),
})

/**
 * Writes the intent, sends, streams the answer through, meters it and writes the outcome; only then does the answer
 * end, so that who has seen its end finds the books in order. Throws Refused while nothing has been answered yet,
 * and anything else when the answer broke off or the ledger failed: then the agent's connection must be broken too.
 */
export const runExchange = async (
  deps: GatewayDeps,
  upstream: Upstream,
  exchange: Exchange,
): Promise<void> => {
  const { session, request, response, path, body, key, gone, metered } = exchange
  const startedAt = deps.clock.now()
  const intent = deps.ledger.append('model-request/intent', session.sessionId, describeIntent(exchange))
  const progress: Progress = { status: null, usage: null, cost: null, answerBytes: 0, end: { kind: 'free' } }

  const send = async (): Promise<IncomingMessage> => {
    try {
      return await upstream.send({
        baseUrl: session.upstreamBaseUrl,
        path,
        method: request.method ?? 'GET',
        headers: upstreamHeaders(request.headers, key, body.length),
        body,
        signal: gone,
      })
    } catch (error) {
      if (gone.aborted) {
        progress.end = { kind: 'cut', answerBytes: 0 }
        throw error
      }
      const message = `The model provider cannot be reached (${networkErrorCode(error)}).`
      throw new Refused({ status: 502, type: 'api_error', message, retry: true })
    }
  }

  const tapFor = (answer: IncomingMessage) => {
    const isBilled = metered !== null && answer.statusCode !== undefined && answer.statusCode < 300
    if (!isBilled) return null
    const isStream = (answer.headers['content-type'] ?? '').startsWith('text/event-stream')
    const reader = createMessageUsageReader({
      format: isStream ? 'sse' : 'json',
      requestModel: metered.model,
      onUsage(usage) {
        progress.usage = usage
        progress.cost = metered.reservation.observe(usage)
        deps.onUsage(session.sessionId, session.meter.usage())
      },
    })
    return createUsageTap(reader, answer.headers['content-encoding'])
  }

  const pass = async (answer: IncomingMessage): Promise<void> => {
    const tap = tapFor(answer)
    try {
      response.writeHead(answer.statusCode ?? 502, downstreamHeaders(answer.headers))
      response.flushHeaders()
      const passed = pipeline(answer, response, { end: false, signal: gone })
      answer.on('data', (chunk: Buffer) => {
        progress.answerBytes += chunk.length
        tap?.push(chunk)
      })
      await passed
    } finally {
      await tap?.end()
      const sawStop = progress.usage !== null && progress.usage.stopReason !== null
      const isWhole = sawStop || (progress.usage === null && answer.complete)
      if (tap !== null)
        progress.end = isWhole ? { kind: 'whole' } : { kind: 'cut', answerBytes: progress.answerBytes }
    }
  }

  try {
    const answer = await send()
    progress.status = answer.statusCode ?? null
    await pass(answer)
  } finally {
    metered?.reservation.settle(progress.end)
    const outcome = describeOutcome(intent.sequence, deps.clock.now() - startedAt, progress, deps.priceTable)
    deps.ledger.append('model-request/outcome', session.sessionId, outcome)
  }
  response.end()
}
