import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json as readJson } from 'node:stream/consumers'

/** A turn of the model: some words, and the calls that follow them. */
export interface OpenAiTurn {
  readonly text?: string
  readonly calls?: readonly { readonly name: string; readonly arguments: unknown }[]
}

export type OpenAiRequest = Readonly<Record<string, unknown>> & { readonly model: string; readonly stream?: boolean }

/** A model that is a script and speaks OpenAI's Chat Completions and Responses on 127.0.0.1. */
export interface OpenAiModel {
  readonly baseUrl: string
  readonly requests: readonly { readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: OpenAiRequest }[]
  close(): Promise<void>
}

/** Of each answer, as the provider counts it. */
export const OPENAI_USAGE = { input: 1_000, cached: 400, output: 50 } as const

const CHAT_USAGE = { prompt_tokens: OPENAI_USAGE.input, completion_tokens: OPENAI_USAGE.output, total_tokens: 1_050, prompt_tokens_details: { cached_tokens: OPENAI_USAGE.cached } }
const RESPONSE_USAGE = { input_tokens: OPENAI_USAGE.input, output_tokens: OPENAI_USAGE.output, total_tokens: 1_050, input_tokens_details: { cached_tokens: OPENAI_USAGE.cached }, output_tokens_details: { reasoning_tokens: 0 } }

const half = (text: string): string[] => [text.slice(0, text.length / 2), text.slice(text.length / 2)].filter((part) => part !== '')

const chatChunks = (id: string, model: string, { text, calls = [] }: OpenAiTurn): unknown[] => {
  const chunk = (delta: unknown, finish: string | null = null) => ({ id, object: 'chat.completion.chunk', created: 1, model, choices: [{ index: 0, delta, finish_reason: finish }] })
  return [
    chunk({ role: 'assistant', content: '' }),
    ...half(text ?? '').map((content) => chunk({ content })),
    ...calls.flatMap(({ name, arguments: input }, index) => [
      chunk({ tool_calls: [{ index, id: `call_${id}_${index}`, type: 'function', function: { name, arguments: '' } }] }),
      ...half(JSON.stringify(input)).map((part) => chunk({ tool_calls: [{ index, function: { arguments: part } }] })),
    ]),
    chunk({}, calls.length > 0 ? 'tool_calls' : 'stop'),
    { id, object: 'chat.completion.chunk', created: 1, model, choices: [], usage: CHAT_USAGE },
  ]
}

const chatWhole = (id: string, model: string, { text, calls = [] }: OpenAiTurn) => ({
  id,
  object: 'chat.completion',
  created: 1,
  model,
  choices: [
    {
      index: 0,
      finish_reason: calls.length > 0 ? 'tool_calls' : 'stop',
      message: {
        role: 'assistant',
        content: text ?? null,
        ...(calls.length === 0 ? {} : { tool_calls: calls.map(({ name, arguments: input }, index) => ({ id: `call_${id}_${index}`, type: 'function', function: { name, arguments: JSON.stringify(input) } })) }),
      },
    },
  ],
  usage: CHAT_USAGE,
})

const outputItems = (id: string, { text, calls = [] }: OpenAiTurn): Record<string, unknown>[] => [
  ...(text === undefined ? [] : [{ type: 'message', id: `msg_${id}`, role: 'assistant', status: 'completed', content: [{ type: 'output_text', text, annotations: [] }] }]),
  ...calls.map(({ name, arguments: input }, index) => ({ type: 'function_call', id: `fc_${id}_${index}`, call_id: `call_${id}_${index}`, name, arguments: JSON.stringify(input), status: 'completed' })),
]

const responseWhole = (id: string, model: string, turn: OpenAiTurn) => ({ id, object: 'response', created_at: 1, status: 'completed', model, output: outputItems(id, turn), usage: RESPONSE_USAGE, error: null, incomplete_details: null })

const responseEvents = (id: string, model: string, turn: OpenAiTurn): Record<string, unknown>[] => {
  const whole = responseWhole(id, model, turn)
  const begun = { ...whole, status: 'in_progress', output: [], usage: null }
  const items = outputItems(id, turn).flatMap((item, output_index): Record<string, unknown>[] => {
    const at = { output_index, item_id: item['id'] }
    if (item['type'] === 'message') {
      const text = turn.text ?? ''
      const part = { type: 'output_text', text, annotations: [] }
      return [
        { type: 'response.output_item.added', output_index, item: { ...item, status: 'in_progress', content: [] } },
        { type: 'response.content_part.added', ...at, content_index: 0, part: { ...part, text: '' } },
        ...half(text).map((delta) => ({ type: 'response.output_text.delta', ...at, content_index: 0, delta })),
        { type: 'response.output_text.done', ...at, content_index: 0, text },
        { type: 'response.content_part.done', ...at, content_index: 0, part },
        { type: 'response.output_item.done', output_index, item },
      ]
    }
    return [
      { type: 'response.output_item.added', output_index, item: { ...item, status: 'in_progress', arguments: '' } },
      ...half(String(item['arguments'])).map((delta) => ({ type: 'response.function_call_arguments.delta', ...at, delta })),
      { type: 'response.function_call_arguments.done', ...at, arguments: item['arguments'] },
      { type: 'response.output_item.done', output_index, item },
    ]
  })
  return [{ type: 'response.created', response: begun }, { type: 'response.in_progress', response: begun }, ...items, { type: 'response.completed', response: whole }].map((event, sequence_number) => ({ ...event, sequence_number }))
}

/** Starts one. The script gets the request; what it gives is streamed or not, as was asked. */
export const startOpenAiModel = async (script: (request: OpenAiRequest) => OpenAiTurn, expectKey?: string): Promise<OpenAiModel> => {
  const requests: { path: string; headers: IncomingHttpHeaders; body: OpenAiRequest }[] = []
  const stream = (response: ServerResponse, frames: readonly string[]): void => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const frame of frames) response.write(frame)
    response.end()
  }
  const server = createServer((request, response) => {
    void (async () => {
      const path = request.url ?? ''
      const sendJson = (status: number, value: unknown) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
      if (request.method !== 'POST') {
        sendJson(200, { object: 'list', data: [], models: [] })
        return
      }
      const body = (await readJson(request)) as OpenAiRequest
      requests.push({ path, headers: request.headers, body })
      if (expectKey !== undefined && request.headers.authorization !== `Bearer ${expectKey}`) {
        sendJson(401, { error: { message: 'Incorrect API key', type: 'invalid_request_error', code: 'invalid_api_key' } })
        return
      }
      const id = String(requests.length)
      const turn = script(body)
      const isChat = path.startsWith('/v1/chat/completions')
      if (body.stream !== true) sendJson(200, isChat ? chatWhole(id, body.model, turn) : responseWhole(id, body.model, turn))
      else if (isChat) stream(response, [...chatChunks(id, body.model, turn).map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`), 'data: [DONE]\n\n'])
      else stream(response, responseEvents(id, body.model, turn).map((event) => `event: ${String(event['type'])}\ndata: ${JSON.stringify(event)}\n\n`))
    })()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
