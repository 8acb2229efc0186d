import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { LedgerBody } from '../../contract/schemas/ledger-bodies.ts'
import { type Billing, NO_TOKENS } from '../../contract/schemas/usage.ts'
import type { Amount } from '../../domain/budget-account.ts'
import type { RequestEnd, Reservation } from '../../domain/budget-meter.ts'
import type { MessageUsage } from '../../domain/message-usage.ts'
import { figuresOf } from '../../domain/usage-check.ts'
import type { MessageCost } from '../../domain/usage-sums.ts'
import { findPrice, OWN_PRICE, priceSource, type PriceTable } from '../../domain/price.ts'
import { Refused } from './anthropic-error.ts'
import type { AskedOfModel, Dialect } from './dialects/dialect.ts'
import { credentialHeaders, upstreamHeaders } from './forward-headers.ts'
import type { GatewayDeps, GatewaySession } from './gateway.ts'
import type { LiveUsage } from './live-usage.ts'
import { passJudged, passThrough } from './pass-answer.ts'
import type { JudgeToolUse } from './tool-use-filter.ts'
import { networkErrorCode, type Upstream, type UpstreamAnswer } from './upstream.ts'

/** A request that may be sent: everything about it has been read and checked. */
export interface Exchange {
  readonly session: GatewaySession
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly path: string
  readonly dialect: Dialect
  readonly body: Buffer
  readonly key: string | null
  readonly billing: Billing
  /** Aborts when the agent has gone or the gateway closes. */
  readonly gone: AbortSignal
  /** Of a request that is billed; null for the others. */
  readonly metered: (AskedOfModel & { readonly reservation: Reservation }) | null
}

/** How an answer was passed on; filled in as it goes. */
interface Progress {
  status: number | null
  usage: MessageUsage | null
  cost: MessageCost | null
  answerBytes: number
  end: RequestEnd
}

/** Money that the agent's own figure can be held against: it knows nothing of the user's prices. */
const comparable = (table: PriceTable, { usage, cost }: Progress): number | null =>
  usage === null || cost === null || findPrice(table, usage.model)?.source === OWN_PRICE ? null : cost.microUsd

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

const describeOutcome = (intent: number, latencyMs: number, progress: Progress, provider: string, priceTable: PriceTable, charged: { agent: string; project: string; charged: Amount } | null): LedgerBody<'model-request/outcome'> => ({
  intent,
  latencyMs,
  httpStatus: progress.status,
  ended: progress.end.kind,
  ...charged,
  ...(progress.usage === null
    ? {}
    : {
        messageId: progress.usage.messageId,
        model: progress.usage.model,
        stopReason: progress.usage.stopReason,
        tokens: progress.cost?.tokens ?? NO_TOKENS,
        costMicroUsd: progress.cost?.microUsd ?? null,
        priceSource: priceSource(priceTable, progress.usage.model),
        provider,
      }),
})

/**
 * Writes the intent, sends, streams the answer through, meters it and writes the outcome; only then does the answer
 * end, so that who has seen its end finds the books in order. The intent is written before anything leaves, and known to
 * be on disk before anything of the answer, tool calls above all, is passed on: the provider is asked meanwhile. Throws Refused while nothing has been answered yet,
 * and anything else when the answer broke off or the ledger failed: then the agent's connection must be broken too.
 */
export const runExchange = async (
  deps: GatewayDeps & { readonly live: LiveUsage },
  upstream: Upstream,
  exchange: Exchange,
): Promise<void> => {
  const { session, request, response, path, dialect, body, key, gone, metered } = exchange
  const conversation = header(request, 'x-claude-code-session-id')
  const subagent = header(request, 'x-claude-code-agent-id')
  const startedAt = deps.clock.now()
  // What is no model request is the same for several APIs: who speaks Anthropic's says its version.
  const bearer = dialect.bearer || (metered === null && request.headers['anthropic-version'] === undefined)
  const intent = deps.ledger.appendSoon('model-request/intent', session.sessionId, describeIntent(exchange))
  // Awaited once the provider has answered, or failed to.
  intent.catch(() => undefined)
  const progress: Progress = { status: null, usage: null, cost: null, answerBytes: 0, end: { kind: 'free' } }

  const headersFor = (): OutgoingHttpHeaders =>
    session.cloud === null
      ? upstreamHeaders(request.headers, credentialHeaders(request.headers, key, bearer), body.length)
      : session.cloud.headersFor(request.headers, { key, baseUrl: session.upstreamBaseUrl, path, body, now: deps.clock.now() })

  const send = async (): Promise<UpstreamAnswer> => {
    const headers = headersFor()
    const token = await session.proof()
    gone.throwIfAborted()
    try {
      return await upstream.send({
        baseUrl: session.upstreamBaseUrl,
        path,
        method: request.method ?? 'GET',
        headers: { ...headers, 'x-holdfast-agent': session.agentId, ...(token === null ? {} : { 'x-holdfast-token': token }) },
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

  /** Each call goes on record with what the model said before it, and then to the judge. */
  const judgeFor = (request: number, waits: AbortSignal): JudgeToolUse => (call) => {
    deps.trail.add(session.sessionId, {
      toolUseId: call.id,
      tool: call.tool,
      words: call.words,
      request,
      model: progress.usage?.model ?? null,
      messageId: progress.usage?.messageId ?? null,
      conversation,
      subagent,
      promptId: session.guard.promptOf(conversation),
    })
    return session.guard.judge(call, conversation, waits)
  }

  const pass = async (answer: UpstreamAnswer, sequence: number): Promise<void> => {
    const passage = { answer, response, gone }
    if (metered === null || answer.statusCode === undefined || answer.statusCode >= 300) {
      await passThrough(passage)
      return
    }
    const usage = dialect.createUsageReader(metered.model, (seen) => {
      progress.usage = seen
      progress.cost = metered.reservation.observe(seen)
      deps.live.changed(session.sessionId, session.meter.usage)
    })
    const broken = new AbortController()
    let isPassed = false
    try {
      await passJudged(passage, dialect, {
        judge: judgeFor(sequence, broken.signal),
        see: usage.read,
        onBytes: (count) => (progress.answerBytes += count),
        onBroken: () => broken.abort(),
      })
      isPassed = true
    } finally {
      const sawStop = progress.usage !== null && progress.usage.stopReason !== null
      const cameUnread = progress.usage === null && answer.complete && !gone.aborted
      if (sawStop || (cameUnread && isPassed)) progress.end = { kind: 'whole' }
      else progress.end = cameUnread ? { kind: 'unreadable' } : { kind: 'cut', answerBytes: progress.answerBytes }
    }
  }

  try {
    const answer = await send()
    progress.status = answer.statusCode ?? null
    const { sequence } = await intent.catch((fault: unknown) => {
      answer.destroy()
      progress.end = { kind: 'cut', answerBytes: 0 }
      throw fault
    })
    await pass(answer, sequence)
  } finally {
    const latencyMs = deps.clock.now() - startedAt
    const charged = metered === null ? null : { agent: session.agent, project: session.project, charged: metered.reservation.settle(progress.end, latencyMs) }
    deps.live.settle(session.sessionId)
    const outcome = describeOutcome((await intent).sequence, latencyMs, progress, dialect.provider, session.priceTable, charged)
    await deps.ledger.appendSoon('model-request/outcome', session.sessionId, outcome)
    if (conversation !== null && progress.cost !== null) session.figures.passed(conversation, figuresOf(progress.cost.tokens, session.cloud === null ? comparable(session.priceTable, progress) : null), progress.end.kind === 'whole')
    if (charged !== null) deps.onCharged(session.sessionId, charged.charged)
    for (const warning of session.meter.warnings()) deps.onCapNear(session.sessionId, warning)
  }
  response.end()
}
