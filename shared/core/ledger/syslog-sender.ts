import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6, connect, type Socket } from 'node:net'
import { promisify } from 'node:util'
import { HoldfastError } from '../../contract/errors.ts'
import { syslogMessage } from '../../domain/syslog.ts'
import { createOutbox, type Failure, type OutboxDeps } from './outbox.ts'

const TIMEOUT_MS = 30_000
/** RFC 5426 section 3.3. */
const UDP_PORT = 514
const TCP_PORT = 601

export interface SyslogSenderDeps extends Omit<OutboxDeps, 'deliver'> {
  /** This machine's name, as people know it. */
  readonly hostname: string
}

type Target =
  | { readonly kind: 'udp'; readonly host: string; readonly port: number }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }

/** `udp://host:port`, `tcp://host:port` or `unix:///path` of a stream socket. Throws HoldfastError `bad-params`. */
export const parseSyslogTarget = (text: string): Target => {
  const url = URL.parse(text)
  const host = url?.hostname.replace(/^\[|\]$/g, '') ?? ''
  if (url?.protocol === 'unix:' && url.host === '' && url.pathname.length > 1) return { kind: 'unix', path: decodeURIComponent(url.pathname) }
  if (url?.protocol === 'udp:' && host !== '') return { kind: 'udp', host, port: Number(url.port) || UDP_PORT }
  if (url?.protocol === 'tcp:' && host !== '') return { kind: 'tcp', host, port: Number(url.port) || TCP_PORT }
  throw new HoldfastError('bad-params', 'Say where the syslog collector is: --to udp://127.0.0.1:514, tcp://127.0.0.1:601, or unix:///path of a stream socket.')
}

const sendDatagrams = async (host: string, port: number, messages: readonly string[]): Promise<void> => {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
  const broken = once(socket, 'error').then(([error]) => Promise.reject(error as Error))
  broken.catch(() => undefined)
  try {
    const send = promisify<string, number, string, void>((message, at, to, done) => socket.send(message, at, to, (error) => done(error)))
    for (const message of messages) await Promise.race([send(message, port, host), broken])
  } finally {
    socket.close()
  }
}

/** A connection for each batch: once the other side has closed it too, it has all of the batch. */
const sendStream = async (socket: Socket, messages: readonly string[]): Promise<void> => {
  const { promise: closed, resolve, reject } = Promise.withResolvers<void>()
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })))
  socket.on('error', reject)
  socket.on('close', (hadError) => (hadError ? undefined : resolve()))
  socket.resume()
  // Octet counting, RFC 6587 section 3.4.1, as RFC 5425 has it too.
  socket.end(messages.map((message) => `${message.length} ${message}`).join(''))
  await closed
}

/**
 * Sends to a syslog collector what it has not got yet (see Outbox), as RFC 5424. Syslog acknowledges nothing: over UDP a
 * message can be lost unseen; over TCP and a unix socket a batch counts once the other side has closed its connection.
 * Throws HoldfastError `bad-params` for a target that is none.
 */
export const createSyslogSender = ({ hostname, ...outbox }: SyslogSenderDeps): (() => Promise<number>) => {
  const target = parseSyslogTarget(outbox.to)
  const name = hostname.replaceAll(/[^\x21-\x7e]/g, '').slice(0, 255) || '-'
  const send = async (messages: readonly string[]): Promise<Failure | null> => {
    try {
      if (target.kind === 'udp') await sendDatagrams(target.host, target.port, messages)
      else await sendStream(target.kind === 'unix' ? connect(target.path) : connect(target.port, target.host), messages)
      return null
    } catch (error) {
      return { problem: error instanceof Error && 'code' in error ? String(error.code) : String(error), retry: true }
    }
  }
  return createOutbox({
    ...outbox,
    deliver: (entries, persist) => {
      const messages = entries.map((entry) => syslogMessage(entry, name))
      return persist(() => send(messages))
    },
  })
}
