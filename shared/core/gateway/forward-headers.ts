import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'

/** Of one connection, never passed on (RFC 9110, section 7.6.1). */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

/** What would name this machine's inside to the provider, carry a credential, or no longer holds for what we send. */
const NOT_UPSTREAM = new Set([
  ...HOP_BY_HOP,
  'host',
  'cookie',
  'authorization',
  'x-api-key',
  'accept-encoding',
  'content-length',
  'expect',
  'forwarded',
])
const NOT_DOWNSTREAM = new Set([...HOP_BY_HOP, 'set-cookie', 'alt-svc'])

const without = (headers: IncomingHttpHeaders, dropped: ReadonlySet<string>): OutgoingHttpHeaders => {
  const named = (headers.connection ?? '').toLowerCase().split(',').map((name) => name.trim())
  const passed: OutgoingHttpHeaders = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || dropped.has(name) || named.includes(name) || name.startsWith('x-forwarded-') || name.startsWith('x-holdfast-')) continue
    passed[name] = value
  }
  return passed
}

/** An OAuth token of a subscription, as `claude setup-token` makes them; anything else is an API key. */
export const isSubscriptionKey = (key: string | null): boolean => key === null || key.startsWith('sk-ant-oat')

/** The credential of a request: `key`, as a bearer or as Anthropic wants it; without a key the agent's bearer, unread. */
export const credentialHeaders = (headers: IncomingHttpHeaders, key: string | null, bearer: boolean): OutgoingHttpHeaders => {
  if (key !== null) return bearer || isSubscriptionKey(key) ? { authorization: `Bearer ${key}` } : { 'x-api-key': key }
  return headers.authorization === undefined ? {} : { authorization: headers.authorization }
}

/**
 * Headers for the provider: the agent's own, with its credential replaced. An answer is asked for uncompressed, so that it can be metered as it is passed on.
 */
export const upstreamHeaders = (
  headers: IncomingHttpHeaders,
  credential: OutgoingHttpHeaders,
  bodyBytes: number,
): OutgoingHttpHeaders => ({
  ...without(headers, NOT_UPSTREAM),
  ...credential,
  'accept-encoding': 'identity',
  ...(bodyBytes === 0 ? {} : { 'content-length': bodyBytes }),
})

/** Headers for the agent: the provider's, without what holds for its connection to us alone. */
export const downstreamHeaders = (headers: IncomingHttpHeaders): OutgoingHttpHeaders =>
  without(headers, NOT_DOWNSTREAM)
