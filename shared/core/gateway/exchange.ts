import { once } from 'node:events'
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
import { decoded } from './decode.ts'
import { readAhead } from './read-ahead.ts'
import { filterToolUses, filterWholeAnswer, type JudgeToolUse } from './tool-use-filter.ts'
import type { ToolUseGuard } from './tool-use-guard.ts'
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

/** How much of an answer is read before the agent has taken it, in bytes: little, unless a person is being asked. */
const READ_AHEAD_BYTES = 1024 * 1024
const READ_AHEAD_HELD_BYTES = 64 * 1024 * 1024

const isEventStream = (answer: IncomingMessage): boolean => (answer.headers['content-type'] ?? '').startsWith('text/event-stream')

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
    const reader = createMessageUsageReader({
      format: isEventStream(answer) ? 'sse' : 'json',
      requestModel: metered.model,
      onUsage(usage) {
        progress.usage = usage
        progress.cost = metered.reservation.observe(usage)
        deps.onUsage(session.sessionId, session.meter.usage())
      },
    })
    return createUsageTap(reader, answer.headers['content-encoding'])
  }

  const write = async (chunk: Buffer): Promise<void> => {
    if (!response.write(chunk)) await once(response, 'drain', { signal: gone })
  }

  /** Released calls pass as they came; what is asked about is held, and read on meanwhile. */
  const passGated = async (answer: IncomingMessage, guard: ToolUseGuard, onChunk: (chunk: Buffer) => void): Promise<void> => {
    const conversation = header(request, 'x-claude-code-session-id')
    let isHolding = false
    const judge: JudgeToolUse = (call) => {
      const verdict = guard.judge(call, conversation, gone)
      if (!(verdict instanceof Promise)) return verdict
      isHolding = true
      answer.resume()
      return verdict.finally(() => (isHolding = false))
    }
    const chunks = readAhead(answer, () => (isHolding ? READ_AHEAD_HELD_BYTES : READ_AHEAD_BYTES), onChunk)
    const { 'content-length': _, 'content-encoding': coding, ...headers } = downstreamHeaders(answer.headers)
    if (isEventStream(answer)) {
      response.writeHead(answer.statusCode ?? 502, headers)
      response.flushHeaders()
      for await (const chunk of filterToolUses(decoded(chunks, coding), judge)) await write(chunk)
      return
    }
    const parts: Buffer[] = []
    for await (const chunk of decoded(chunks, coding)) parts.push(chunk)
    const body = await filterWholeAnswer(Buffer.concat(parts), judge)
    response.writeHead(answer.statusCode ?? 502, { ...headers, 'content-length': body.length })
    await write(body)
  }

  const pass = async (answer: IncomingMessage): Promise<void> => {
    const tap = tapFor(answer)
    const onChunk = (chunk: Buffer): void => {
      progress.answerBytes += chunk.length
      tap?.push(chunk)
    }
    try {
      if (session.guard !== null && tap !== null) {
        await passGated(answer, session.guard, onChunk)
        return
      }
      response.writeHead(answer.statusCode ?? 502, downstreamHeaders(answer.headers))
      response.flushHeaders()
      const passed = pipeline(answer, response, { end: false, signal: gone })
      answer.on('data', onChunk)
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
