import type { Dialect } from './dialects/dialect.ts'
import { chat } from './dialects/chat.ts'
import { messages } from './dialects/messages.ts'
import { responses } from './dialects/responses.ts'

/** What the gateway does for a request: answers a probe itself, passes it on, or passes it on metered and judged. */
export interface Endpoint {
  readonly does: 'probe' | 'pass' | 'meter'
  readonly dialect: Dialect
}

const ENDPOINTS: readonly (Endpoint & { readonly method: string; readonly path: RegExp })[] = [
  { method: 'HEAD', path: /^\/$/, does: 'probe', dialect: messages },
  { method: 'GET', path: /^\/v1\/models(?:\/[A-Za-z0-9._:@-]{1,256})?$/, does: 'pass', dialect: messages },
  { method: 'POST', path: /^\/v1\/messages\/count_tokens$/, does: 'pass', dialect: messages },
  { method: 'POST', path: /^\/v1\/messages$/, does: 'meter', dialect: messages },
  { method: 'POST', path: /^\/v1\/chat\/completions$/, does: 'meter', dialect: chat },
  { method: 'POST', path: /^\/v1\/responses$/, does: 'meter', dialect: responses },
]

/** null for everything not listed: an agent's telemetry, files, batches and feature flags do not pass. */
export const findEndpoint = (method: string | undefined, path: string): Endpoint | null => {
  const [bare = ''] = path.split('?', 1)
  return ENDPOINTS.find((known) => known.method === method && known.path.test(bare)) ?? null
}
