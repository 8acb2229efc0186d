import http from 'node:http'
import https from 'node:https'
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'

export interface UpstreamRequest {
  readonly baseUrl: string
  readonly path: string
  readonly method: string
  readonly headers: OutgoingHttpHeaders
  readonly body: Buffer
  /** Aborting it closes the connection, before or during the answer. */
  readonly signal: AbortSignal
}

/** Pooled connections to model providers. */
export interface Upstream {
  /** Resolves with the head of the answer. Rejects when there is none. */
  send(request: UpstreamRequest): Promise<IncomingMessage>
  close(): void
}

export const createUpstream = (): Upstream => {
  const agents = {
    'http:': new http.Agent({ keepAlive: true }),
    'https:': new https.Agent({ keepAlive: true }),
  }
  return {
    send: ({ baseUrl, path, method, headers, body, signal }) =>
      new Promise((resolve, reject) => {
        const base = new URL(baseUrl)
        const isTls = base.protocol === 'https:'
        const options = {
          method,
          headers,
          signal,
          hostname: base.hostname.replace(/^\[|\]$/g, ''),
          port: base.port,
          path: base.pathname.replace(/\/$/, '') + path,
        }
        const sent = isTls
          ? https.request({ ...options, agent: agents['https:'] }, resolve)
          : http.request({ ...options, agent: agents['http:'] }, resolve)
        sent.on('error', reject)
        sent.end(body)
      }),
    close() {
      agents['http:'].destroy()
      agents['https:'].destroy()
    },
  }
}

/** The error's code, such as ECONNREFUSED: all of it that can be shown without naming an address or a header. */
export const networkErrorCode = (error: unknown): string => {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : 'unknown error'
}
