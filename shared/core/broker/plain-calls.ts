import { randomUUID } from 'node:crypto'
import { SdkError, SdkErrorCode } from '@modelcontextprotocol/client'
import type { Client, JSONRPCMessage, RequestMethod, RequestOptions, Transport } from '@modelcontextprotocol/client'
import { ProtocolErrorCode } from '@modelcontextprotocol/server'
import type { CallToolResult, RequestId } from '@modelcontextprotocol/server'
import { isPlainCall, isPlainResult } from './plain-messages.ts'
import type { PlainCall } from './plain-messages.ts'
import type { AgentRequest } from './rounds.ts'
import type { Pipeline } from './tool-call-pipeline.ts'

/**
 * Calls of tools in the older protocol, taken out before the SDK looks at them: its schemas read each message several
 * times. Only what is plain goes this way; whatever is not, a request, a result or an error, the SDK gets as it would have.
 */

/** The agent's end. */
export interface PlainAnswers {
  /** What the SDK speaks through. */
  readonly transport: Transport
  /** To be called when the agent has opened the connection in the older protocol: until then all is the SDK's. */
  begin(way: Pick<AgentRequest, 'origin' | 'notify'>): void
  /** What a call that was made here came to, for the SDK to answer with; undefined for the SDK's own. */
  outcomeOf(id: RequestId): Promise<CallToolResult> | undefined
}

/** Answers by `callTool`. */
export const createPlainAnswers = (wire: Transport, callTool: Pipeline['callTool']): PlainAnswers => {
  const open = new Map<RequestId, AbortController>()
  /** By ids that no agent can know, calls that the SDK is to answer. What it has not answered when all ends stays: a call must not be made again. */
  const known = new Map<RequestId, { readonly id: RequestId; readonly outcome: Promise<CallToolResult> }>()
  let way: Parameters<PlainAnswers['begin']>[0] | null = null

  const answer = async (call: PlainCall): Promise<void> => {
    const gone = new AbortController()
    open.set(call.id, gone)
    const outcome = callTool(call.params, { capabilities: null, signal: gone.signal, ...(way as NonNullable<typeof way>) })
    const result = await outcome.catch(() => null)
    open.delete(call.id)
    if (gone.signal.aborted) return
    if (isPlainResult(result)) {
      return wire.send({ jsonrpc: '2.0', id: call.id, result }).catch((error: unknown) => {
        if (!(error instanceof RangeError)) return
        const message = 'The result cannot be passed on: it is nested too deep.'
        wire.send({ jsonrpc: '2.0', id: call.id, error: { code: ProtocolErrorCode.InternalError, message } }).catch(() => {})
      })
    }
    const id = randomUUID()
    known.set(id, { id: call.id, outcome })
    transport.onmessage?.({ ...call, id })
  }

  const transport: Transport = {
    start: () => wire.start(),
    send: (message, options) => {
      const asked = 'id' in message && message.id !== undefined && !('method' in message) ? known.get(message.id) : undefined
      if (asked === undefined) return wire.send(message, options)
      known.delete((message as PlainCall).id)
      return wire.send({ ...message, id: asked.id } as JSONRPCMessage, options)
    },
    close: () => wire.close(),
  }
  wire.onmessage = (message) => {
    if (way !== null && isPlainCall(message) && !open.has(message.id)) return void answer(message)
    if ('method' in message && message.method === 'notifications/cancelled' && !('id' in message)) {
      const { requestId, reason } = (message.params ?? {}) as { requestId?: RequestId; reason?: unknown }
      if (requestId !== undefined) open.get(requestId)?.abort(reason)
    }
    transport.onmessage?.(message)
  }
  wire.onerror = (error) => transport.onerror?.(error)
  wire.onclose = () => {
    for (const gone of open.values()) gone.abort(new SdkError(SdkErrorCode.ConnectionClosed, 'Connection closed'))
    transport.onclose?.()
  }
  return { transport, begin: (given) => void (way = given), outcomeOf: (id) => known.get(id)?.outcome }
}

type Asked = { readonly method: RequestMethod; readonly params: Record<string, unknown> }

/** The server's end. */
export interface PlainRequests {
  /** What the SDK's client speaks through. */
  readonly transport: Transport
  /** As `client.request` does. Rejects with what that rejects with. */
  callTool(client: Client, asked: Asked, options: RequestOptions & { readonly signal: AbortSignal }): Promise<unknown>
}

/** Far from the SDK's own, which count from 0, and with room for all that 32 bits can count. */
const FIRST_ID = 1_000_000_000

/** What the SDK knows stdio by. */
export type PipeTransport = Transport & { readonly pid: number; readonly stderr: null }

export const createPlainRequests = (wire: PipeTransport): PlainRequests => {
  const waiting = new Map<number, PromiseWithResolvers<JSONRPCMessage>>()
  /** By the parameters of a request that was answered here: what the SDK gets for it, instead of its being sent again. */
  const answers = new WeakMap<object, JSONRPCMessage>()
  let lastId = FIRST_ID

  const transport = {
    pid: wire.pid,
    stderr: wire.stderr,
    start: () => wire.start(),
    send: async (message, options) => {
      const answer = 'params' in message && message.params !== undefined ? answers.get(message.params) : undefined
      if (answer === undefined) return wire.send(message, options)
      queueMicrotask(() => transport.onmessage?.({ ...answer, id: (message as PlainCall).id } as JSONRPCMessage))
    },
    close: () => wire.close(),
  } as Transport
  wire.onmessage = (message) => {
    const waits = 'method' in message ? undefined : waiting.get(Number(message.id))
    if (waits === undefined) transport.onmessage?.(message)
    else waits.resolve(message)
  }
  wire.onerror = (error) => transport.onerror?.(error)
  wire.onclose = () => {
    for (const waits of waiting.values()) waits.reject(new SdkError(SdkErrorCode.ConnectionClosed, 'Connection closed'))
    transport.onclose?.()
  }

  return {
    transport,
    callTool: async (client, asked, options) => {
      const { signal } = options
      const withdrawn = (): SdkError => (signal.reason instanceof SdkError ? signal.reason : new SdkError(SdkErrorCode.RequestTimeout, String(signal.reason)))
      if (signal.aborted) throw withdrawn()
      const id = (lastId += 1)
      const waits = Promise.withResolvers<JSONRPCMessage>()
      const withdraw = (): void => {
        waits.reject(withdrawn())
        wire.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id, reason: String(signal.reason) } }).catch(() => {})
      }
      waiting.set(id, waits)
      signal.addEventListener('abort', withdraw, { once: true })
      try {
        wire.send({ jsonrpc: '2.0', id, ...asked }).catch(waits.reject)
        const answer = await waits.promise
        if ('result' in answer && isPlainResult(answer.result)) return answer.result
        answers.set(asked.params, answer)
        return await client.request(asked, { ...options, allowInputRequired: true })
      } finally {
        waiting.delete(id)
        signal.removeEventListener('abort', withdraw)
      }
    },
  }
}
