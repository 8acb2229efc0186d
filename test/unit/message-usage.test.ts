import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createMessageUsageReader, type MessageUsage } from '../../shared/domain/message-usage.ts'
import { jsonOf } from '../support/stream.ts'

const readAll = (all: readonly unknown[]): MessageUsage[] => {
  const seen: MessageUsage[] = []
  const reader = createMessageUsageReader({ requestModel: 'asked-for', onUsage: (usage) => seen.push(usage) })
  all.forEach(reader.read)
  return seen
}
const read = (text: string | readonly Uint8Array[]) => readAll(jsonOf(typeof text === 'string' ? [Buffer.from(text)] : text))

const event = (data: Record<string, unknown>, end = '\n') =>
  `event: ${data['type']}${end}data: ${JSON.stringify(data)}${end}${end}`

const start = (usage: Record<string, unknown>, more: Record<string, unknown> = {}) => ({
  type: 'message_start',
  message: {
    type: 'message',
    id: 'msg_1',
    model: 'claude-opus-5-5',
    content: [],
    stop_reason: null,
    usage,
    ...more,
  },
})
const delta = (usage: Record<string, unknown>, stop = 'end_turn') => ({
  type: 'message_delta',
  delta: { stop_reason: stop },
  usage,
})
const text = {
  type: 'content_block_delta',
  index: 0,
  delta: { type: 'text_delta', text: 'Zürich ✓ 👩‍💻 data: {"type":"message_delta","usage":{}}' },
}

const SPLIT_CACHE = { ephemeral_5m_input_tokens: 30, ephemeral_1h_input_tokens: 70 }

const STREAM = [
  start({
    input_tokens: 5,
    output_tokens: 1,
    cache_read_input_tokens: 900,
    cache_creation_input_tokens: 100,
    cache_creation: SPLIT_CACHE,
  }),
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'ping' },
  text,
  { type: 'content_block_stop', index: 0 },
  { type: 'an_event_of_the_future', usage: 'whatever' },
  delta({ input_tokens: null, output_tokens: 42 }),
  { type: 'message_stop' },
]

const FINAL = {
  messageId: 'msg_1',
  model: 'claude-opus-5-5',
  parts: [
    {
      model: 'claude-opus-5-5',
      tokens: { input: 5, output: 42, cacheRead: 900, cacheWrite5m: 30, cacheWrite1h: 70 },
    },
  ],
  terms: { webSearches: 0, standard: true, usOnly: false },
  stopReason: 'end_turn',
}

test('the last record wins: output comes from message_delta, the rest from message_start', () => {
  expect(read(STREAM.map((data) => event(data)).join('')).at(-1)).toEqual(FINAL)
})

test.each(['\n', '\r\n', '\r'])('any cut of the bytes reads the same, lines ended by %j', (end) => {
  const bytes = Buffer.from(STREAM.map((data) => event(data, end)).join(''))
  expect(read([...bytes].map((byte) => Uint8Array.of(byte))).at(-1)).toEqual(FINAL)
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length)), (cuts) => {
      const at = [0, ...cuts.sort((a, b) => a - b), bytes.length]
      expect(read(at.slice(1).map((to, index) => bytes.subarray(at[index], to))).at(-1)).toEqual(FINAL)
    }),
    { numRuns: 100 },
  )
})

test('a stream that breaks off gives what it said so far', () => {
  const [first = {}] = STREAM
  expect(read(event(first as Record<string, unknown>)).at(-1)).toMatchObject({
    parts: [{ tokens: { output: 1 } }],
    stopReason: null,
  })
  expect(read('event: message_start\ndata: {"type":"message_sta')).toEqual([])
})

test('an answer that is not streamed is read whole', () => {
  const message = { ...start({ input_tokens: 3, output_tokens: 4 }).message, stop_reason: 'max_tokens' }
  expect(readAll([message])).toMatchObject([
    { messageId: 'msg_1', parts: [{ tokens: { input: 3, output: 4 } }], stopReason: 'max_tokens' },
  ])
  expect(readAll([{ input_tokens: 12 }])).toEqual([])
})

test('cache writes without a split by TTL are the five-minute kind', () => {
  expect(
    read(event(start({ input_tokens: 1, output_tokens: 1, cache_creation_input_tokens: 100 })))[0]?.parts[0]
      ?.tokens,
  ).toEqual({
    input: 1,
    output: 1,
    cacheRead: 0,
    cacheWrite5m: 100,
    cacheWrite1h: 0,
  })
})

test.each(['\n', '\r\n'])(
  'an event may span several data lines, other fields are passed over, lines ended by %j',
  (end) => {
    const json = JSON.stringify(start({ input_tokens: 7, output_tokens: 1 }))
    const cut = json.indexOf(',') + 1
    const lines = [
      ': hello',
      'id: 1',
      'retry: 5',
      `data:${json.slice(0, cut)}`,
      `data: ${json.slice(cut)}`,
      '',
      '',
    ]
    expect(read(lines.join(end))[0]?.parts[0]?.tokens.input).toBe(7)
  },
)

test('without a model of its own an answer counts for the one asked for', () => {
  expect(read(event(start({ input_tokens: 1 }, { model: null })))[0]?.model).toBe('asked-for')
})

test('compaction and advisor samplings come on top, the advisor’s under its own model', () => {
  const iterations = [
    { type: 'compaction', input_tokens: 1000, output_tokens: 100 },
    { type: 'advisor_message', model: 'claude-fable-5-2', input_tokens: 200, output_tokens: 20 },
    { type: 'message', input_tokens: 5, output_tokens: 6 },
  ]
  const [usage] = read(event(start({ input_tokens: 5, output_tokens: 6, iterations })))
  expect(usage?.parts.map(({ model, tokens }) => [model, tokens.input, tokens.output])).toEqual([
    ['claude-opus-5-5', 5, 6],
    ['claude-opus-5-5', 1000, 100],
    ['claude-fable-5-2', 200, 20],
  ])
})

test('samplings that do not add up to the total are not trusted: the total counts', () => {
  const iterations = [{ type: 'message', input_tokens: 1, output_tokens: 1 }]
  const [usage] = read(event(start({ input_tokens: 5, output_tokens: 6, iterations })))
  expect(usage?.parts.map(({ tokens }) => tokens.input)).toEqual([5])
})

test('speed, service tier, place and searches are read', () => {
  const terms = { server_tool_use: { web_search_requests: 2 }, inference_geo: 'us', speed: 'fast' }
  expect(read(event(start({ input_tokens: 1, ...terms })))[0]?.terms).toEqual({
    webSearches: 2,
    standard: false,
    usOnly: true,
  })
  expect(read(event(start({ input_tokens: 1, service_tier: 'priority' })))[0]?.terms.standard).toBe(false)
})

test.each([
  '{',
  '[]',
  'null',
  '{"type":"message_delta","usage":{"output_tokens":-1}}',
  '{"type":"message_start","message":{"usage":5}}',
])('nonsense is passed over: %s', (data) => {
  expect(read(`data: ${data} "usage"\n\ndata: ${data}\n\n`)).toEqual([])
})
