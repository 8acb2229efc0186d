import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { HoldfastError } from '../../contract/errors.ts'
import type { Signal } from '../../contract/schemas/ledger-settings.ts'
import type { Page, Progress } from './outbox.ts'

/** Entries of one request: some ms of the host's time, and little memory. */
export const SENT_AT_ONCE = 250
/** More than a batch of the longest entries takes; without a limit V8 lets garbage grow with what was sent. */
const MEMORY = { maxYoungGenerationSizeMb: 16, maxOldGenerationSizeMb: 192 }

/** Where a sender keeps how far it got: the same for the host and the command line. */
export const cursorFileOf = (folder: string, format: string, to: string): string => join(folder, `${format}-${createHash('sha256').update(to).digest('hex').slice(0, 16)}.json`)

/** What a sender does. */
export interface SenderOrder {
  readonly format: 'otlp' | 'syslog'
  readonly to: string
  readonly cursorFile: string
  /** See Outbox. */
  readonly tries: number
  readonly hostname: string
  /** With each request of `otlp`. */
  readonly headers?: Readonly<Record<string, string>>
  readonly signals?: readonly Signal[]
}

export type ToSender = { readonly type: 'page'; readonly page: Page } | { readonly type: 'unreadable'; readonly message: string } | { readonly type: 'new' }
export type FromSender =
  | { readonly type: 'read'; readonly after: number }
  | { readonly type: 'say'; readonly line: string }
  | { readonly type: 'progress'; readonly progress: Progress }
  | { readonly type: 'idle'; readonly sent: number }
  | { readonly type: 'failed'; readonly message: string }

export interface SenderDeps {
  /** shared/host/ledger-sender. */
  readonly program: string
  readonly order: SenderOrder
  /** OpenTelemetry's own variables; nothing else of them is read. */
  readonly env: Readonly<Record<string, string>>
  /** At most SENT_AT_ONCE of the entries after `after`. */
  readonly read: (after: number) => Promise<Page>
  readonly say: (line: string) => void
  readonly onProgress?: (progress: Progress) => void
  /** The receiver has all there is; `sent` of it since it last had. */
  readonly onIdle?: (sent: number) => void
}

export interface Sender {
  /** There are new entries. */
  saw(): void
  /** Resolves once it was closed. Rejects with HoldfastError `internal` when it gave up. */
  readonly ended: Promise<void>
  close(): Promise<void>
}

/** Sends the ledger to a receiver, and goes on with what comes: in a thread of its own, which holds nothing else up. */
export const startSender = ({ program, order, env, read, say, onProgress, onIdle }: SenderDeps): Sender => {
  const worker = new Worker(program, { workerData: order, env: { ...env }, stdin: false, resourceLimits: MEMORY })
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>()
  ended.catch(() => undefined)
  let isIdle = false
  let isNew = false
  const send = (message: ToSender): void => worker.postMessage(message, [])
  const wake = (): void => {
    if (!isIdle || !isNew) return
    isIdle = isNew = false
    send({ type: 'new' })
  }
  worker.on('message', (message: FromSender) => {
    if (message.type === 'say') say(message.line)
    else if (message.type === 'progress') onProgress?.(message.progress)
    else if (message.type === 'failed') {
      reject(new HoldfastError('internal', message.message))
      void worker.terminate()
    } else if (message.type === 'read') {
      read(message.after).then(
        (page) => send({ type: 'page', page }),
        (error: unknown) => send({ type: 'unreadable', message: error instanceof Error ? error.message : String(error) }),
      )
    } else {
      isIdle = true
      onIdle?.(message.sent)
      wake()
    }
  })
  worker.once('error', (error) => reject(new HoldfastError('internal', `What sends the audit log to ${order.to} has ended: ${error instanceof Error ? error.message : String(error)}`, { cause: error })))
  worker.once('exit', () => resolve())
  return {
    saw: () => {
      isNew = true
      wake()
    },
    ended,
    close: async () => {
      await worker.terminate()
    },
  }
}
