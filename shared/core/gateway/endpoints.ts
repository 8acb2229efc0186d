/** What the gateway does for a request: answers a probe itself, passes it on, or passes it on metered. */
export type Endpoint = 'probe' | 'pass' | 'messages'

const ENDPOINTS: readonly { method: string; path: RegExp; endpoint: Endpoint }[] = [
  { method: 'HEAD', path: /^\/$/, endpoint: 'probe' },
  { method: 'GET', path: /^\/v1\/models(?:\/[A-Za-z0-9._:@-]{1,256})?$/, endpoint: 'pass' },
  { method: 'POST', path: /^\/v1\/messages\/count_tokens$/, endpoint: 'pass' },
  { method: 'POST', path: /^\/v1\/messages$/, endpoint: 'messages' },
]

/** null for everything not listed: an agent's telemetry, files, batches and feature flags do not pass. */
export const findEndpoint = (method: string | undefined, path: string): Endpoint | null => {
  const [bare = ''] = path.split('?', 1)
  return ENDPOINTS.find((known) => known.method === method && known.path.test(bare))?.endpoint ?? null
}
