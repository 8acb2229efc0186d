import { setTimeout as delay } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { createOtlpSender } from './otlp-sender.ts'
import type { OutboxDeps, Page } from './outbox.ts'
import type { FromSender, SenderOrder, ToSender } from './sender.ts'
import { createSyslogSender } from './syslog-sender.ts'

/** New entries wait this long for company. */
const GATHER_MS = 250

const port = parentPort
if (port === null) throw new Error('this runs as a thread of the host or the command line')
const { format, to, cursorFile, tries, hostname, headers = {}, signals } = workerData as SenderOrder
const tell = (message: FromSender): void => port.postMessage(message)

/** What waits for an answer; one question is open at a time. */
let answer: { resolve: (page: Page) => void; reject: (error: Error) => void } | null = null
let onNew: () => void = () => undefined
port.on('message', (message: ToSender) => {
  if (message.type === 'new') onNew()
  else if (message.type === 'page') answer?.resolve(message.page)
  else answer?.reject(new Error(message.message))
})

const outbox: Omit<OutboxDeps, 'to' | 'deliver'> = {
  cursorFile,
  read: (after) => {
    const { promise, ...settle } = Promise.withResolvers<Page>()
    answer = settle
    tell({ type: 'read', after })
    return promise
  },
  wait: (ms) => delay(ms),
  tries,
  say: (line) => tell({ type: 'say', line }),
  onProgress: (progress) => tell({ type: 'progress', progress }),
}
const send = format === 'syslog' ? createSyslogSender({ ...outbox, to, hostname }) : createOtlpSender({ ...outbox, baseUrl: to, headers, ...(signals === undefined ? {} : { signals }) })

try {
  for (;;) {
    const { promise: isNew, resolve } = Promise.withResolvers<void>()
    onNew = resolve
    tell({ type: 'idle', sent: await send() })
    await isNew
    await delay(GATHER_MS)
  }
} catch (error) {
  tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) })
}
