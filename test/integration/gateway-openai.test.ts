import { expect, test } from 'vitest'
import { responses } from '../../shared/core/gateway/dialects/responses.ts'
import type { AskedCall } from '../../shared/core/gateway/tool-use-filter.ts'
import { trustingGuard } from '../fixtures/guard.ts'
import { OPENAI_USAGE, startOpenAiModel, type OpenAiTurn } from '../support/openai-model.ts'
import { startGateway } from './gateway-fixture.ts'
import { closing, KEY } from './gateway-harness.ts'

const TURN: OpenAiTurn = { text: 'I look ✓', calls: [{ name: 'bash', arguments: { command: 'ls "é"' } }, { name: 'bash', arguments: { command: 'rm -rf x' } }] }
const CHAT = { path: '/v1/chat/completions', body: { messages: [{ role: 'user', content: 'hi' }], max_tokens: 100 } }
const RESPONSES = { path: '/v1/responses', body: { input: [{ role: 'user', content: 'hi' }], max_output_tokens: 100 } }
const APIS = [
  { name: 'Chat Completions', ...CHAT },
  { name: 'Responses', ...RESPONSES },
]

const start = async (params: Partial<Parameters<typeof startGateway>[0]> = {}, turn: OpenAiTurn = TURN) => {
  const model = closing(await startOpenAiModel(() => turn, KEY))
  return { model, gateway: closing(await startGateway({ upstreamBaseUrl: model.baseUrl, resolveKey: async () => KEY, ...params })) }
}
const post = async (baseUrl: string, path: string, body: unknown, key = 'agents-own') => {
  const answer = await fetch(baseUrl + path, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` }, body: JSON.stringify({ model: 'gpt-5', ...(body as object) }) })
  return { status: answer.status, text: await answer.text() }
}
const jsonsOf = (text: string): Record<string, unknown>[] =>
  text.split('\n').filter((line) => line.startsWith('data: {')).map((line) => JSON.parse(line.slice(6)) as Record<string, unknown>)
const denyRm = {
  ...trustingGuard,
  judge: (call: AskedCall) => (JSON.stringify(call.input).includes('rm -rf') ? ({ released: false, reason: 'Keep x.' } as const) : ({ released: true } as const)),
}

test.each(APIS)('$name: a stream passes byte for byte with the key put in, metered and priced, its calls on record', async ({ path, body }) => {
  const { model, gateway } = await start()
  const direct = await post(model.baseUrl, path, { ...body, stream: true }, KEY)
  const through = await post(gateway.baseUrl, path, { ...body, stream: true })
  await gateway.settled()
  expect(through.text.replaceAll(/_2_|"2"|_2"/g, 'ID')).toBe(direct.text.replaceAll(/_1_|"1"|_1"/g, 'ID'))
  expect(model.requests[1]?.headers).toMatchObject({ authorization: `Bearer ${KEY}` })
  const { input, cached, output } = OPENAI_USAGE
  expect(gateway.meter.usage()).toMatchObject({
    requests: 1,
    tokens: { input: input - cached, cacheRead: cached, output },
    // gpt-5: $1.25, $0.125 and $10 a million.
    costMicroUsd: 750 + 50 + 500,
    hasUnknownPrice: false,
  })
  expect(gateway.entries.map(({ kind }) => kind)).toEqual(['model-request/intent', 'tool-call/proposed', 'tool-call/proposed', 'model-request/outcome'])
  expect(gateway.entries[1]?.body).toMatchObject({ toolUseId: 'call_2_0', tool: 'bash', words: { text: 'I look ✓' } })
  expect(gateway.entries[3]?.body).toMatchObject({ ended: 'whole', tokens: { output } })
})

test.each(APIS)('$name: an answer that is not streamed is metered and judged too', async ({ path, body }) => {
  const { gateway } = await start({ guard: denyRm })
  const { text } = await post(gateway.baseUrl, path, body)
  expect(gateway.meter.usage().tokens.output).toBe(50)
  expect(text).toContain('ls')
  expect(text.match(/"name":"([^"]+)"/g)).toEqual(['"name":"bash"', '"name":"HoldfastDenied"'])
})

test('Chat Completions: a denied call arrives under an unknown name, its neighbour as it was, and history puts it back', async () => {
  const { model, gateway } = await start({ guard: denyRm })
  const { text } = await post(gateway.baseUrl, CHAT.path, { ...CHAT.body, stream: true })
  const calls = jsonsOf(text).flatMap((chunk) => (chunk['choices'] as { delta: { tool_calls?: { index: number; id?: string; function: { name?: string; arguments: string } }[] } }[]).flatMap(({ delta }) => delta.tool_calls ?? []))
  const joined = [0, 1].map((index) => calls.filter((call) => call.index === index).reduce((all, call) => ({ id: all.id + (call.id ?? ''), name: all.name + (call.function.name ?? ''), arguments: all.arguments + call.function.arguments }), { id: '', name: '', arguments: '' }))
  expect(joined[0]).toEqual({ id: 'call_1_0', name: 'bash', arguments: '{"command":"ls \\"é\\""}' })
  expect(joined[1]).toEqual({ id: 'call_1_1', name: 'HoldfastDenied', arguments: '{"tool":"bash","input":{"command":"rm -rf x"},"reason":"Keep x."}' })
  expect(text.trim().endsWith('data: [DONE]')).toBe(true)

  const said = { role: 'assistant', content: null, tool_calls: joined.map(({ id, ...call }) => ({ id, type: 'function', function: call })) }
  const results = ['call_1_0', 'call_1_1'].map((id) => ({ role: 'tool', tool_call_id: id, content: 'No such tool' }))
  await post(gateway.baseUrl, CHAT.path, { ...CHAT.body, messages: [...CHAT.body.messages, said, ...results] })
  const sent = model.requests.at(-1)?.body['messages'] as Record<string, unknown>[]
  expect(sent[1]?.['tool_calls']).toMatchObject([{ function: { name: 'bash' } }, { function: { name: 'bash', arguments: '{"command":"rm -rf x"}' } }])
  expect(sent.slice(2).map(({ content }) => content)).toEqual(['No such tool', 'Keep x.'])
})

test('Responses: a denied call arrives under an unknown name everywhere it is shown, and history puts it back', async () => {
  const { model, gateway } = await start({ guard: denyRm })
  const { text } = await post(gateway.baseUrl, RESPONSES.path, { ...RESPONSES.body, stream: true })
  const events = jsonsOf(text)
  const items = events.filter(({ type }) => type === 'response.output_item.done').map(({ item }) => item as Record<string, unknown>)
  expect(items.map(({ type, name }) => [type, name])).toEqual([['message', undefined], ['function_call', 'bash'], ['function_call', 'HoldfastDenied']])
  expect(events.at(-1)).toMatchObject({ type: 'response.completed', response: { output: [{ type: 'message' }, { name: 'bash' }, { name: 'HoldfastDenied' }] } })
  expect(text).not.toMatch(/"name":"bash"[^}]*rm -rf/)

  const results = ['call_1_0', 'call_1_1'].map((id) => ({ type: 'function_call_output', call_id: id, output: 'unsupported call' }))
  await post(gateway.baseUrl, RESPONSES.path, { ...RESPONSES.body, input: [...items, ...results] })
  const sent = model.requests.at(-1)?.body['input'] as Record<string, unknown>[]
  expect(sent[2]).toMatchObject({ name: 'bash', arguments: '{"command":"rm -rf x"}', call_id: 'call_1_1' })
  expect(sent.slice(3).map(({ output }) => output)).toEqual(['unsupported call', 'Keep x.'])
})

test('Responses: a call of another kind is denied as a function and put back as it was; one shown only at the end is not released', () => {
  const item = { type: 'custom_tool_call', id: 'ctc_1', call_id: 'call_1', name: 'apply_patch', input: '*** Begin Patch', status: 'completed' }
  const [call] = responses.wholeCalls({ output: [item] })
  expect(call).toEqual({ id: 'call_1', tool: 'apply_patch', input: { input: '*** Begin Patch' } })
  if (call === undefined) throw new Error('no call')
  const denied = new Map([['call_1', { call, reason: 'no' }]])
  const [shown] = responses.denyWhole({ output: [item] }, denied)['output'] as Record<string, unknown>[]
  expect(shown).toMatchObject({ type: 'function_call', name: 'HoldfastDenied', call_id: 'call_1' })
  const history = { input: [shown, { type: 'function_call_output', call_id: 'call_1', output: 'unsupported' }] }
  expect(responses.putBack(history, () => null)).toEqual({ input: [item, { type: 'custom_tool_call_output', call_id: 'call_1', output: 'no' }] })
  const late = responses.stream.mend({ type: 'response.completed', response: { output: [item] } }, () => false, new Map())?.toString()
  expect(late).toContain('HoldfastDenied')
  expect(late).not.toContain('"name":"apply_patch"')
})

test.each(APIS)('$name: a request without a limit to its output gets one where a cap holds, and no other is changed', async ({ path, body }) => {
  const { max_tokens: _, max_output_tokens: __, ...free } = body as Record<string, unknown>
  const limits = async (caps: { microUsd: number | null; tokens: null }) => {
    const { model, gateway } = await start({ caps })
    expect((await post(gateway.baseUrl, path, free)).status).toBe(200)
    const sent = model.requests[0]?.body
    return sent?.['max_completion_tokens'] ?? sent?.['max_output_tokens']
  }
  expect(await limits({ microUsd: 1_000_000, tokens: null })).toBe(16_000)
  expect(await limits({ microUsd: null, tokens: null })).toBe(undefined)
})

test.each(APIS)('$name: past the cap a request is refused with 402, and a model without a price fits under no dollar cap', async ({ path, body }) => {
  const { model, gateway } = await start({ caps: { microUsd: 100, tokens: null } })
  expect(await post(gateway.baseUrl, path, body)).toMatchObject({ status: 402, text: expect.stringContaining('Raise the cap to go on.') })
  expect(await post(gateway.baseUrl, path, { ...body, model: 'gpt-4o-2024-05-13' })).toMatchObject({ status: 402, text: expect.stringContaining('knows no price') })
  expect(model.requests).toEqual([])
})

test.each(APIS)('$name: what a request may use is not made small by a limit that this provider passes over', async ({ path, body }) => {
  const { model, gateway } = await start({ caps: { microUsd: 500_000, tokens: null } })
  const [own, others] = path === CHAT.path ? ['max_completion_tokens', 'max_output_tokens'] : ['max_output_tokens', 'max_completion_tokens']
  expect(await post(gateway.baseUrl, path, { ...body, max_tokens: 1, [others ?? '']: 1, [own ?? '']: 100_000 })).toMatchObject({ status: 402 })
  expect(model.requests).toEqual([])
})

test.each(APIS)('$name: what would make the provider reach out is refused where the network is closed', async ({ path, body }) => {
  const { gateway } = await start({ isNetworkOpen: false })
  for (const more of [
    { tools: [{ type: 'web_search' }] },
    { tools: [{ type: 'mcp', server_url: 'https://x.example' }] },
    path === CHAT.path
      ? { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://x.example/?secret' } }] }] }
      : { input: [{ role: 'user', content: [{ type: 'input_image', image_url: 'https://x.example/?secret' }] }] },
  ]) {
    expect(await post(gateway.baseUrl, path, { ...body, ...more })).toMatchObject({ status: 400, text: expect.stringContaining('network is closed') })
  }
})
