import { afterEach, expect, test } from 'vitest'
import {
  scriptedTurns,
  startStandInModel,
  type Script,
  type StandInModel,
} from '../../shared/core/demo/stand-in-model.ts'
import { messagesBody, postMessages } from './gateway-fixture.ts'

const models: StandInModel[] = []
afterEach(async () => {
  for (const model of models.splice(0)) await model.close()
})
const start = async (script: Script, expectKey?: string): Promise<StandInModel> => {
  const model = await startStandInModel({ script, ...(expectKey === undefined ? {} : { expectKey }) })
  models.push(model)
  return model
}

const INPUT = { command: 'rm -rf build # ✓ and some more text to be cut' }
const TURNS = scriptedTurns([
  {
    content: [
      { type: 'text', text: 'First I clean up, 👩‍💻 and then we see.' },
      { type: 'tool_use', name: 'Bash', input: INPUT },
    ],
  },
  { content: [{ type: 'text', text: 'All done.' }] },
])
const TOOLS = [{ name: 'Bash', input_schema: {} }]

interface Event {
  type: string
  delta?: { text?: string; partial_json?: string }
  message?: { usage: Record<string, unknown> }
  usage?: Record<string, unknown>
}

const readEvents = async (answer: Response): Promise<Event[]> =>
  (await answer.text())
    .split('\n\n')
    .filter(Boolean)
    .map((part) => JSON.parse(part.slice(part.indexOf('data: ') + 6)) as Event)

test('a streamed answer has the events of the Messages API in their order, cut in pieces that join again', async () => {
  const model = await start(TURNS)
  const events = await readEvents(await postMessages(model.baseUrl, messagesBody({ tools: TOOLS })))
  const order = events.map(({ type }) => type).filter((type, at, all) => type !== all[at - 1])
  expect(order).toEqual([
    'message_start',
    'content_block_start',
    'ping',
    'content_block_delta',
    'content_block_stop',
    'content_block_start',
    'content_block_delta',
    'content_block_stop',
    'message_delta',
    'message_stop',
  ])
  expect(events.map(({ delta }) => delta?.text ?? '').join('')).toBe('First I clean up, 👩‍💻 and then we see.')
  const json = events.flatMap(({ delta }) => delta?.partial_json ?? [])
  expect(json.length).toBeGreaterThan(2)
  expect(JSON.parse(json.join(''))).toEqual(INPUT)
  expect(events[0]?.message?.usage['output_tokens']).toBe(1)
  expect(events.at(-2)?.usage).toMatchObject({
    output_tokens: model.usage()['claude-sonnet-5-5']?.tokens.output,
  })
})

test('turns advance with the conversation, end with a last word, and leave requests without tools aside', async () => {
  const model = await start(TURNS)
  const ask = async (answered: number, tools = TOOLS) => {
    const turn = [
      { role: 'assistant', content: 'x' },
      { role: 'user', content: 'y' },
    ]
    const messages = [{ role: 'user', content: 'go' }, ...Array.from({ length: answered }, () => turn).flat()]
    const answer = await postMessages(model.baseUrl, messagesBody({ stream: false, tools, messages }))
    const { content, stop_reason: stop } = (await answer.json()) as {
      content: { text?: string }[]
      stop_reason: string
    }
    return [content[0]?.text, stop]
  }
  expect(await ask(0)).toEqual(['First I clean up, 👩‍💻 and then we see.', 'tool_use'])
  expect(await ask(1)).toEqual(['All done.', 'end_turn'])
  expect(await ask(2)).toEqual(['Done.', 'end_turn'])
  expect(await ask(0, [])).toEqual(['{"title":"Guided session"}', 'end_turn'])
})

test('a prompt that asks for caching is written once and read again, by its TTL', async () => {
  const model = await start(() => ({ content: [] }))
  const system = [{ type: 'text', text: 'x'.repeat(4000), cache_control: { type: 'ephemeral', ttl: '1h' } }]
  const usages = []
  for (let turn = 0; turn < 2; turn += 1) {
    const answer = await postMessages(model.baseUrl, messagesBody({ stream: false, system }))
    usages.push(((await answer.json()) as { usage: unknown }).usage)
  }
  const split = (hour: number) => ({ ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: hour })
  expect(usages).toMatchObject([
    {
      input_tokens: 4,
      cache_read_input_tokens: 0,
      cache_creation_input_tokens: 1025,
      cache_creation: split(1025),
    },
    {
      input_tokens: 4,
      cache_read_input_tokens: 1025,
      cache_creation_input_tokens: 0,
      cache_creation: split(0),
    },
  ])
})

test('a wrong key gets 401, a broken request 400, and every request is recorded', async () => {
  const model = await start(TURNS, 'right')
  expect(
    (await postMessages(model.baseUrl, messagesBody(), { headers: { 'x-api-key': 'wrong' } })).status,
  ).toBe(401)
  expect(
    (await postMessages(model.baseUrl, '{"model":"m"}', { headers: { authorization: 'Bearer right' } }))
      .status,
  ).toBe(400)
  expect(
    model.requests.map(({ method, path, body }) => [method, path, (body as { model: string }).model]),
  ).toEqual([
    ['POST', '/v1/messages?beta=true', 'claude-sonnet-5-5'],
    ['POST', '/v1/messages?beta=true', 'm'],
  ])
})
