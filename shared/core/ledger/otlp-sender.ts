import { diag, DiagLogLevel } from '@opentelemetry/api'
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { AggregationTemporality } from '@opentelemetry/sdk-metrics'
import { Signal } from '../../contract/schemas/ledger-settings.ts'
import { VERSION } from '../version.ts'
import { createOtlpRecords } from './otlp-records.ts'
import { createOutbox, type Failure, type OutboxDeps } from './outbox.ts'

export interface OtlpSenderDeps extends Omit<OutboxDeps, 'to' | 'deliver'> {
  /** `http://127.0.0.1:4318`; the signals' paths are appended. */
  readonly baseUrl: string
  /** For one request with the exporter's own quick retries; else as OTEL_EXPORTER_OTLP_TIMEOUT says, or 10 s. */
  readonly timeoutMs?: number
  /** With each request, beside what OTEL_EXPORTER_OTLP_HEADERS says. */
  readonly headers?: Readonly<Record<string, string>>
  /** Without it, all. */
  readonly signals?: readonly Signal[]
}

type Exporter<Records> = { export(records: Records, done: (result: { error?: Error }) => void): void }

/** An error of the exporters has the status of an answer that means: never. What may be tried again has none, or a network error's name. */
const failureOf = (error: Error): Failure => {
  const code = 'code' in error ? error.code : undefined
  if (typeof code === 'number') return { problem: `it answers ${code}`, retry: false }
  return { problem: code === undefined ? error.message : String(code), retry: true }
}

/**
 * Sends to an OpenTelemetry collector what it has not got yet (see Outbox), with OpenTelemetry's own exporters, whose
 * variables hold: OTEL_EXPORTER_OTLP_HEADERS, _CERTIFICATE, _CLIENT_KEY, _COMPRESSION and so on.
 */
export const createOtlpSender = ({ baseUrl, timeoutMs, headers = {}, signals = Signal.options, ...outbox }: OtlpSenderDeps): (() => Promise<number>) => {
  const tell = (...said: unknown[]): void => outbox.say(`About the collector at ${baseUrl}: ${said.join(' ')}`)
  const quiet = (): void => undefined
  // Tells of settings that cannot be used, and when a collector took a part of a request alone.
  diag.setLogger({ error: quiet, warn: tell, info: quiet, debug: quiet, verbose: quiet }, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true })
  const toRecords = createOtlpRecords(VERSION)
  const configured = (path: string) => ({ url: `${baseUrl.replace(/\/$/, '')}/${path}`, headers: { ...headers }, ...(timeoutMs === undefined ? {} : { timeoutMillis: timeoutMs }) })
  const logs = new OTLPLogExporter(configured('v1/logs'))
  const traces = new OTLPTraceExporter(configured('v1/traces'))
  const metrics = new OTLPMetricExporter({ ...configured('v1/metrics'), temporalityPreference: AggregationTemporality.DELTA })

  const send = <Records>(exporter: Exporter<Records>, records: Records): Promise<Failure | null> =>
    new Promise((resolve) => exporter.export(records, ({ error }) => resolve(error === undefined ? null : failureOf(error))))

  return createOutbox({
    ...outbox,
    to: baseUrl,
    deliver: async (entries, persist) => {
      const records = await toRecords(entries)
      if (signals.includes('logs')) await persist(() => send(logs, records.logs))
      if (signals.includes('traces') && records.spans.length > 0) await persist(() => send(traces, records.spans))
      const measured = records.metrics
      if (signals.includes('metrics') && measured !== null) await persist(() => send(metrics, measured))
    },
  })
}
