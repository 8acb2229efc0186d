import { hash } from 'node:crypto'
import { type Context, type Histogram, type HrTime, ROOT_CONTEXT, SeverityNumber, SpanKind, SpanStatusCode, trace, TraceFlags } from '@opentelemetry/api'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { LoggerProvider, type ReadableLogRecord } from '@opentelemetry/sdk-logs'
import { AggregationTemporality, MeterProvider, MetricReader, type ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { AlwaysOnSampler, type ReadableSpan, TracerProvider } from '@opentelemetry/sdk-trace'
import type { LedgerEntry } from '../../contract/schemas/ledger.ts'
import { logOf, METRICS, type SampleOfEntry, samplesOf, spanOf } from '../../domain/telemetry.ts'

/** What OpenTelemetry's exporters take. */
export interface OtlpRecords {
  readonly logs: ReadableLogRecord[]
  readonly spans: ReadableSpan[]
  /** null where there is nothing to measure. */
  readonly metrics: ResourceMetrics | null
}

const SCOPE = 'holdfast.ledger'
const SEVERITIES = { info: SeverityNumber.INFO, warn: SeverityNumber.WARN, error: SeverityNumber.ERROR }
const KINDS = { internal: SpanKind.INTERNAL, client: SpanKind.CLIENT }

const traceId = (sessionId: string): string => hash('sha256', `trace ${sessionId}`).slice(0, 32)
const spanId = (id: string): string => hash('sha256', `span ${id}`).slice(0, 16)
const within = (sessionId: string, span: string): Context =>
  trace.setSpanContext(ROOT_CONTEXT, { traceId: traceId(sessionId), spanId: spanId(span), traceFlags: TraceFlags.SAMPLED })

/** The SDK would take a small number for one since this process began. */
const hrTime = (ms: number): HrTime => [Math.floor(ms / 1_000), Math.round((ms - Math.floor(ms / 1_000) * 1_000) * 1e6)]

const nothing = { forceFlush: () => Promise.resolve(), shutdown: () => Promise.resolve() }

/** Gives, when asked, what was measured since it was asked before. */
class BatchReader extends MetricReader {
  constructor() {
    super({ aggregationTemporalitySelector: () => AggregationTemporality.DELTA })
  }
  protected override onForceFlush = nothing.forceFlush
  protected override onShutdown = nothing.shutdown
}

/** The times of what was measured, where the SDK has those of the measuring. */
const during = (metrics: ResourceMetrics, startTime: HrTime, endTime: HrTime): ResourceMetrics => {
  for (const { metrics: all } of metrics.scopeMetrics) {
    for (const { dataPoints } of all) for (const point of dataPoints) Object.assign(point, { startTime, endTime })
  }
  return metrics
}

/**
 * Puts entries, oldest first, into records of the OpenTelemetry SDK: see domain/telemetry. Ids follow from the entries, and
 * times are theirs, so that what is sent twice is the same twice. Metrics are deltas over one batch, which must end before
 * the next begins.
 */
export const createOtlpRecords = (version: string): ((entries: readonly LedgerEntry[]) => Promise<OtlpRecords>) => {
  const resource = resourceFromAttributes({ 'service.name': 'holdfast', 'service.version': version })
  let logs: ReadableLogRecord[] = []
  let spans: ReadableSpan[] = []
  let next = { trace: '', span: '' }
  const reader = new BatchReader()

  const logger = new LoggerProvider({ resource, processors: [{ ...nothing, onEmit: (record) => void logs.push(record) }] }).getLogger(SCOPE, version)
  const tracer = new TracerProvider({
    resource,
    sampler: new AlwaysOnSampler(),
    idGenerator: { generateTraceId: () => next.trace, generateSpanId: () => next.span },
    spanProcessors: [{ ...nothing, onStart: () => undefined, onEnd: (span) => void spans.push(span) }],
  }).getTracer(SCOPE, version)
  const meter = new MeterProvider({ resource, readers: [reader] }).getMeter(SCOPE, version)
  /** How to add to each. */
  const instruments = new Map(
    Object.entries(METRICS).map(([name, { unit, bounds }]): [string, Histogram['record']] => {
      if (bounds === null) {
        const counter = meter.createCounter(name, { unit })
        return [name, (value, attributes) => counter.add(value, attributes)]
      }
      const histogram = meter.createHistogram(name, { unit, advice: { explicitBucketBoundaries: [...bounds] } })
      return [name, (value, attributes) => histogram.record(value, attributes)]
    }),
  )

  const addLog = (entry: LedgerEntry): void => {
    const { severity, eventName, body, attributes, span } = logOf(entry)
    const at = hrTime(entry.at)
    const context = entry.sessionId === null || span === null ? ROOT_CONTEXT : within(entry.sessionId, span)
    logger.emit({ timestamp: at, observedTimestamp: at, severityNumber: SEVERITIES[severity], severityText: severity.toUpperCase(), eventName, body, attributes, context })
  }

  const addSpan = (entry: LedgerEntry): void => {
    const found = spanOf(entry)
    if (found === null || entry.sessionId === null) return
    next = { trace: traceId(entry.sessionId), span: spanId(found.id) }
    const parent = found.parent === null ? ROOT_CONTEXT : within(entry.sessionId, found.parent)
    const span = tracer.startSpan(found.name, { kind: KINDS[found.kind], startTime: hrTime(found.startAt), attributes: found.attributes }, parent)
    if (found.problem !== null) span.setStatus({ code: SpanStatusCode.ERROR, message: found.problem })
    span.end(hrTime(found.endAt))
  }

  const addSample = ({ metric, value, attributes }: SampleOfEntry): void => instruments.get(metric)?.(value, attributes)

  return async (entries) => {
    ;[logs, spans] = [[], []]
    for (const entry of entries) {
      addLog(entry)
      addSpan(entry)
      samplesOf(entry).forEach(addSample)
    }
    const records = { logs, spans }
    const { resourceMetrics } = await reader.collect()
    const [first, last] = [entries[0]?.at ?? 0, entries.at(-1)?.at ?? 0]
    const isEmpty = resourceMetrics.scopeMetrics.every(({ metrics }) => metrics.length === 0)
    return { ...records, metrics: isEmpty ? null : during(resourceMetrics, hrTime(first), hrTime(Math.max(first, last))) }
  }
}
