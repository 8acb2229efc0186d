import { StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type { SessionId } from '../../contract/ids.ts'
import type { HttpLaunch } from './server-launch.ts'
import type { UpstreamProcess } from './upstream-process.ts'

const NOTHING_RAN = { killed: 0, survivors: [], durationMs: 0 }

/** The system's own word for why nothing answered: ECONNREFUSED, ENOTFOUND, CERT_HAS_EXPIRED, "bad port"… */
const reasonOf = (error: unknown): string => {
  const { code, message } = ((error as Error).cause ?? error) as NodeJS.ErrnoException
  return code ?? message
}

/**
 * Speaks to a server over Streamable HTTP. A server that cannot be reached, or has forgotten its session, counts as
 * ended, so that it is taken up anew. Redirects to another origin are not followed: the headers hold secrets.
 */
export const attachHttpServer = (launch: HttpLaunch, who: { readonly agent: string; readonly sessionId: SessionId; readonly proof: () => Promise<string | null> }): UpstreamProcess => {
  const { promise: ended, resolve } = Promise.withResolvers<string>()
  const end = (why: string): void => {
    resolve(why)
    transport.close().catch(() => {})
  }
  const transport = new StreamableHTTPClientTransport(new URL(launch.url), {
    requestInit: { headers: { ...launch.headers, 'Holdfast-Agent': who.agent, 'Holdfast-Session': who.sessionId } },
    fetch: async (url, init) => {
      try {
        // Signed anew every few minutes, and a connection lasts longer.
        const token = await who.proof()
        const headers = new Headers(init?.headers)
        if (token !== null) headers.set('Holdfast-Token', token)
        const response = await fetch(url, { ...init, headers })
        if (response.status === 401) launch.refused()
        if (init?.method === 'POST' && response.status === 404) end('answered with status 404')
        if (init?.method === 'POST' && response.status === 401) end('answered with status 401: it takes no call without a sign-in (holdfast secret login), or not with the key it is given')
        return response
      } catch (error) {
        if (init?.signal?.aborted !== true) end(`cannot be reached at ${new URL(launch.url).origin} (${reasonOf(error)})`)
        throw error
      }
    },
  })
  return {
    transport,
    ended,
    said: () => '',
    stop: async () => {
      await transport.terminateSession().catch(() => {})
      end('was closed')
      return NOTHING_RAN
    },
  }
}
