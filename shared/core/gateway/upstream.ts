import http from 'node:http'
import https from 'node:https'
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import { createHttp2, speaksHttp2Only } from './upstream-http2.ts'

export interface UpstreamRequest {
  readonly baseUrl: string
  readonly path: string
  readonly method: string
  readonly headers: OutgoingHttpHeaders
  readonly body: Buffer
  /** Aborting it closes the connection, before or during the answer. */
  readonly signal: AbortSignal
}

/** A provider's answer; as a stream, its body, which breaks with an error where the provider breaks off. */
export interface UpstreamAnswer extends Readable {
  readonly statusCode?: number | undefined
  readonly headers: IncomingHttpHeaders
  /** Whether all of it came. */
  readonly complete: boolean
}

/** Pooled connections to model providers. */
export interface Upstream {
  /** Resolves with the head of the answer. Rejects when there is none. */
  send(request: UpstreamRequest): Promise<UpstreamAnswer>
  close(): void
}

type Provider = Pick<URL, 'origin' | 'protocol' | 'hostname' | 'port' | 'pathname'>

const PROXY_VARIABLES = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy']
const LOOPBACK = '127.0.0.1,localhost,[::1],::1'

/** The proxies of the user's network, for all hosts but this machine and those that the user keeps out. */
const proxiesOf = (environment: Readonly<Record<string, string | undefined>>): Record<string, string> => {
  const direct = environment['no_proxy'] ?? environment['NO_PROXY'] ?? ''
  const given = PROXY_VARIABLES.flatMap((name) => (environment[name] ? [[name, environment[name]] as const] : []))
  return { ...Object.fromEntries(given), no_proxy: direct === '' ? LOOPBACK : `${direct},${LOOPBACK}` }
}

/**
 * Speaks HTTP/1.1, which every provider does, and HTTP/2 with one that refuses it. `environment` is the user's, for the
 * proxies of their network: HTTPS_PROXY, HTTP_PROXY and NO_PROXY.
 */
export const createUpstream = (environment: Readonly<Record<string, string | undefined>>): Upstream => {
  const proxyEnv = proxiesOf(environment)
  const agents = {
    'http:': new http.Agent({ keepAlive: true, proxyEnv }),
    // Said, so that a server that speaks HTTP/2 alone refuses before it is sent anything.
    'https:': new https.Agent({ keepAlive: true, proxyEnv, ALPNProtocols: ['http/1.1'] }),
  }
  const http2 = createHttp2()
  /** By its address as sessions name it: read once. */
  const providers = new Map<string, Provider>()

  const providerOf = (baseUrl: string): Provider => {
    const known = providers.get(baseUrl)
    if (known !== undefined) return known
    const { origin, protocol, hostname, port, pathname } = new URL(baseUrl)
    const provider = { origin, protocol, hostname: hostname.replace(/^\[|\]$/g, ''), port, pathname: pathname.replace(/\/$/, '') }
    providers.set(baseUrl, provider)
    return provider
  }

  const sendHttp1 = (provider: Provider, { path, method, headers, body, signal }: UpstreamRequest): Promise<UpstreamAnswer> =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted()
      const { protocol, hostname, port, pathname } = provider
      const options = { method, headers, hostname, port, path: pathname + path }
      const sent =
        protocol === 'https:'
          ? https.request({ ...options, agent: agents['https:'] }, resolve)
          : http.request({ ...options, agent: agents['http:'] }, resolve)
      sent.on('error', reject)
      signal.addEventListener('abort', () => sent.destroy(signal.reason as Error), { once: true })
      sent.end(body)
    })

  return {
    send: async (request) => {
      const provider = providerOf(request.baseUrl)
      if (http2.knows(provider.origin)) return http2.send(request)
      try {
        return await sendHttp1(provider, request)
      } catch (error) {
        if (!speaksHttp2Only(error)) throw error
        // Refused before anything was sent.
        return http2.send(request)
      }
    },
    close() {
      agents['http:'].destroy()
      agents['https:'].destroy()
      http2.close()
    },
  }
}

/** The error's code, such as ECONNREFUSED: all of it that can be shown without naming an address or a header. */
export const networkErrorCode = (error: unknown): string => {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : 'unknown error'
}
