import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { HoldfastError } from '../../contract/errors.ts'
import type { LedgerExport, LedgerSettings } from '../../contract/schemas/ledger-settings.ts'
import type { Ledger, SecretStore } from '../ports.ts'
import { cursorFileOf, type Sender, type SenderOrder, SENT_AT_ONCE, startSender } from './sender.ts'

const SECRET_SUFFIX = '_SECRET'
const USED_BY = 'the audit log'
/** After a receiver refused for good, or its secret was not there: each further wait is twice as long. */
const FIRST_WAIT_MS = 30_000
const LONGEST_WAIT_MS = 3_600_000

export type Destination = Pick<SenderOrder, 'format' | 'to' | 'headers' | 'signals'>

export const destinationsOf = ({ otlp, syslog }: LedgerSettings): Destination[] => [
  ...(otlp === undefined ? [] : [{ format: 'otlp' as const, to: otlp.endpoint, headers: otlp.headers, signals: otlp.signals }]),
  ...(syslog === undefined ? [] : [{ format: 'syslog' as const, to: syslog.to }]),
]

export interface ReceiverDeps {
  readonly destination: Destination
  /** Where it is kept how far it got. */
  readonly folder: string
  readonly ledger: Pick<Ledger, 'read' | 'tail' | 'append'>
  readonly secrets: Pick<SecretStore, 'get'>
  /** shared/host/ledger-sender. */
  readonly program: string
  /** Tells the host's own log. */
  readonly log: (line: string) => void
}

export interface Receiver {
  /** There are new entries. */
  saw(): void
  state(): LedgerExport
  close(): Promise<void>
}

/** Sends the ledger to one receiver until it is closed, whatever comes between. */
export const startReceiver = ({ destination, folder, ledger, secrets, program, log }: ReceiverDeps): Receiver => {
  const { format, to } = destination
  const ending = new AbortController()
  let at: { readonly sequence: number; readonly problem: string | null } = { sequence: 0, problem: null }
  let sender: Sender | null = null
  let waitMs = FIRST_WAIT_MS

  const resolveHeaders = async (headers: Readonly<Record<string, string>>): Promise<Record<string, string>> => {
    const resolved: Record<string, string> = {}
    for (const [name, value] of Object.entries(headers)) {
      if (!name.endsWith(SECRET_SUFFIX)) resolved[name] = value
      else {
        const header = name.slice(0, -SECRET_SUFFIX.length)
        const secret = await secrets.get(value, USED_BY)
        if (secret === null) throw new HoldfastError('secret-unavailable', `The keychain has no item with the name that ${name} gives for ${to}. Store it with "holdfast secret set".`)
        ledger.append('secret/resolved', null, { secret: value, server: USED_BY, variable: header })
        // A keychain holds the token alone; the scheme is the header's.
        resolved[header] = header.toLowerCase() === 'authorization' && !secret.includes(' ') ? `Bearer ${secret}` : secret
      }
    }
    return resolved
  }

  const sendOn = async (): Promise<void> => {
    const headers = await resolveHeaders(destination.headers ?? {})
    if (ending.signal.aborted) return
    sender = startSender({
      program,
      order: { ...destination, headers, cursorFile: cursorFileOf(folder, format, to), tries: Infinity, hostname: hostname() },
      env: {},
      read: async (after) => ledger.read({ after, limit: SENT_AT_ONCE }),
      say: log,
      onProgress: (progress) => {
        if (progress.sequence > at.sequence) waitMs = FIRST_WAIT_MS
        at = progress
      },
    })
    await sender.ended
  }
  const goOn = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      try {
        await sendOn()
      } catch (error) {
        const problem = error instanceof Error ? error.message : String(error)
        at = { ...at, problem }
        log(problem)
      }
      await delay(waitMs, undefined, { signal: ending.signal, ref: false }).catch(() => undefined)
      waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2)
    }
  }
  const ended = goOn()
  return {
    saw: () => sender?.saw(),
    state: () => ({ format, to, sent: at.sequence, waiting: Math.max(0, (ledger.tail(1).entries.at(-1)?.sequence ?? 0) - at.sequence), problem: at.problem }),
    close: async () => {
      ending.abort()
      await sender?.close()
      await ended
    },
  }
}
