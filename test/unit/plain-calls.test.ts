import { PassThrough } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { Client } from '@modelcontextprotocol/client'
import type { Transport } from '@modelcontextprotocol/client'
import { ProtocolError, Server, parseJSONRPCMessage, specTypeSchemas } from '@modelcontextprotocol/server'
import type { CallToolRequestParams, CallToolResult } from '@modelcontextprotocol/server'
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createLineTransport } from '../../shared/core/broker/line-transport.ts'
import { createPlainAnswers, createPlainRequests } from '../../shared/core/broker/plain-calls.ts'
import { isPlainMessage, isPlainResult } from '../../shared/core/broker/plain-messages.ts'

const RUNS = { numRuns: 300 }

/** Keys that mean something to somebody on the way, and others. */
const KEYS = ['__proto__', '_meta', 'task', 'io.modelcontextprotocol/protocolVersion', 'io.modelcontextprotocol/related-task', 'progressToken', 'inputResponses', 'requestState', 'resultType', 'name', 'arguments', 'jsonrpc', 'id', 'other']
const json = fc.jsonValue({ maxDepth: 2 })
/** JSON text of an object; a key may come twice, which only text can say. */
const text = (fields: readonly (readonly [string, string | undefined])[]): string => `{${fields.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`
const rarely = <Value>(usual: Value, other: fc.Arbitrary<Value>): fc.Arbitrary<Value> => fc.oneof({ weight: 6, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: other })
const odd = fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.array(fc.tuple(fc.constantFrom(...KEYS), json.map((value) => JSON.stringify(value))), { maxLength: 2 }) })
const object = (fields: Record<string, fc.Arbitrary<string>>): fc.Arbitrary<string> =>
  fc.tuple(fc.record(fields, { requiredKeys: [] }), odd).map(([known, more]) => text([...Object.entries(known), ...more]))
const whole = (fields: Record<string, fc.Arbitrary<string>>): fc.Arbitrary<string> => fc.tuple(fc.record(fields), odd).map(([known, more]) => text([...Object.entries(known), ...more]))
const anything = json.map((value) => JSON.stringify(value))
const meta = object({ progressToken: fc.constantFrom('1', '"p"', '1.5', 'null', '9007199254740993'), 'claudecode/toolUseId': fc.constant('"toolu_1"') })
const block = fc.oneof(
  { weight: 4, arbitrary: fc.string().map((value) => JSON.stringify({ type: 'text', text: value })) },
  { weight: 1, arbitrary: fc.constantFrom('{"type":"image","data":"aGk=","mimeType":"image/png"}', '{"type":"image","data":"no base64!","mimeType":"image/png"}', '{"type":"text","text":"t","annotations":{"priority":1}}', '{"type":"other"}', '{"type":"other","text":"t"}', '{"type":"text"}', 'null') },
)
const result = object({
  content: rarely('[{"type":"text","text":"fine"}]', fc.oneof(fc.array(block, { maxLength: 3 }).map((blocks) => `[${blocks.join(',')}]`), anything)),
  isError: rarely('true', anything),
  structuredContent: rarely('{"a":{"__proto__":{"b":1}}}', anything),
})
const params = object({ name: rarely('"echo"', fc.constantFrom('"slow"', '"fails"', '"refuses"', '7', 'null')), arguments: fc.oneof(result.map((value) => text([['result', value]])), anything), _meta: meta })
const call = whole({ jsonrpc: rarely('"2.0"', anything), id: rarely('7', fc.constantFrom('"seven"', '1e400', '9007199254740993', 'null', '-1', '""', '7.5')), method: rarely('"tools/call"', fc.constantFrom('"tools/list"', '"ping"', '"notifications/cancelled"', 'null')), params })
/** A call that takes a while, and what may or may not withdraw it: ids that look the same are others. */
const slow = fc.constantFrom('8', '"8"', '8.0', '80e-1').map((id) => `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"slow"}}`)
const cancel = fc
  .tuple(fc.constantFrom('8', '"8"', '8.0', '"8.0"', 'null', '[8]'), fc.constantFrom('', '', '"id":3,'), fc.constantFrom('', ',"reason":"why"'))
  .map(([id, own, reason]) => `{"jsonrpc":"2.0",${own}"method":"notifications\\u002fcancelled","params":{"requestId":${id}${reason}}}`)
const line = fc.oneof({ weight: 8, arbitrary: call }, { weight: 1, arbitrary: fc.tuple(call, call).map((two) => two.join('')) }, { weight: 1, arbitrary: call.map((one) => `[${one}]`) }, { weight: 1, arbitrary: call.map((one) => `\ufeff ${one}`) })

/** The same for the same parameters; never looks at anything else. */
const toolOf = (seen: unknown[]) => async (given: CallToolRequestParams, signal: AbortSignal): Promise<CallToolResult> => {
  seen.push(structuredClone(given))
  if (given.name === 'slow') {
    const over = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => {
      seen.push(['withdrawn', signal.reason])
      over.reject(signal.reason as Error)
    })
    for (let i = 0; i < 5; i += 1) await Promise.race([turn(), over.promise])
  }
  if (given.name === 'fails') throw new Error('it failed')
  if (given.name === 'refuses') throw new ProtocolError(-32_002, 'it refuses', { why: 'so' })
  return (given.arguments?.['result'] ?? { content: [] }) as CallToolResult
}

interface Exchange {
  readonly seen: unknown[]
  readonly said: unknown[]
}

const OPENING = [
  '{"jsonrpc":"2.0","id":"opening","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}',
  '{"jsonrpc":"2.0","method":"notifications/initialized"}',
]

/** What an agent gets to read that sends these lines once the connection is open. */
const exchange = async (lines: readonly string[], isPlain: boolean): Promise<Exchange> => {
  const [input, output] = [new PassThrough(), new PassThrough()]
  const seen: unknown[] = []
  const callTool = toolOf(seen)
  const server = new Server({ name: 'test', version: '1' }, { capabilities: { tools: {} } })
  const plain = isPlain ? createPlainAnswers(createLineTransport(input, output, () => {}), (given, { signal }) => callTool(given, signal)) : null
  server.setRequestHandler('tools/call', ({ params: given }, { mcpReq }) => plain?.outcomeOf(mcpReq.id) ?? callTool(given, mcpReq.signal))
  const opened = new Promise<void>((resolve) => (server.oninitialized = resolve))
  await server.connect(plain?.transport ?? new StdioServerTransport(input, output))
  const said: string[] = []
  output.on('data', (chunk: Buffer) => void said.push(chunk.toString()))
  input.write(`${OPENING.join('\n')}\n`)
  await opened
  plain?.begin({ origin: { ask: () => Promise.reject(new Error('unasked')), askAll: () => Promise.reject(new Error('unasked')), notify: () => {} }, notify: async () => {} })
  const over = new Promise<void>((resolve) => output.on('data', (chunk: Buffer) => chunk.includes('"id":"last"') && resolve()))
  input.write(`${lines.map((one) => `${one}\n`).join('')}{"jsonrpc":"2.0","id":"last","method":"ping"}\n`)
  await over
  for (let i = 0; i < 8; i += 1) await turn()
  await server.close()
  return { seen, said: said.join('').trim().split('\n').map((one) => JSON.parse(one) as unknown) }
}

/** With keys as pairs, in one order: `__proto__` is then one like the others. */
const sorted = (value: unknown): unknown => JSON.parse(JSON.stringify(value), (_key, one: unknown) =>
  typeof one === 'object' && one !== null && !Array.isArray(one) ? Object.entries(one).toSorted(([a], [b]) => (a < b ? -1 : 1)) : one)
/** Answers to requests that are under way together come in any order. */
const inOneOrder = (values: readonly unknown[]): string[] => values.map((value) => JSON.stringify(sorted(value))).toSorted()

test('what is taken for a plain message, the SDK lets pass unchanged', () => {
  const response = whole({ jsonrpc: rarely('"2.0"', anything), id: rarely('7', anything), result })
  fc.assert(
    fc.property(fc.oneof(line, response), (one) => {
      let message: unknown
      try {
        message = JSON.parse(one)
      } catch {
        return
      }
      if (isPlainMessage(message)) expect(sorted(parseJSONRPCMessage(structuredClone(message)))).toEqual(sorted(message))
    }),
    { numRuns: 3_000 },
  )
})

test('what is taken for a plain result, the SDK lets pass unchanged', () => {
  fc.assert(
    fc.property(result, (one) => {
      const value: unknown = JSON.parse(one)
      if (!isPlainResult(value)) return
      const judged = specTypeSchemas.CallToolResult['~standard'].validate(value) as { value: unknown }
      expect(sorted(judged.value)).toEqual(sorted(value))
    }),
    { numRuns: 2_000 },
  )
})

test('an agent gets the same answers, and a tool the same parameters, as through the SDK alone', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 3 }), slow, fc.array(cancel, { maxLength: 2 }), async (given, waits, cancels) => {
      const lines = [...given, waits, ...cancels]
      const [ours, theirs] = [await exchange(lines, true), await exchange(lines, false)]
      expect(inOneOrder(ours.said)).toEqual(inOneOrder(theirs.said))
      expect(inOneOrder(ours.seen)).toEqual(inOneOrder(theirs.seen))
    }),
    RUNS,
  )
})

test.for([
  ['two messages in one line', '{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo"}}', 0],
  ['a batch', '[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}]', 0],
  ['an id that is no whole number', '{"jsonrpc":"2.0","id":1.5,"method":"tools/call","params":{"name":"echo"}}', 0],
  ['an id longer than numbers are', '{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/call","params":{"name":"echo"}}', 0],
  ['no id', '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo"}}', 0],
] as const)('no tool is called by %s', async ([, one, calls]) => {
  expect((await exchange([one], true)).seen).toHaveLength(calls)
})

test('of a key that comes twice the last counts, and a name in escapes is the name', async () => {
  const { seen } = await exchange(['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"other","name":"\\u0065cho","arguments":{"a":1,"a":2}}}'], true)
  expect(seen).toEqual([{ name: 'echo', arguments: { a: 2 } }])
})

/** What a client gets for a call that is answered with these lines. */
const outcome = async (answers: readonly string[], isPlain: boolean): Promise<unknown> => {
  const [input, output] = [new PassThrough(), new PassThrough()]
  const wire = Object.assign(createLineTransport(input, output, () => {}), { pid: 1, stderr: null })
  const plain = isPlain ? createPlainRequests(wire) : null
  const client = new Client({ name: 'test', version: '1' }, {})
  const sent: string[] = []
  output.on('data', (chunk: Buffer) => {
    for (const one of chunk.toString().trim().split('\n')) {
      const { id, method } = JSON.parse(one) as { id?: number; method?: string }
      sent.push(String(method))
      if (method === 'initialize') input.write(`${JSON.stringify({ jsonrpc: '2.0', id, result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 's', version: '1' } } })}\n`)
      if (method === 'tools/call') input.write(answers.map((answer) => `${answer.replaceAll('"@ID@"', String(id))}\n`).join(''))
    }
  })
  const transport: Transport = plain?.transport ?? wire
  await client.connect(transport)
  const asked = { method: 'tools/call' as const, params: { name: 'echo', arguments: {} } }
  const options = { signal: new AbortController().signal, timeout: 60_000 }
  const asking = plain === null ? client.request(asked, { ...options, allowInputRequired: true }) : plain.callTool(client, asked, options)
  const value: unknown = await asking.then(
    (got: unknown) => ({ got }),
    (error: Error & { code?: unknown; data?: unknown }) => ({ name: error.name, message: error.message, code: error.code, data: error.data }),
  )
  await client.close()
  return { value, sent }
}

test('what a server answers comes to the same as through the SDK alone, and is asked for once', async () => {
  const error = object({ code: rarely('-32000', anything), message: rarely('"no"', anything), data: anything })
  const id = rarely('"@ID@"', fc.constantFrom('12', '"x"', 'null'))
  const answer = fc.oneof({ weight: 3, arbitrary: whole({ jsonrpc: rarely('"2.0"', anything), id, result }) }, { weight: 1, arbitrary: whole({ jsonrpc: fc.constant('"2.0"'), id, error }) })
  await fc.assert(
    fc.asyncProperty(fc.array(answer, { maxLength: 2 }), async (answers) => {
      const all = [...answers, '{"jsonrpc":"2.0","id":"@ID@","result":{"content":[]}}']
      const [ours, theirs] = [await outcome(all, true), await outcome(all, false)]
      expect(sorted(ours)).toEqual(sorted(theirs))
    }),
    RUNS,
  )
})

test('a call that the agent cancels is not answered, and the tool is told', async () => {
  const [input, output] = [new PassThrough(), new PassThrough()]
  const server = new Server({ name: 'test', version: '1' }, { capabilities: { tools: {} } })
  const reasons: unknown[] = []
  const plain = createPlainAnswers(createLineTransport(input, output, () => {}), (_params, { signal }) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => {
      reasons.push(signal.reason)
      reject(signal.reason as Error)
    })))
  server.setRequestHandler('tools/call', () => Promise.reject(new Error('not to be reached')))
  const opened = new Promise<void>((resolve) => (server.oninitialized = resolve))
  await server.connect(plain.transport)
  let said = ''
  output.on('data', (chunk: Buffer) => (said += chunk.toString()))
  input.write(`${OPENING.join('\n')}\n`)
  await opened
  plain.begin({ origin: { ask: () => Promise.reject(new Error('unasked')), askAll: () => Promise.reject(new Error('unasked')), notify: () => {} }, notify: async () => {} })
  const over = new Promise<void>((resolve) => output.on('data', (chunk: Buffer) => chunk.includes('"id":"last"') && resolve()))
  input.write('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}\n')
  input.write('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"changed my mind"}}\n')
  input.write('{"jsonrpc":"2.0","id":"last","method":"ping"}\n')
  await over
  await turn()
  expect(reasons).toEqual(['changed my mind'])
  expect(said).not.toContain('"id":1')
  await server.close()
})

test('a result nested too deep to be written is answered with an error: an agent does not wait for ever', async () => {
  const [input, output] = [new PassThrough(), new PassThrough()]
  const server = new Server({ name: 'test', version: '1' }, { capabilities: { tools: {} } })
  const deep = JSON.parse(`${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}`) as Record<string, unknown>
  const plain = createPlainAnswers(createLineTransport(input, output, () => {}), () => Promise.resolve({ content: [], structuredContent: deep }))
  server.setRequestHandler('tools/call', () => Promise.reject(new Error('not to be reached')))
  const opened = new Promise<void>((resolve) => (server.oninitialized = resolve))
  await server.connect(plain.transport)
  let said = ''
  output.on('data', (chunk: Buffer) => (said += chunk.toString()))
  input.write(`${OPENING.join('\n')}\n`)
  await opened
  plain.begin({ origin: { ask: () => Promise.reject(new Error('unasked')), askAll: () => Promise.reject(new Error('unasked')), notify: () => {} }, notify: async () => {} })
  input.write('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}\n')
  await expect.poll(() => said).toContain('{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"The result cannot be passed on: it is nested too deep."}}\n')
  await server.close()
})

test('however early the connection ends, a tool is called once', async () => {
  for (let ticks = 0; ticks < 40; ticks += 1) {
    const wire: Transport = { start: async () => {}, send: async () => {}, close: async () => {} }
    const server = new Server({ name: 'test', version: '1' }, { capabilities: { tools: {} } })
    let calls = 0
    const callTool = async (): Promise<CallToolResult> => {
      calls += 1
      throw new Error('it failed')
    }
    const plain = createPlainAnswers(wire, callTool)
    server.setRequestHandler('tools/call', (_request, { mcpReq }) => plain.outcomeOf(mcpReq.id) ?? callTool())
    await server.connect(plain.transport)
    plain.begin({ origin: { ask: () => Promise.reject(new Error('unasked')), askAll: () => Promise.reject(new Error('unasked')), notify: () => {} }, notify: async () => {} })
    for (const line of OPENING) wire.onmessage?.(JSON.parse(line))
    await turn()
    wire.onmessage?.({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo' } })
    for (let i = 0; i < ticks; i += 1) await Promise.resolve()
    wire.onclose?.()
    await turn()
    expect(calls).toBe(1)
  }
})
