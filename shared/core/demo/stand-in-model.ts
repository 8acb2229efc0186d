import { randomBytes } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text as readText } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { NO_TOKENS, type Tokens } from '../../contract/schemas/usage.ts'
import { addTokens } from '../../domain/price.ts'
import { type PreparedMessage, type ScriptedBlock, streamEvents, wholeMessage } from './stand-in-events.ts'

const Block = z.looseObject({ type: z.string() })
const Content = z.union([z.string(), z.array(Block)])

/** A Messages API request, as far as a script looks at it. */
export const StandInRequest = z.looseObject({
  model: z.string(),
  max_tokens: z.number().optional(),
  stream: z.boolean().optional(),
  system: Content.optional(),
  tools: z.array(z.looseObject({ name: z.string().optional() })).optional(),
  messages: z.array(z.looseObject({ role: z.string(), content: Content })),
})
export type StandInRequest = z.infer<typeof StandInRequest>

export interface ScriptedAnswer {
  readonly content: readonly ScriptedBlock[]
  /** Else counted from the request and the answer, with caching as the request asks for it. */
  readonly usage?: Tokens
  /** Else `tool_use` or `end_turn`, by the content. */
  readonly stopReason?: string
  /** Before the answer begins. */
  readonly delayMs?: number
}

/** Answered as the provider's error. */
export interface ScriptedError {
  readonly error: { readonly status: number; readonly type: string; readonly message: string }
}

/** Decides on the conversation so far. */
export type Script = (
  request: StandInRequest,
) => ScriptedAnswer | ScriptedError | Promise<ScriptedAnswer | ScriptedError>

export interface RecordedRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** Parsed JSON, null when there was none. */
  readonly body: unknown
  readonly at: number
}

/** A model that is a script: speaks the Messages API on 127.0.0.1, needs no network and costs nothing. */
export interface StandInModel {
  readonly baseUrl: string
  readonly requests: readonly RecordedRequest[]
  /** Its own count of what it answered to the end, by model. */
  usage(): Readonly<Record<string, { readonly requests: number; readonly tokens: Tokens }>>
  close(): Promise<void>
}

const MODELS = ['claude-opus-5-5', 'claude-sonnet-5-5', 'claude-haiku-4-5']
const CHARACTERS_PER_TOKEN = 4

const countTokens = (value: unknown): number =>
  Math.ceil(JSON.stringify(value ?? '').length / CHARACTERS_PER_TOKEN)

const promptTokens = ({ system, tools, messages }: StandInRequest): number =>
  countTokens([system, tools, messages])

/** Counts a prompt with a cache that keeps, per model, the longest prompt that was ever written to it. */
const createPromptCache = () => {
  const longest = new Map<string, number>()
  return (request: StandInRequest, output: number): Tokens => {
    const total = promptTokens(request)
    const asked = JSON.stringify([request.system, request.tools, request.messages])
    if (!asked.includes('"cache_control"')) return { ...NO_TOKENS, input: total, output }
    const input = Math.min(4, total)
    const cacheRead = Math.min(total - input, longest.get(request.model) ?? 0)
    longest.set(request.model, Math.max(total - input, longest.get(request.model) ?? 0))
    const written = total - input - cacheRead
    const isLong = asked.includes('"ttl":"1h"')
    return {
      input,
      output,
      cacheRead,
      cacheWrite5m: isLong ? 0 : written,
      cacheWrite1h: isLong ? written : 0,
    }
  }
}

const sendJson = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, {
    'content-type': 'application/json',
    'request-id': `req_${randomBytes(6).toString('hex')}`,
  })
  response.end(JSON.stringify(body))
}

const sendError = (response: ServerResponse, status: number, type: string, message: string): void =>
  sendJson(response, status, { type: 'error', error: { type, message } })

/**
 * Starts a stand-in model; port 0 takes a free one. With `expectKey`, a request without that key, as `x-api-key` or
 * bearer, gets 401.
 */
export const startStandInModel = async (params: {
  script: Script
  port?: number
  expectKey?: string
}): Promise<StandInModel> => {
  const requests: RecordedRequest[] = []
  const used: Record<string, { requests: number; tokens: Tokens }> = {}
  const countPrompt = createPromptCache()
  const run = randomBytes(4).toString('hex')
  let serial = 0

  const prepare = (request: StandInRequest, answer: ScriptedAnswer): PreparedMessage => {
    serial += 1
    const id = `msg_${run}_${serial}`
    const blocks = answer.content.map((block, index) => ({ ...block, id: `toolu_${run}_${serial}_${index}` }))
    const tokens = answer.usage ?? countPrompt(request, countTokens(answer.content))
    const stopReason =
      answer.stopReason ?? (blocks.some(({ type }) => type === 'tool_use') ? 'tool_use' : 'end_turn')
    return { id, model: request.model, blocks, tokens, stopReason }
  }

  const answerMessages = async (body: unknown, response: ServerResponse): Promise<void> => {
    const request = StandInRequest.safeParse(body)
    if (!request.success) {
      sendError(response, 400, 'invalid_request_error', z.prettifyError(request.error))
      return
    }
    const answer = await params.script(request.data)
    if ('error' in answer) {
      sendError(response, answer.error.status, answer.error.type, answer.error.message)
      return
    }
    if (answer.delayMs !== undefined) await sleep(answer.delayMs)
    const message = prepare(request.data, answer)
    if (request.data.stream === true) {
      response.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-cache',
      })
      for (const event of streamEvents(message))
        response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
      response.end()
    } else sendJson(response, 200, wholeMessage(message))
    const known = used[message.model] ?? { requests: 0, tokens: NO_TOKENS }
    used[message.model] = { requests: known.requests + 1, tokens: addTokens(known.tokens, message.tokens) }
  }

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const raw = await readText(request)
    const body: unknown = raw === '' ? null : JSON.parse(raw)
    const path = request.url ?? '/'
    requests.push({ method: request.method ?? '', path, headers: request.headers, body, at: Date.now() })
    const { 'x-api-key': apiKey, authorization } = request.headers
    const key = params.expectKey
    const route = `${request.method} ${path.split('?', 1)[0]}`
    if (key !== undefined && apiKey !== key && authorization !== `Bearer ${key}`) {
      sendError(response, 401, 'authentication_error', 'invalid x-api-key')
    } else if (route === 'POST /v1/messages') await answerMessages(body, response)
    else if (route === 'POST /v1/messages/count_tokens') {
      sendJson(response, 200, { input_tokens: promptTokens(StandInRequest.parse(body)) })
    } else if (route === 'GET /v1/models') {
      const data = MODELS.map((id) => ({
        type: 'model',
        id,
        display_name: id,
        created_at: '2026-01-01T00:00:00Z',
      }))
      sendJson(response, 200, { data, has_more: false, first_id: MODELS[0], last_id: MODELS.at(-1) })
    } else if (route === 'HEAD /') response.end()
    else sendError(response, 404, 'not_found_error', 'Not found')
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy()
      else
        sendError(response, 500, 'api_error', error instanceof Error ? error.message : 'The script failed.')
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(params.port ?? 0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    requests,
    usage: () => used,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/**
 * A script of one answer per turn: a conversation with as many answers so far gets the next, and a short text after
 * the last. Requests without tools (an agent's own title or summary) get `aside` and do not count.
 */
export const scriptedTurns =
  (turns: readonly ScriptedAnswer[], aside = '{"title":"Guided session"}'): Script =>
  ({ tools, messages }) => {
    if (tools === undefined || tools.length === 0) return { content: [{ type: 'text', text: aside }] }
    const answered = messages.filter(({ role }) => role === 'assistant').length
    return turns[answered] ?? { content: [{ type: 'text', text: 'Done.' }] }
  }
