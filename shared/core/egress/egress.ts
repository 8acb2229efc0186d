import { lookup as systemLookup } from 'node:dns/promises'
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, isIP, type Socket } from 'node:net'
import type { SessionId } from '../../contract/ids.ts'
import type { PolicyDecision } from '../../contract/schemas/tool-call.ts'
import { matchesHost, NETWORK_ANSWER_MS, type NetworkTarget } from '../../domain/network-host.ts'
import type { Clock, Ledger, ToolCallGate } from '../ports.ts'
import { isInward } from './addresses.ts'
import { normalizeHost, parseAuthority } from './target.ts'

/** The name by which rules know a connection: `Network(example.com)`. */
const NETWORK_TOOL = 'Network'
const CONNECT_TIMEOUT_MS = 30_000
/** Hosts a session's answers are kept for; a session that meets more is asked again about the oldest. */
const MAX_ANSWERS = 1_000

/** Headers that are for this hop alone (RFC 9110 §7.6.1), and those that a client writes for its proxy. */
const HOP_HEADERS = ['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'upgrade']

/** What policy may know of a connection. */
export interface NetworkInput extends NetworkTarget {
  /** Why the host needs no question, where it needs none. */
  readonly listed?: string
  /** The MCP server that wants it; the agent itself, without. */
  readonly server?: string
}

export interface HostReason {
  readonly host: string
  readonly reason: string
}

export interface EgressSession {
  readonly sessionId: SessionId
  /** Hosts, as rules name them, that need no question, and why. */
  readonly listed: readonly HostReason[]
  /** Hosts it never reaches, whatever rules say, and why. */
  readonly refused: readonly HostReason[]
  /** Hosts that nobody is asked about, and why: refused unless they are listed or a rule allows them. */
  readonly unasked?: readonly HostReason[]
  /** The MCP server that this is the way out of; the agent's own, without. */
  readonly server?: string
  /** Whether a host that is not listed is a question; else it is refused. */
  readonly asks?: boolean
  /** Aborted when the session is over: its connections end. */
  readonly signal: AbortSignal
}

export interface EgressDeps {
  readonly clock: Clock
  readonly gate: ToolCallGate
  readonly ledger: Ledger
  /** What policy says of a connection, without asking anybody; null when the session is not running. */
  readonly judge: (sessionId: SessionId, tool: string, input: NetworkInput) => PolicyDecision | null
  readonly lookup?: (host: string) => Promise<readonly { address: string; family: number }[]>
}

/** The way out of one session's closed network: an HTTP proxy (RFC 9110 §9.3.6 and absolute-form requests). */
export interface EgressProxy {
  connect(authority: string, inside: Socket, head: Buffer): Promise<void>
  forward(request: IncomingMessage, response: ServerResponse): Promise<void>
}

export interface Egress {
  openSession(session: EgressSession): EgressProxy
}

/** `until`: from then on the host is asked about again. */
type Answer = { readonly allowed: true; readonly until: number } | { readonly allowed: false; readonly reason: string; readonly lasting: boolean }

class Refusal extends Error {
  override readonly name = 'Refusal'
}

const sentence = (target: NetworkTarget, reason: string): string => `Holdfast: no connection to ${target.host}:${target.port}. ${reason}\n`

/**
 * Lets a session out to the hosts it may reach. A name is looked up only once policy has allowed it, so that no name
 * carries data out; the connection goes to the very addresses that were looked at, and a name never leads to this
 * machine or its network, unless it is `localhost` or an address that a person has seen as such.
 */
export const createEgress = ({ clock, gate, ledger, judge, lookup = (host) => systemLookup(host, { all: true }) }: EgressDeps): Egress => {
  const openSession = ({ sessionId, listed, refused, unasked = [], server, asks = true, signal }: EgressSession): EgressProxy => {
    const answers = new Map<string, Promise<Answer>>()

    const judgeHost = async (target: NetworkTarget, gone: AbortSignal): Promise<Answer> => {
      const reasonIn = (list: readonly HostReason[]): string | undefined => list.find(({ host }) => matchesHost(host, target))?.reason
      const never = reasonIn(refused)
      if (never !== undefined) return { allowed: false, reason: never, lasting: true }
      const why = reasonIn(listed)
      if (why === undefined && !asks) return { allowed: false, reason: 'This session reaches no other host.', lasting: true }
      const input: NetworkInput = { ...target, ...(why === undefined ? {} : { listed: why }), ...(server === undefined ? {} : { server }) }
      if (judge(sessionId, NETWORK_TOOL, input)?.effect === 'allow') return { allowed: true, until: Number.POSITIVE_INFINITY }
      const quietly = why === undefined ? reasonIn(unasked) : undefined
      if (quietly !== undefined) return { allowed: false, reason: quietly, lasting: true }
      const verdict = await gate.request({ sessionId, tool: NETWORK_TOOL, input, toolUseId: null, signal: AbortSignal.any([gone, signal]) })
      if (verdict.allowed) gate.finish(verdict.toolCallId, { ok: true, summary: 'may be reached for a minute' })
      return verdict.allowed ? { allowed: true, until: clock.now() + NETWORK_ANSWER_MS } : { allowed: false, reason: verdict.reason, lasting: !gone.aborted }
    }

    /** The answer is good only once it stands in the ledger. */
    const decide = async (target: NetworkTarget, gone: AbortSignal): Promise<Answer> => {
      const answer = await judgeHost(target, gone)
      const kind = answer.allowed ? 'network/reached' : 'network/refused'
      ledger.append(kind, sessionId, { ...target, ...(answer.allowed ? {} : { reason: answer.reason }) })
      return answer
    }

    /**
     * One question for each host, however many connections wait for the answer, and for those of the minute after it. A
     * grant for the session then answers without a person.
     */
    const answerFor = async (target: NetworkTarget, gone: AbortSignal): Promise<Answer> => {
      const key = `${target.host}:${target.port}`
      for (;;) {
        const known = answers.get(key)
        if (known === undefined) {
          const mine = decide(target, gone)
          answers.set(key, mine)
          if (answers.size > MAX_ANSWERS) answers.delete(answers.keys().next().value ?? key)
          const forget = (): void => void answers.delete(key)
          mine.then((answer) => (answer.allowed || answer.lasting ? undefined : forget()), forget)
          return mine
        }
        const answer = await known
        if (answer.allowed && clock.now() >= answer.until) {
          if (answers.get(key) === known) answers.delete(key)
          continue
        }
        // The connection that asked has gone, and took its question along: another one asks.
        if (answer.allowed || answer.lasting || gone.aborted) return answer
      }
    }

    const addressesOf = async (target: NetworkTarget): Promise<readonly { address: string; family: number }[]> => {
      const family = isIP(target.host)
      if (family !== 0) return [{ address: target.host, family }]
      const found = await lookup(target.host).catch(() => [])
      if (found.length === 0) throw new Refusal('Its name is not known.')
      if (target.host !== 'localhost' && found.some(({ address }) => isInward(address))) {
        throw new Refusal('Its name leads to this machine or the network it is in. If that is meant, use the address itself.')
      }
      return found
    }

    const open = async (target: NetworkTarget): Promise<Socket> => {
      const addresses = await addressesOf(target)
      const socket = connect({
        host: target.host,
        port: target.port,
        autoSelectFamily: true,
        noDelay: true,
        allowHalfOpen: true,
        signal,
        lookup: (_host, _options, callback) => callback(null, [...addresses]),
      })
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => socket.destroy(new Error('it did not answer')), CONNECT_TIMEOUT_MS)
        socket.once('connect', () => resolve(socket))
        socket.once('error', (error) => reject(new Refusal(`It cannot be reached: ${error.message}.`)))
        socket.once('close', () => clearTimeout(timer))
        socket.once('connect', () => clearTimeout(timer))
      })
    }

    /** A connected socket, or why there is none. */
    const reach = async (target: NetworkTarget, inside: Socket): Promise<Socket> => {
      const gone = new AbortController()
      const leave = (): void => gone.abort()
      inside.once('close', leave)
      try {
        const answer = await answerFor(target, gone.signal)
        if (!answer.allowed) throw new Refusal(answer.reason)
        if (inside.destroyed) throw new Refusal('The connection was given up.')
        return await open(target)
      } finally {
        inside.off('close', leave)
      }
    }

    const reasonOf = (error: unknown): string => (error instanceof Refusal ? error.message : 'It could not be judged.')

    const connectOut = async (authority: string, inside: Socket, head: Buffer): Promise<void> => {
      inside.on('error', () => inside.destroy())
      const target = parseAuthority(authority)
      if (target === null) {
        inside.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
        return
      }
      try {
        const outside = await reach(target, inside)
        const end = (): void => {
          outside.destroy()
          inside.destroy()
        }
        outside.on('error', end)
        outside.once('close', () => inside.destroy())
        inside.once('close', () => outside.destroy())
        inside.write('HTTP/1.1 200 Connection Established\r\n\r\n')
        outside.write(head)
        inside.pipe(outside).pipe(inside)
      } catch (error) {
        const body = sentence(target, reasonOf(error))
        inside.end(`HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`)
      }
    }

    const forward = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const url = URL.parse(request.url ?? '')
      const host = url?.protocol === 'http:' ? normalizeHost(url.hostname) : null
      if (url === null || host === null || url.username !== '' || url.password !== '') {
        response.writeHead(400, { 'content-type': 'text/plain' }).end('Holdfast: this proxy takes http:// addresses and CONNECT.\n')
        return
      }
      const target = { host, port: url.port === '' ? 80 : Number(url.port) }
      try {
        const outside = await reach(target, request.socket)
        const dropped = new Set([...HOP_HEADERS, ...(request.headers.connection ?? '').toLowerCase().split(/\s*,\s*/)])
        const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !dropped.has(name)))
        const onward = httpRequest({
          method: request.method,
          path: `${url.pathname}${url.search}`,
          headers: { ...headers, host: url.host, connection: 'close' },
          createConnection: () => outside,
        })
        onward.once('response', (answer) => {
          answer.on('error', () => response.destroy())
          const status = answer.statusCode ?? 502
          if (status < 200 || status > 599) {
            response.writeHead(502).end()
            outside.destroy()
            return
          }
          const back = Object.entries(answer.headers).filter(([name]) => !HOP_HEADERS.includes(name))
          response.writeHead(status, Object.fromEntries(back))
          answer.pipe(response)
        })
        onward.on('error', () => (response.headersSent ? response.destroy() : void response.writeHead(502).end()))
        response.once('close', () => outside.destroy())
        request.pipe(onward)
      } catch (error) {
        response.writeHead(403, { 'content-type': 'text/plain' }).end(sentence(target, reasonOf(error)))
      }
    }

    return { connect: connectOut, forward }
  }
  return { openSession }
}
