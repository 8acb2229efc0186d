import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { HoldfastError } from '../../contract/errors.ts'
import type { LedgerEntry } from '../../contract/schemas/ledger.ts'
import { createOtlpMapper } from '../../domain/otlp.ts'
import { VERSION } from '../version.ts'

const TIMEOUT_MS = 30_000
const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 60_000
/** By the specification these mean: later. Everything else that is not 2xx means: never. */
const RETRYABLE = new Set([429, 502, 503, 504])

const Cursor = z.object({ url: z.string(), sequence: z.number().int().nonnegative() })

export interface OtlpSenderDeps {
  /** `http://127.0.0.1:4318`; the signals' paths are appended. */
  readonly baseUrl: string
  readonly headers: Readonly<Record<string, string>>
  /** Where it is kept how far the collector has got: the ledger itself is the queue. */
  readonly cursorFile: string
  /** The entries after `after`, and where to go on. */
  readonly read: (after: number) => Promise<{ entries: readonly LedgerEntry[]; next: number | null }>
  readonly wait: (ms: number) => Promise<void>
  /** Gives up after so many tries of one batch; Infinity never does. */
  readonly tries: number
  /** Told when the collector cannot be reached, and when it can again. */
  readonly say: (line: string) => void
}

/**
 * Sends to an OpenTelemetry collector what it has not got yet, oldest first, and resolves with how many entries that
 * was. The place is kept on disk after each batch, so that a collector that is down, or an end of this process, loses
 * nothing; a batch that was cut off is sent again as it was. Throws HoldfastError `internal` when the collector cannot be reached or refuses.
 */
export const createOtlpSender = (deps: OtlpSenderDeps): (() => Promise<number>) => {
  const { baseUrl, cursorFile, say } = deps
  const toRequests = createOtlpMapper({ sha256: (text) => hash('sha256', text), version: VERSION })

  const readCursor = (): number => {
    try {
      const cursor = Cursor.parse(JSON.parse(readFileSync(cursorFile, 'utf8')))
      return cursor.url === baseUrl ? cursor.sequence : 0
    } catch {
      return 0
    }
  }
  const keepCursor = async (sequence: number): Promise<void> => {
    await writeFile(`${cursorFile}.new`, JSON.stringify({ url: baseUrl, sequence }), { mode: 0o600 })
    await rename(`${cursorFile}.new`, cursorFile)
  }

  const post = async (path: string, body: object): Promise<{ problem: string; retry: boolean; afterMs: number } | null> => {
    try {
      const response = await fetch(new URL(path.slice(1), baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`), {
        method: 'POST',
        headers: { ...deps.headers, 'content-type': 'application/json' },
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

  const send = async (path: string, body: object): Promise<void> => {
    for (let tried = 1; ; tried += 1) {
      const failure = await post(path, body)
      if (failure === null) {
        if (tried > 1) say('The collector takes entries again.')
        return
      }
      if (!failure.retry || tried >= deps.tries) {
        throw new HoldfastError('internal', `The collector at ${baseUrl} did not take entries (${failure.problem}). Nothing is lost: what it has not got is sent the next time.`)
      }
      if (tried === 1) say(`The collector at ${baseUrl} does not take entries (${failure.problem}); trying again.`)
      await deps.wait(Math.min(LONGEST_WAIT_MS, Math.max(failure.afterMs, FIRST_WAIT_MS * 2 ** (tried - 1))))
    }
  }

  return async () => {
    let sent = 0
    for (let after: number | null = readCursor(); after !== null; ) {
      const page: { entries: readonly LedgerEntry[]; next: number | null } = await deps.read(after)
      const last = page.entries.at(-1)
      if (last !== undefined) {
        for (const [path, body] of Object.entries(toRequests(page.entries))) if (body !== null) await send(path, body as object)
        await keepCursor(last.sequence)
        sent += page.entries.length
      }
      after = page.next
    }
    return sent
  }
}
