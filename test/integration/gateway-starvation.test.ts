import { EventEmitter } from 'node:events'
import { Agent, type IncomingMessage, request as httpRequest, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { SessionId } from '../../shared/contract/ids.ts'
import { messages } from '../../shared/core/gateway/dialects/messages.ts'
import { passEvents } from '../../shared/core/gateway/pass-events.ts'
import { createToolUseFilter, type JudgeToolUse } from '../../shared/core/gateway/tool-use-filter.ts'
import { createBudgetMeter } from '../../shared/domain/budget-meter.ts'
import { PRICE_TABLE } from '../../shared/domain/price-table.ts'
import { messagesBody, startGateway, startRawProvider } from './gateway-fixture.ts'
import { closing, wire } from './gateway-harness.ts'

const KB = 1024
const delta = (delta: Record<string, unknown>) => ({ type: 'content_block_delta', index: 0, delta })
const words = (text: string): Buffer => wire([delta({ type: 'text_delta', text })])
const start = (id: string): Buffer => wire([{ type: 'message_start', message: { type: 'message', id, model: 'claude-sonnet-5-5', usage: { input_tokens: 9, output_tokens: 1 } } }])
const END = wire([{ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 7 } }, { type: 'message_stop' }])
const toPieces = (bytes: Buffer, size: number): Buffer[] => Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size))
const call = [
  { type: 'content_block_start', index: 0, content_block: { type: 'tool_use', id: 'toolu_1', name: 'Bash', input: {} } },
  delta({ type: 'input_json_delta', partial_json: '{}' }),
  { type: 'content_block_stop', index: 0 },
]
const times = (count: number, bytes: Buffer): Buffer => Buffer.concat(Array.from({ length: count }, () => bytes))

/** A stream through the filter to an agent that takes all at once. */
const startPassing = (passed: (bytes: number) => void, judge: JudgeToolUse = () => ({ released: true })) => {
  const source = new Readable({ read() {} })
  const response = Object.assign(new EventEmitter(), { writableNeedDrain: false, socket: null, write: (part: Buffer) => (passed(part.length), true) })
  const seen = { came: () => undefined, catchUp: () => undefined }
  const filter = createToolUseFilter(messages.stream, judge)
  passEvents({ source, response: response as unknown as ServerResponse, gone: new AbortController().signal, framing: messages.framing, rules: messages.stream, filter, ping: messages.ping, seen, onBroken: () => undefined }).catch(() => undefined)
  return source
}

test('between two events of a stream no other passes more than 128 KB, however much of it is there', async () => {
  const log: (readonly [stream: number, bytes: number])[] = []
  const noting = (stream: number) => (bytes: number) => void log.push([stream, bytes])
  const floods = [words('x'.repeat(60 * KB)), times(500, words('few words ')), Buffer.alloc(64 * KB, '\n')].map((bytes, index) => {
    const flood = { bytes, source: startPassing(noting(index)), isFull: false }
    flood.source._read = () => (flood.isFull = false)
    return flood
  })
  const ordinary = Array.from({ length: 100 }, (_, index) => startPassing(noting(3 + index)))
  await new Promise((resolve) => setImmediate(resolve))
  for (let turn = 0; turn < 20; turn += 1) {
    // As a turn of the system is: of each connection that is read from, up to 32 pieces.
    for (const flood of floods) for (let piece = 0; piece < 32 && !flood.isFull; piece += 1) flood.isFull = !flood.source.push(flood.bytes)
    for (const source of ordinary) source.push(words(`turn ${turn}`))
    await new Promise((resolve) => setImmediate(resolve))
  }
  const most = new Map<number, number>()
  for (const stream of ordinary.keys()) {
    let since = new Map<number, number>()
    let events = 0
    for (const [other, bytes] of log) {
      if (other === 3 + stream) {
        events += 1
        for (const [flood, sum] of since) most.set(flood, Math.max(most.get(flood) ?? 0, sum))
        since = new Map()
      } else since.set(other, (since.get(other) ?? 0) + bytes)
    }
    expect(events).toBe(20)
  }
  expect(floods.map((_, flood) => Math.ceil((most.get(flood) ?? 0) / KB) <= 128)).toEqual([true, true, true])
})

test('of many small events no more is kept than of few large ones: in a call that never ends, and while a call is judged', async () => {
  const small = Buffer.alloc(63 * KB, 'data: 1\n\n')
  for (const [begin, judge] of [[call.slice(0, 1), undefined], [call, () => new Promise<never>(() => undefined)]] as const) {
    const source = startPassing(() => undefined, judge)
    await new Promise((resolve) => setImmediate(resolve))
    source.push(wire(begin))
    let pushed = 0
    while (!source.destroyed && source.push(small)) {
      pushed += small.length
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(pushed).toBeGreaterThan(1024 * KB)
    expect(pushed).toBeLessThan(4 * 1024 * KB)
  }
})

test('with readers that never read, providers that stall and others that flood, every event of every other stream arrives, in order and in its turn', async () => {
  const ROUNDS = 8
  const [ORDINARY, FLOODS] = [Array.from({ length: 100 }, (_, index) => `ordinary-${index}`), ['newlines', 'comments', 'not-json', 'deltas', 'large']]
  const FLOOD: Record<string, Buffer> = {
    newlines: Buffer.alloc(64 * KB, '\n'),
    comments: Buffer.alloc(64 * KB, ':\n\n'),
    'not-json': Buffer.alloc(64 * KB, 'data: x\n\n'),
    deltas: times(500, words('a few more words of the answer ')),
    large: words('x'.repeat(1024 * KB)),
  }
  const toolInput = toPieces(Buffer.from(JSON.stringify({ content: 'x'.repeat(10 * KB * KB) })), 100 * KB)
  const writers = new Map<string, ServerResponse>()
  const allBegun = Promise.withResolvers<void>()
  const open = (name: string, response: ServerResponse): void => {
    writers.set(name, response)
    if (writers.size === ORDINARY.length) allBegun.resolve()
  }
  const pour = (response: ServerResponse, bytes: Buffer): void => {
    while (!response.destroyed && response.write(bytes));
    response.once('drain', () => setImmediate(pour, response, bytes))
  }
  const provider = closing(
    await startRawProvider((request, response) => {
      request.resume()
      const name = String(request.headers['x-stream'])
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(start(name))
      const flood = FLOOD[name] ?? (name.startsWith('unread') ? FLOOD['deltas'] : undefined)
      if (flood !== undefined) pour(response, flood)
      else if (name === 'tool') {
        response.write(wire(call.slice(0, 1)))
        for (const piece of toolInput) response.write(wire([delta({ type: 'input_json_delta', partial_json: piece.toString() })]))
        response.end(Buffer.concat([wire(call.slice(2)), END]))
      } else if (name.startsWith('ordinary')) open(name, response)
    }),
  )
  const sessions = ['ses_222222222222', 'ses_333333333333', 'ses_444444444444', 'ses_555555555555'].map((id) => ({ sessionId: SessionId.parse(id), meter: createBudgetMeter({ caps: { microUsd: 1e12, tokens: null }, priceTable: PRICE_TABLE }) }))
  const gateway = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl, sessionOf: (request, session) => ({ ...session, ...sessions[Number(request.headers['x-session'])] }) }))
  const agent = new Agent({ keepAlive: false })
  const read = (name: string, session: number): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const sent = httpRequest(`${gateway.baseUrl}/v1/messages`, { method: 'POST', agent, headers: { 'x-stream': name, 'x-session': session } }, resolve)
      sent.on('error', reject)
      closing({ close: () => sent.destroy() })
      sent.end(messagesBody())
    })

  let flooded = 0
  for (const name of FLOODS) (await read(name, 0)).on('error', () => undefined).on('data', ({ length }: Buffer) => (flooded += length))
  for (const name of ['unread-1', 'unread-2', 'unread-3', 'stalled-1', 'stalled-2', 'stalled-3']) {
    const answer = await read(name, 1)
    answer.on('error', () => undefined)
    if (name.startsWith('stalled')) answer.resume()
  }
  let toolBytes = 0
  const tool = (await read('tool', 2)).on('data', ({ length }: Buffer) => (toolBytes += length))
  const toolDone = new Promise((resolve) => tool.once('end', resolve))

  const texts = new Map(ORDINARY.map((name) => [name, '']))
  let arrived = Promise.withResolvers<void>()
  let missing = 0
  const reading = ORDINARY.map(async (name, index) => {
    const answer = await read(name, index % sessions.length)
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      texts.set(name, texts.get(name) + chunk.toString())
      missing -= 1
      if (missing === 0) arrived.resolve()
    }
  })
  missing = ORDINARY.length
  await allBegun.promise
  await arrived.promise
  const before = flooded
  for (let round = 0; round < ROUNDS; round += 1) {
    missing = ORDINARY.length
    arrived = Promise.withResolvers()
    for (const [name, response] of writers) response.write(words(`${name} ${round}`))
    await arrived.promise
  }
  // What floods flows on meanwhile, a share in each turn: twice as much where a stream takes all that is there.
  const floodedARound = (flooded - before) / ROUNDS / KB
  for (const response of writers.values()) response.end(END)
  await Promise.all([...reading, toolDone])

  for (const [name, text] of texts) expect(text).toBe(Buffer.concat([start(name), ...Array.from({ length: ROUNDS }, (_, round) => words(`${name} ${round}`)), END]).toString())
  expect(toolBytes).toBeGreaterThan(10 * KB * KB)
  expect(floodedARound).toBeGreaterThan(64)
  expect(floodedARound).toBeLessThan(1_536)
})
