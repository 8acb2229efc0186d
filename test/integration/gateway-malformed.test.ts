import { createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { afterEach, expect, test, vi } from 'vitest'
import { messagesBody, postMessages, startGateway, startRawProvider } from './gateway-fixture.ts'
import { closing, STREAM, wire } from './gateway-harness.ts'

afterEach(() => void vi.useRealTimers())

/** A provider that writes these bytes to whoever asks, and ends. */
const startBytes = async (...parts: readonly (string | Buffer)[]): Promise<{ baseUrl: string }> => {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => socket.end(Buffer.concat(parts.map((part) => Buffer.from(part)))))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing({ close: () => server.close() })
  return { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const head = (fields: Record<string, string>): string => `HTTP/1.1 200 OK\r\n${Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`).join('')}connection: close\r\n\r\n`
const EVENTS = { 'content-type': 'text/event-stream' }

const ask = async (...parts: readonly (string | Buffer)[]) => {
  const gateway = closing(await startGateway({ upstreamBaseUrl: (await startBytes(...parts)).baseUrl, caps: { microUsd: 1e9, tokens: null } }))
  const answer = await postMessages(gateway.baseUrl, messagesBody())
  const body = await answer.arrayBuffer().then((bytes) => Buffer.from(bytes).toString('utf8'), () => null)
  await gateway.settled()
  const outcome = gateway.entries.at(-1)?.body ?? {}
  return { status: answer.status, body, outcome, charged: (outcome['charged'] as { tokens: number }).tokens }
}

test.each([
  ['no HTTP at all', 'nonsense\r\n\r\n'],
  ['a status that is none', 'HTTP/1.1 abc OK\r\n\r\n'],
  ['a header without a name', 'HTTP/1.1 200 OK\r\n: x\r\n\r\n'],
  ['headers without end', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`],
  ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 7\r\n\r\nhello'],
  ['nothing', ''],
])('a provider that answers with %s is answered for with 502, and costs nothing', async (_, bytes) => {
  const { status, body, outcome } = await ask(bytes)
  expect(status).toBe(502)
  expect(body).toMatch(/The model provider cannot be reached \([A-Z_]+\)\./)
  expect(outcome).toMatchObject({ httpStatus: null, ended: 'free', charged: { microUsd: 0, tokens: 0 } })
})

test.each([
  ['fewer bytes than it said', 'cut', `${head({ ...EVENTS, 'content-length': '5000' })}data: {}\n\n`],
  ['a chunk without a size', 'cut', `${head({ ...EVENTS, 'transfer-encoding': 'chunked' })}zz\r\n`],
  ['what is not the coding it said', 'unreadable', `${head({ ...EVENTS, 'content-encoding': 'gzip', 'content-length': '10' })}data: {}\n\n`],
  ['a coding that nobody knows', 'unreadable', `${head({ ...EVENTS, 'content-encoding': 'rot13', 'content-length': '10' })}data: {}\n\n`],
])('an answer of %s never ends as a whole one, is recorded as %s, and costs something', async (_, ended, bytes) => {
  const { status, body, charged, outcome } = await ask(bytes)
  expect(status === 200 ? body : null).toBeNull()
  expect(outcome).toMatchObject({ ended })
  expect(charged).toBeGreaterThan(0)
})

test('compressed bytes that break off in their middle are a broken answer', async () => {
  for (const [coding, compressed] of [['gzip', gzipSync(wire(STREAM))], ['br', brotliCompressSync(wire(STREAM))]] as const) {
    const { body, charged } = await ask(head({ ...EVENTS, 'content-encoding': coding }), compressed.subarray(0, compressed.length - 12))
    expect(body).toBeNull()
    expect(charged).toBeGreaterThan(0)
  }
})

test.each([
  ['no events', 'hello\nworld'],
  ['events of no JSON', 'data: hello\n\ndata: [1,2\n\ndata: 7\n\ndata: null\n\n: nothing\n\n\n\n'],
  ['usage that is none', 'data: {"type":"message_start","message":{"type":"message","usage":{"input_tokens":-5,"output_tokens":"many"}}}\n\ndata: {"type":"message_delta","usage":7}\n\n'],
  ['events out of order', 'data: {"type":"content_block_stop","index":3}\n\ndata: {"type":"content_block_delta","index":9,"delta":null}\n\ndata: {"type":"message_delta"}\n\n'],
  ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x00, 0x0a, 0x0a, 0x64, 0x61, 0x74, 0x61, 0x3a, 0xc3, 0x28, 0x0a, 0x0a])],
])('%s in a stream pass as they came, and count at the request’s bound', async (_, bytes) => {
  const { status, body, charged } = await ask(head(EVENTS), bytes)
  expect([status, body]).toEqual([200, Buffer.from(bytes).toString('utf8')])
  expect(charged).toBeGreaterThan(1_000)
})

test('an answer that is to be JSON and is not passes as it came, and counts at the request’s bound', async () => {
  for (const text of ['<html>Bad gateway</html>', '{"type":"message","content":[{"type":"tool_use"', '[]', '']) {
    const { status, body, charged } = await ask(head({ 'content-type': 'application/json', 'content-length': String(text.length) }), text)
    expect([status, body]).toEqual([200, text])
    expect(charged).toBeGreaterThan(1_000)
  }
})

test('a provider that falls silent is given up after ten minutes, and no sooner', async () => {
  const provider = closing(
    await startRawProvider((request, response) => {
      request.resume()
      response.writeHead(200, EVENTS).write(wire(STREAM.slice(0, 2)))
    }),
  )
  const gateway = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl }))
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const reader = (await postMessages(gateway.baseUrl, messagesBody())).body?.getReader()
  await reader?.read()
  const more = reader?.read()
  vi.advanceTimersByTime(599_000)
  expect(gateway.entries.map(({ kind }) => kind)).toEqual(['model-request/intent'])
  vi.advanceTimersByTime(1_000)
  await expect(more).rejects.toThrow('terminated')
  await gateway.settled()
  expect(gateway.entries.at(-1)?.body).toMatchObject({ ended: 'cut' })
})

test('an event or a call that never ends is not kept for ever: above 64 MB the answer is broken off', async () => {
  for (const start of ['data: "', 'data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"Bash","input":{}}}\n\n']) {
    const isCall = start.endsWith('\n')
    const provider = closing(
      await startRawProvider((request, response) => {
        request.resume()
        const piece = isCall ? `data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"${'x'.repeat(1_000_000)}"}}\n\n` : 'x'.repeat(1_000_000)
        response.writeHead(200, EVENTS).write(start)
        const more = (): void => {
          while (!response.destroyed && response.write(piece));
          response.once('drain', more)
        }
        more()
      }),
    )
    const gateway = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl }))
    const answer = await postMessages(gateway.baseUrl, messagesBody()).then((got) => got.text()).catch((error: unknown) => error)
    expect(String(answer)).toMatch(/terminated|fetch failed/)
    await gateway.settled()
    expect(gateway.entries.at(-1)?.body).toMatchObject({ ended: 'cut' })
  }
})
