import type { ServerResponse } from 'node:http'
import { HoldfastError } from '../../contract/errors.ts'

/** An answer of the gateway's own, in the form of the Messages API's errors. */
export interface Refusal {
  readonly status: number
  readonly type:
    'invalid_request_error' | 'billing_error' | 'not_found_error' | 'request_too_large' | 'rate_limit_error' | 'api_error'
  /** For a person; agents show it word for word. No secret. */
  readonly message: string
  /** Whether asking again soon can help: agents go by `x-should-retry`. */
  readonly retry: boolean
}

/** Thrown to answer the agent with a refusal, before anything else was answered. */
export class Refused extends Error {
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super(refusal.message)
    this.refusal = refusal
  }
}

/** What the agent is told of an error: a refusal as it is, a fault of ours by its message for people, or not at all. */
export const toRefusal = (error: unknown): Refusal => {
  if (error instanceof Refused) return error.refusal
  const message = error instanceof HoldfastError ? error.message : 'Holdfast failed on this request.'
  return { status: 503, type: 'api_error', message, retry: false }
}

/** Sends a refusal; where an answer has begun already, breaks it off instead, which no agent takes for its end. */
export const sendRefusal = (response: ServerResponse, refusal: Refusal): void => {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const body = JSON.stringify({ type: 'error', error: { type: refusal.type, message: refusal.message } })
  if (!response.req.complete) response.shouldKeepAlive = false
  response.writeHead(refusal.status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'x-should-retry': String(refusal.retry),
  })
  response.end(body)
}
