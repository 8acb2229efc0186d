import { bodyOf } from '../contract/schemas/ledger-bodies.ts'
import type { LedgerEntry } from '../contract/schemas/ledger.ts'
import { canonicalJson, type Sha256 } from './ledger-chain.ts'
import { severityOf } from './ledger-severity.ts'

/** Requests of OTLP/HTTP with JSON bodies (opentelemetry-proto 1.x), by the path each goes to; null where there is nothing to send. */
export interface OtlpRequests {
  readonly '/v1/logs': object
  readonly '/v1/traces': object | null
  readonly '/v1/metrics': object | null
}

type Value = string | number | boolean | readonly string[] | null | undefined
type Attributes = Readonly<Record<string, Value>>

const anyValue = (value: Exclude<Value, null | undefined>): object => {
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  if (typeof value === 'number') return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value }
  return { arrayValue: { values: value.map((one) => ({ stringValue: one })) } }
}

const attributes = (values: Attributes): object[] =>
  Object.entries(values).flatMap(([key, value]) => (value === null || value === undefined ? [] : [{ key, value: anyValue(value) }]))

const nanos = (ms: number): string => `${Math.max(0, Math.round(ms))}000000`

/** Of the log data model. */
const SEVERITIES = {
  info: { severityNumber: 9, severityText: 'INFO' },
  warn: { severityNumber: 13, severityText: 'WARN' },
  error: { severityNumber: 17, severityText: 'ERROR' },
}

/** What the semantic conventions for gen_ai and mcp call this. */
const toolAttributes = (tool: string | undefined, callId: string): Attributes => ({
  'gen_ai.operation.name': 'execute_tool',
  'gen_ai.tool.name': tool,
  'gen_ai.tool.call.id': callId,
  'mcp.method.name': tool?.startsWith('mcp__') === true ? 'tools/call' : undefined,
})

interface Sample {
  readonly value: number
  readonly labels: Attributes
}

const BOUNDS = {
  /** As the conventions advise for gen_ai.client.token.usage and gen_ai.client.operation.duration. */
  tokens: [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864],
  seconds: [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92],
}

const DELTA = 1

/** The conventions' span kinds and the code of an error. */
const INTERNAL = 1
const CLIENT = 3
const ERROR = 2

/**
 * Puts entries, oldest first, into OTLP: each is a log record; a tool call, a model request and a session that has
 * ended is a span as well, in one trace a session; tokens, cost and durations are delta metrics of this batch. Ids
 * follow from the entries, so that what is sent twice is the same twice.
 */
export const createOtlpMapper = ({ sha256, version }: { sha256: Sha256; version: string }) => {
  const traceId = (sessionId: string): string => sha256(`trace ${sessionId}`).slice(0, 32)
  const spanId = (id: string): string => sha256(`span ${id}`).slice(0, 16)
  const resource = { attributes: attributes({ 'service.name': 'holdfast', 'service.version': version }) }
  const scope = { name: 'holdfast.ledger', version }

  const logRecord = (entry: LedgerEntry): object => {
    const { sessionId } = entry
    const call = 'toolCallId' in entry.body ? String(entry.body['toolCallId']) : null
    const tool = typeof entry.body['tool'] === 'string' ? entry.body['tool'] : undefined
    return {
      timeUnixNano: nanos(entry.at),
      observedTimeUnixNano: nanos(entry.at),
      ...SEVERITIES[severityOf(entry)],
      eventName: `holdfast.${entry.kind.replace('/', '.')}`,
      body: anyValue(entry.pruned ? '' : canonicalJson(entry.body)),
      attributes: attributes({
        'session.id': sessionId,
        'holdfast.ledger.sequence': entry.sequence,
        'holdfast.ledger.hash': entry.hash,
        ...(call === null ? {} : toolAttributes(tool, call)),
      }),
      ...(sessionId === null ? {} : { traceId: traceId(sessionId), spanId: spanId(call ?? sessionId) }),
    }
  }

  const span = (entry: LedgerEntry): object | null => {
    const { sessionId, at } = entry
    if (sessionId === null) return null
    const make = (id: string, name: string, kind: number, durationMs: number, values: Attributes, problem: string | null): object => ({
      traceId: traceId(sessionId),
      spanId: spanId(id),
      ...(id === sessionId ? {} : { parentSpanId: spanId(sessionId) }),
      name,
      kind,
      startTimeUnixNano: nanos(at - durationMs),
      endTimeUnixNano: nanos(at),
      attributes: attributes({ 'session.id': sessionId, ...values }),
      status: problem === null ? {} : { code: ERROR, message: problem },
    })
    const call = bodyOf(entry, 'tool-call/outcome')
    if (call) return make(call.toolCallId, `execute_tool ${call.tool ?? ''}`.trim(), INTERNAL, call.durationMs, toolAttributes(call.tool, call.toolCallId), call.ok === true ? null : call.summary)
    const model = bodyOf(entry, 'model-request/outcome')
    if (model) {
      const values = {
        'gen_ai.operation.name': 'chat',
        'gen_ai.response.model': model.model,
        'gen_ai.response.id': model.messageId,
        'gen_ai.response.finish_reasons': model.stopReason == null ? null : [model.stopReason],
        'gen_ai.usage.input_tokens': model.tokens === undefined ? null : inputTokens(model.tokens),
        'gen_ai.usage.output_tokens': model.tokens?.output,
        'gen_ai.usage.cache_read.input_tokens': model.tokens?.cacheRead,
        'gen_ai.usage.cache_creation.input_tokens': model.tokens === undefined ? null : model.tokens.cacheWrite5m + model.tokens.cacheWrite1h,
        'http.response.status_code': model.httpStatus,
      }
      return make(`${sessionId} ${model.intent}`, `chat ${model.model ?? ''}`.trim(), CLIENT, model.latencyMs, values, model.httpStatus !== null && model.httpStatus < 400 ? null : `HTTP ${model.httpStatus ?? 'none'}`)
    }
    const ended = bodyOf(entry, 'session/ended') ?? bodyOf(entry, 'session/killed')
    if (ended?.startedAt === undefined) return null
    const values = { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': ended.agent }
    return make(sessionId, `invoke_agent ${ended.agent ?? ''}`.trim(), INTERNAL, at - ended.startedAt, values, entry.kind === 'session/killed' ? 'killed' : null)
  }

  const metrics = (entries: readonly LedgerEntry[]): object[] => {
    const first = entries[0]
    const last = entries.at(-1)
    if (first === undefined || last === undefined) return []
    const times = { startTimeUnixNano: nanos(first.at), timeUnixNano: nanos(Math.max(first.at, last.at)) }
    const tokens: Sample[] = []
    const seconds: Sample[] = []
    const cost: Sample[] = []
    const calls: Sample[] = []
    for (const entry of entries) {
      const model = bodyOf(entry, 'model-request/outcome')
      if (model?.model !== undefined && model.tokens !== undefined) {
        const labels = { 'gen_ai.operation.name': 'chat', 'gen_ai.response.model': model.model }
        tokens.push({ value: inputTokens(model.tokens), labels: { ...labels, 'gen_ai.token.type': 'input' } })
        tokens.push({ value: model.tokens.output, labels: { ...labels, 'gen_ai.token.type': 'output' } })
        seconds.push({ value: model.latencyMs / 1000, labels })
        if (model.costMicroUsd != null) cost.push({ value: model.costMicroUsd / 1_000_000, labels })
      }
      const call = bodyOf(entry, 'tool-call/outcome')
      if (call) calls.push({ value: 1, labels: { 'gen_ai.tool.name': call.tool, 'holdfast.outcome': call.ok === null ? 'unknown' : call.ok ? 'completed' : 'failed' } })
      const refused = bodyOf(entry, 'tool-call/decision')
      if (refused) calls.push({ value: 1, labels: { 'gen_ai.tool.name': refused.tool, 'holdfast.outcome': refused.effect } })
    }
    return [
      histogram('gen_ai.client.token.usage', '{token}', tokens, BOUNDS.tokens, times),
      histogram('gen_ai.client.operation.duration', 's', seconds, BOUNDS.seconds, times),
      sum('holdfast.cost', 'USD', cost, times),
      sum('holdfast.tool_calls', '{call}', calls, times),
    ].flatMap((metric) => (metric === null ? [] : [metric]))
  }

  return (entries: readonly LedgerEntry[]): OtlpRequests => {
    const spans = entries.flatMap((entry) => span(entry) ?? [])
    const points = metrics(entries)
    return {
      '/v1/logs': { resourceLogs: [{ resource, scopeLogs: [{ scope, logRecords: entries.map(logRecord) }] }] },
      '/v1/traces': spans.length === 0 ? null : { resourceSpans: [{ resource, scopeSpans: [{ scope, spans }] }] },
      '/v1/metrics': points.length === 0 ? null : { resourceMetrics: [{ resource, scopeMetrics: [{ scope, metrics: points }] }] },
    }
  }
}

/** All of the prompt, what came from or went into a cache included, as the conventions want it. */
const inputTokens = (tokens: { input: number; cacheRead: number; cacheWrite5m: number; cacheWrite1h: number }): number =>
  tokens.input + tokens.cacheRead + tokens.cacheWrite5m + tokens.cacheWrite1h

interface Times {
  readonly startTimeUnixNano: string
  readonly timeUnixNano: string
}

const byLabels = (samples: readonly Sample[]): [Attributes, number[]][] =>
  [...Map.groupBy(samples, ({ labels }) => JSON.stringify(labels)).values()].map((group) => [group[0]?.labels ?? {}, group.map(({ value }) => value)])

const total = (values: readonly number[]): number => values.reduce((sofar, value) => sofar + value, 0)

const histogram = (name: string, unit: string, samples: readonly Sample[], explicitBounds: readonly number[], times: Times): object | null => {
  if (samples.length === 0) return null
  const dataPoints = byLabels(samples).map(([labels, values]) => {
    const counts = Array<number>(explicitBounds.length + 1).fill(0)
    for (const value of values) {
      const bucket = explicitBounds.findIndex((bound) => value <= bound)
      const at = bucket === -1 ? explicitBounds.length : bucket
      counts[at] = (counts[at] ?? 0) + 1
    }
    return { attributes: attributes(labels), ...times, count: String(values.length), sum: total(values), bucketCounts: counts.map(String), explicitBounds }
  })
  return { name, unit, histogram: { aggregationTemporality: DELTA, dataPoints } }
}

const sum = (name: string, unit: string, samples: readonly Sample[], times: Times): object | null => {
  if (samples.length === 0) return null
  const dataPoints = byLabels(samples).map(([labels, values]) => ({ attributes: attributes(labels), ...times, asDouble: total(values) }))
  return { name, unit, sum: { aggregationTemporality: DELTA, isMonotonic: true, dataPoints } }
}
