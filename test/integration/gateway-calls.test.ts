import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { trustingGuard } from '../fixtures/guard.ts'
import { messagesBody, postMessages, startGateway, startRawProvider } from './gateway-fixture.ts'
import { closing, wire } from './gateway-harness.ts'

const START = { type: 'message_start', message: { type: 'message', id: 'msg_1', model: 'claude-sonnet-5-5', usage: { input_tokens: 9, output_tokens: 1 } } }
const delta = (index: number, fields: Record<string, unknown>) => ({ type: 'content_block_delta', index, delta: fields })
const CALL = [
  { type: 'content_block_start', index: 2, content_block: { type: 'tool_use', id: 'toolu_1', name: 'Bash', input: {} } },
  delta(2, { type: 'input_json_delta', partial_json: '{"command":"ls"}' }),
  { type: 'content_block_stop', index: 2 },
]
const STREAM = [
  START,
  delta(0, { type: 'thinking_delta', thinking: 'The person wants a list.' }),
  delta(0, { type: 'signature_delta', signature: 'x' }),
  delta(1, { type: 'text_delta', text: 'I look ' }),
  delta(1, { type: 'text_delta', text: 'about ✓' }),
  ...CALL,
  { type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 20 } },
  { type: 'message_stop' },
]

const startProvider = async (end: (response: ServerResponse) => void, events: readonly Record<string, unknown>[] = STREAM) =>
  closing(
    await startRawProvider((request, response) => {
      request.resume()
      response.setHeader('content-type', 'text/event-stream')
      response.write(wire(events), () => end(response))
    }),
  )

test('each call goes on record with what the model said and thought before it, between the request and its outcome', async () => {
  const provider = await startProvider((response) => response.end())
  const gateway = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl, guard: { ...trustingGuard, promptOf: (conversation) => `prompt of ${conversation}` } }))
  const answer = await postMessages(gateway.baseUrl, messagesBody(), { headers: { 'x-claude-code-session-id': 'c1', 'x-claude-code-agent-id': 'a1' } })
  expect(await answer.text()).toBe(wire(STREAM).toString())
  await gateway.settled()
  expect(gateway.entries.map(({ kind }) => kind)).toEqual(['model-request/intent', 'tool-call/proposed', 'model-request/outcome'])
  expect(gateway.entries[1]?.body).toEqual({
    toolUseId: 'toolu_1',
    tool: 'Bash',
    words: { text: 'I look about ✓', thinking: 'The person wants a list.' },
    request: 1,
    model: 'claude-sonnet-5-5',
    messageId: 'msg_1',
    conversation: 'c1',
    subagent: 'a1',
    promptId: 'prompt of c1',
  })
})

test('a call whose proposal cannot go on record does not reach the agent', async () => {
  const provider = await startProvider((response) => response.end())
  const gateway = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl }))
  gateway.faults.add('tool-call/proposed')
  const text = await (await postMessages(gateway.baseUrl, messagesBody())).text()
  expect(text).toContain('HoldfastDenied')
  expect(text).not.toContain('"name":"Bash"')
})

test('when the provider breaks off while a person is asked, the question is withdrawn and the call is never shown', async () => {
  const asked = Promise.withResolvers<AbortSignal>()
  const withdrawn = Promise.withResolvers<void>()
  const provider = await startProvider((response) => void asked.promise.then(() => response.destroy()))
  const gateway = closing(
    await startGateway({
      upstreamBaseUrl: provider.baseUrl,
      guard: {
        ...trustingGuard,
        judge: (_, __, waits) => {
          waits.addEventListener('abort', () => withdrawn.resolve())
          asked.resolve(waits)
          return new Promise(() => undefined)
        },
      },
    }),
  )
  const answer = await postMessages(gateway.baseUrl, messagesBody())
  const read: string[] = []
  const reading = (async () => {
    const decoder = new TextDecoder()
    for await (const chunk of answer.body ?? []) read.push(decoder.decode(chunk as Uint8Array, { stream: true }))
  })()
  await withdrawn.promise
  await expect(reading).rejects.toThrow('terminated')
  expect(read.join('')).toContain('about ✓')
  expect(read.join('')).not.toContain('toolu_1')
  await gateway.settled()
})

test('what comes while a person is asked is metered at once, and reaches the agent in order after the answer', async () => {
  const provider = await startProvider((response) => response.end())
  const answered = Promise.withResolvers<void>()
  const gateway = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl, guard: { ...trustingGuard, judge: () => answered.promise.then(() => ({ released: true })) } }))
  const answer = postMessages(gateway.baseUrl, messagesBody()).then((response) => response.text())
  for (let turn = 0; gateway.usages.at(-1)?.tokens.output !== 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  answered.resolve()
  expect(await answer).toBe(wire(STREAM).toString())
})

test('an input of 10 MB passes whole, in pieces or in one', async () => {
  const words = 'x'.repeat(10 * 1024 * 1024)
  const input = JSON.stringify({ command: words })
  const pieces = [input.slice(0, 5_000_000), input.slice(5_000_000)].map((partial_json) => delta(2, { type: 'input_json_delta', partial_json }))
  const events = [START, CALL[0] ?? {}, ...pieces, CALL[2] ?? {}, { type: 'message_stop' }]
  const provider = await startProvider((response) => response.end(), events)
  const seen: unknown[] = []
  const gateway = closing(
    await startGateway({ upstreamBaseUrl: provider.baseUrl, guard: { ...trustingGuard, judge: (call) => (seen.push(call.input), { released: true }) } }),
  )
  expect((await (await postMessages(gateway.baseUrl, messagesBody())).arrayBuffer()).byteLength).toBe(wire(events).length)
  expect(seen).toEqual([{ command: words }])
})
