import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2'
import { pipeline, Transform } from 'node:stream'
import type { UpstreamAnswer, UpstreamRequest } from './upstream.ts'

/** Whether a server has refused to speak HTTP/1.1 (no_application_protocol of TLS ALPN, RFC 7301): OpenSSL says it in words alone. */
export const speaksHttp2Only = (error: unknown): boolean => error instanceof Error && /alert no application protocol/i.test(error.message)

/** The answer on a stream. A stream that was reset ends in order, too: so the end waits for its close, which says whether it broke off. */
const wholeAnswer = (stream: ClientHttp2Stream): Transform => {
  const answer = new Transform({
    transform: (chunk: Buffer, _, done) => done(null, chunk),
    flush: (done) => {
      const end = (): void => done(stream.rstCode === constants.NGHTTP2_NO_ERROR ? null : new Error('the answer broke off'))
      if (stream.closed) end()
      else stream.once('close', end)
    },
  })
  pipeline(stream, answer, () => undefined)
  return answer
}

/** Connections to providers that speak HTTP/2 alone: one each, for all requests. Past any proxy. */
export const createHttp2 = () => {
  const known = new Map<string, ClientHttp2Session | null>()

  const sessionOf = (origin: string): ClientHttp2Session => {
    const open = known.get(origin)
    if (open != null && !open.closed && !open.destroyed) return open
    const session = connect(origin)
    const forget = (): void => {
      if (known.get(origin) === session) known.set(origin, null)
    }
    // What fails is told by the requests on it.
    session.on('error', forget).on('goaway', forget).on('close', forget)
    known.set(origin, session)
    return session
  }

  return {
    knows: (origin: string): boolean => known.has(origin),

    send: ({ baseUrl, path, method, headers, body, signal }: UpstreamRequest): Promise<UpstreamAnswer> =>
      new Promise((resolve, reject) => {
        const { origin, pathname } = new URL(baseUrl)
        const stream = sessionOf(origin).request({ ...headers, ':method': method, ':path': pathname.replace(/\/$/, '') + path }, { signal })
        stream.on('error', reject)
        // Reset without a fault (CANCEL, NO_ERROR) before it answered, a stream closes and emits no error.
        stream.once('close', () => reject(new Error('the provider gave the request up before it answered')))
        stream.on('response', ({ ':status': statusCode, ...answered }) => {
          const whole = wholeAnswer(stream)
          const answer = Object.assign(whole, { statusCode, headers: answered })
          Object.defineProperty(answer, 'complete', { get: () => whole.writableFinished })
          resolve(answer as typeof answer & { readonly complete: boolean })
        })
        stream.end(body)
      }),

    close: (): void => {
      for (const session of known.values()) session?.destroy()
      known.clear()
    },
  }
}
