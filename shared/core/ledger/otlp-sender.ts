import { hash } from 'node:crypto'
import { createOtlpMapper } from '../../domain/otlp.ts'
import { VERSION } from '../version.ts'
import { createOutbox, type Failure, type OutboxDeps } from './outbox.ts'

const TIMEOUT_MS = 30_000
/** By the specification these mean: later. Everything else that is not 2xx means: never. */
const RETRYABLE = new Set([429, 502, 503, 504])

export interface OtlpSenderDeps extends Omit<OutboxDeps, 'to' | 'deliver'> {
  /** `http://127.0.0.1:4318`; the signals' paths are appended. */
  readonly baseUrl: string
  readonly headers: Readonly<Record<string, string>>
}

/** Sends to an OpenTelemetry collector what it has not got yet: see Outbox. */
export const createOtlpSender = ({ baseUrl, headers, ...outbox }: OtlpSenderDeps): (() => Promise<number>) => {
  const toRequests = createOtlpMapper({ sha256: (text) => hash('sha256', text), version: VERSION })

  const post = async (path: string, body: object): Promise<Failure | null> => {
    try {
      const response = await fetch(new URL(path.slice(1), baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`), {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
      await response.arrayBuffer()
      if (response.ok) return null
      const after = Number(response.headers.get('retry-after'))
      return { problem: `it answers ${response.status}`, retry: RETRYABLE.has(response.status), afterMs: Number.isFinite(after) ? after * 1_000 : 0 }
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error && 'code' in error.cause ? String(error.cause.code) : String(error)
      return { problem: cause, retry: true, afterMs: 0 }
    }
  }

  return createOutbox({
    ...outbox,
    to: baseUrl,
    deliver: async (entries, persist) => {
      for (const [path, body] of Object.entries(toRequests(entries))) if (body !== null) await persist(() => post(path, body as object))
    },
  })
}
