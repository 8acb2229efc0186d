import { bodyOf } from '../contract/schemas/ledger-bodies.ts'
import type { LedgerEntry } from '../contract/schemas/ledger.ts'
import type { Tokens } from '../contract/schemas/usage.ts'
import { canonicalJson } from './ledger-chain.ts'
import { severityOf } from './ledger-severity.ts'

/** By OpenTelemetry's semantic conventions for gen_ai and mcp where they have a name for it. */
export type Attributes = Readonly<Record<string, string | number | boolean | string[]>>

/** An entry as a log record. */
export interface LogOfEntry {
  readonly severity: 'info' | 'warn' | 'error'
  readonly eventName: string
  readonly body: string
  readonly attributes: Attributes
  /** The span it belongs to; null outside a session. */
  readonly span: string | null
}

/** What an entry says was done, from a time to a time, in ms. */
export interface SpanOfEntry {
  readonly id: string
  /** null for a session's own span. */
  readonly parent: string | null
  readonly name: string
  readonly kind: 'internal' | 'client'
  readonly startAt: number
  readonly endAt: number
  readonly attributes: Attributes
  /** Why it failed; null when it did not. */
  readonly problem: string | null
}

/** As the conventions advise. */
const SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
const MCP_SECONDS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300]
const TOKENS = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864]

/** What is measured: a histogram where there are bounds, else a sum. */
export const METRICS = {
  'gen_ai.client.token.usage': { unit: '{token}', bounds: TOKENS },
  'gen_ai.client.operation.duration': { unit: 's', bounds: SECONDS },
  'mcp.client.operation.duration': { unit: 's', bounds: MCP_SECONDS },
  'holdfast.cost': { unit: 'USD', bounds: null },
  'holdfast.tool_calls': { unit: '{call}', bounds: null },
} as const satisfies Record<string, { unit: string; bounds: readonly number[] | null }>

export interface SampleOfEntry {
  readonly metric: keyof typeof METRICS
  readonly value: number
  readonly attributes: Attributes
}

const present = (values: Record<string, Attributes[string] | null | undefined>): Attributes =>
  Object.fromEntries(Object.entries(values).filter((pair): pair is [string, Attributes[string]] => pair[1] != null))

const isBrokered = (tool: string | undefined): boolean => tool?.startsWith('mcp__') === true

const toolAttributes = (tool: string | undefined): Attributes =>
  present({
    'gen_ai.operation.name': 'execute_tool',
    'gen_ai.tool.name': tool,
    'mcp.method.name': isBrokered(tool) ? 'tools/call' : null,
  })

/** All of the prompt, what came from or went into a cache included, as the conventions want it. */
const inputTokens = (tokens: Tokens): number => tokens.input + tokens.cacheRead + tokens.cacheWrite5m + tokens.cacheWrite1h

/** Every entry is a log record. */
export const logOf = (entry: LedgerEntry): LogOfEntry => {
  const { sessionId, body } = entry
  const call = 'toolCallId' in body ? String(body['toolCallId']) : null
  const tool = typeof body['tool'] === 'string' ? body['tool'] : undefined
  return {
    severity: severityOf(entry),
    eventName: `holdfast.${entry.kind.replace('/', '.')}`,
    body: entry.pruned ? '' : canonicalJson(body),
    attributes: present({
      'session.id': sessionId,
      'gen_ai.conversation.id': sessionId,
      'holdfast.ledger.sequence': entry.sequence,
      'holdfast.ledger.hash': entry.hash,
      'holdfast.ledger.pruned': entry.pruned ? true : null,
      ...(call === null ? {} : { ...toolAttributes(tool), 'gen_ai.tool.call.id': call }),
    }),
    span: sessionId === null ? null : (call ?? sessionId),
  }
}

/** A tool call, a model request and a session that have ended are a span as well, in one trace a session. */
export const spanOf = (entry: LedgerEntry): SpanOfEntry | null => {
  const { sessionId, at } = entry
  if (sessionId === null) return null
  const common = { 'session.id': sessionId, 'gen_ai.conversation.id': sessionId }
  const call = bodyOf(entry, 'tool-call/outcome')
  if (call !== null) {
    return {
      id: call.toolCallId,
      parent: sessionId,
      name: `execute_tool ${call.tool ?? ''}`.trim(),
      kind: isBrokered(call.tool) ? 'client' : 'internal',
      startAt: at - call.durationMs,
      endAt: at,
      attributes: present({ ...common, ...toolAttributes(call.tool), 'gen_ai.tool.call.id': call.toolCallId, 'error.type': call.ok === false ? 'tool_error' : null }),
      problem: call.ok === false ? call.summary : null,
    }
  }
  const model = bodyOf(entry, 'model-request/outcome')
  if (model !== null) {
    const { httpStatus, tokens } = model
    const isAnswered = httpStatus !== null && httpStatus < 400
    return {
      id: `${sessionId} ${model.intent}`,
      parent: sessionId,
      name: `chat ${model.model ?? ''}`.trim(),
      kind: 'client',
      startAt: at - model.latencyMs,
      endAt: at,
      attributes: present({
        ...common,
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': model.provider,
        'gen_ai.response.model': model.model,
        'gen_ai.response.id': model.messageId,
        'gen_ai.response.finish_reasons': model.stopReason == null ? null : [model.stopReason],
        'gen_ai.usage.input_tokens': tokens === undefined ? null : inputTokens(tokens),
        'gen_ai.usage.output_tokens': tokens?.output,
        'gen_ai.usage.cache_read.input_tokens': tokens?.cacheRead,
        'gen_ai.usage.cache_creation.input_tokens': tokens === undefined ? null : tokens.cacheWrite5m + tokens.cacheWrite1h,
        'http.response.status_code': httpStatus,
        'error.type': isAnswered ? null : String(httpStatus ?? 'no_answer'),
      }),
      problem: isAnswered ? null : `HTTP ${httpStatus ?? 'none'}`,
    }
  }
  const ended = bodyOf(entry, 'session/ended') ?? bodyOf(entry, 'session/killed')
  if (ended?.startedAt === undefined) return null
  const isKilled = entry.kind === 'session/killed'
  return {
    id: sessionId,
    parent: null,
    name: `invoke_agent ${ended.agent ?? ''}`.trim(),
    kind: 'internal',
    startAt: ended.startedAt,
    endAt: at,
    attributes: present({ ...common, 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': ended.agent, 'error.type': isKilled ? 'killed' : null }),
    problem: isKilled ? 'killed' : null,
  }
}

/** Tokens, cost, durations, and how calls ended. */
export const samplesOf = (entry: LedgerEntry): SampleOfEntry[] => {
  const model = bodyOf(entry, 'model-request/outcome')
  if (model?.model !== undefined && model.tokens !== undefined) {
    const attributes = present({ 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': model.provider, 'gen_ai.response.model': model.model })
    return [
      { metric: 'gen_ai.client.token.usage', value: inputTokens(model.tokens), attributes: { ...attributes, 'gen_ai.token.type': 'input' } },
      { metric: 'gen_ai.client.token.usage', value: model.tokens.output, attributes: { ...attributes, 'gen_ai.token.type': 'output' } },
      { metric: 'gen_ai.client.operation.duration', value: model.latencyMs / 1_000, attributes },
      ...(model.costMicroUsd == null ? [] : [{ metric: 'holdfast.cost' as const, value: model.costMicroUsd / 1_000_000, attributes }]),
    ]
  }
  const call = bodyOf(entry, 'tool-call/outcome')
  if (call !== null) {
    const outcome = call.ok === null ? 'unknown' : call.ok ? 'completed' : 'failed'
    return [
      { metric: 'holdfast.tool_calls', value: 1, attributes: present({ 'gen_ai.tool.name': call.tool, 'holdfast.outcome': outcome }) },
      ...(isBrokered(call.tool)
        ? [{ metric: 'mcp.client.operation.duration' as const, value: call.durationMs / 1_000, attributes: present({ ...toolAttributes(call.tool), 'error.type': call.ok === false ? 'tool_error' : null }) }]
        : []),
    ]
  }
  const refused = bodyOf(entry, 'tool-call/decision')
  return refused === null ? [] : [{ metric: 'holdfast.tool_calls', value: 1, attributes: { 'gen_ai.tool.name': refused.tool, 'holdfast.outcome': refused.effect } }]
}
