import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'
import type { Endpoint } from './endpoints.ts'

/** A cloud that serves models under requests of its own, each proven in its own way. */
export interface CloudUpstream {
  /** Where it is, when the profile does not say. */
  readonly baseUrl: string
  /** null for everything that is not a request to a model of Anthropic's. */
  findEndpoint(method: string | undefined, path: string): Endpoint | null
  /**
   * Headers for the cloud, the agent's own with what proves the request. `key` is what the keychain holds, `now` in Unix
   * milliseconds. Throws HoldfastError `secret-unavailable`, saying what to keep, where that is no credential or has ended.
   */
  headersFor(headers: IncomingHttpHeaders, request: { readonly key: string | null; readonly baseUrl: string; readonly path: string; readonly body: Buffer; readonly now: number }): OutgoingHttpHeaders
}
