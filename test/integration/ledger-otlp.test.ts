import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SessionId, ToolCallId } from '../../shared/contract/ids.ts'
import { openLedger } from '../../shared/core/ledger/ledger.ts'
import { createOtlpSender, type OtlpSenderDeps } from '../../shared/core/ledger/otlp-sender.ts'
import type { Ledger } from '../../shared/core/ports.ts'
import { createClock } from '../support/fakes.ts'

interface ProtoType {
  fromObject(value: object): object
  encode(message: object): { finish(): Uint8Array }
  decode(bytes: Uint8Array): object
  toObject(message: object, options: object): Record<string, unknown>
}
type Package = { [name: string]: Package } & { [name: string]: ProtoType }

/** Compiled by the OpenTelemetry project from its own .proto files; later releases no longer carry it. */
const root = createRequire(import.meta.url)('@opentelemetry/otlp-transformer/build/src/generated/root.js') as Package
const collector = root['opentelemetry']?.['proto']?.['collector'] as unknown as Record<string, Record<string, Record<string, ProtoType>>>
const TYPES: Record<string, ProtoType | undefined> = {
  '/v1/logs': collector['logs']?.['v1']?.['ExportLogsServiceRequest'],
  '/v1/traces': collector['trace']?.['v1']?.['ExportTraceServiceRequest'],
  '/v1/metrics': collector['metrics']?.['v1']?.['ExportMetricsServiceRequest'],
}

/** Through protobuf and back, by the official schema: a field it does not know is lost, a value of another type differs. */
const throughSchema = (path: string, body: object): object => {
  const type = TYPES[path]
  if (type === undefined) throw new Error(`no such signal: ${path}`)
  return type.toObject(type.decode(type.encode(type.fromObject(body)).finish()), { longs: String, bytes: String, arrays: false })
}

const SESSION = SessionId.parse('ses_222222222222')
const CALL = ToolCallId.parse('call_222222222222')
let folder = ''
let ledger: Ledger
const clock = createClock(1_763_900_000_000)
const closers: (() => unknown)[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-otlp-'))
  ledger = openLedger({ file: join(folder, 'ledger.db'), clock })
})
afterEach(async () => {
  ledger.close()
  for (const close of closers.splice(0)) await close()
  rmSync(folder, { recursive: true, force: true })
})

/** A collector that records what it takes; `status` says how it answers. */
const startCollector = async (port = 0) => {
  const taken: { path: string; body: Record<string, never> }[] = []
  const state = { status: 200 }
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    if (state.status === 200) taken.push({ path: request.url ?? '', body: JSON.parse(Buffer.concat(chunks).toString()) as Record<string, never> })
    response.writeHead(state.status, { 'content-type': 'application/json' }).end('{}')
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const close = () => new Promise((resolve) => server.close(resolve).closeAllConnections())
  closers.push(close)
  return { taken, state, close, port: (server.address() as AddressInfo).port }
}
type Collector = Awaited<ReturnType<typeof startCollector>>

const senderTo = (port: number, deps: Partial<OtlpSenderDeps> = {}) =>
  createOtlpSender({
    baseUrl: `http://127.0.0.1:${port}`,
    headers: {},
    cursorFile: join(folder, 'cursor.json'),
    read: (after) => Promise.resolve(ledger.read({ after, limit: 100 })),
    wait: () => Promise.resolve(),
    tries: 3,
    say: () => undefined,
    ...deps,
  })

const sequences = ({ taken }: Collector): number[] =>
  taken
    .filter(({ path }) => path === '/v1/logs')
    .flatMap(({ body }) => (JSON.stringify(body).match(/"holdfast\.ledger\.sequence","value":\{"intValue":"\d+"/g) ?? []).map((text) => Number(/(\d+)"$/.exec(text)?.[1])))

test('what a collector gets fits the official schema, value by value, and follows the conventions', async () => {
  ledger.append('session/started', SESSION, { agent: 'tester', adapter: 'none', command: ['a'], cwd: '/p', container: 'off', profile: {}, profileHash: 'a'.repeat(64), modelKey: null })
  ledger.append('tool-call/outcome', SESSION, { toolCallId: CALL, tool: 'mcp__github__create_pr', ok: false, summary: 'no such repository', durationMs: 250 })
  ledger.append('model-request/outcome', SESSION, {
    intent: 4,
    latencyMs: 812,
    httpStatus: 200,
    ended: 'whole',
    messageId: 'msg_01',
    model: 'claude-sonnet-4-5',
    stopReason: 'tool_use',
    tokens: { input: 12, output: 34, cacheRead: 100, cacheWrite5m: 7, cacheWrite1h: 0 },
    costMicroUsd: 560,
  })
  ledger.append('alarm/raised', null, { message: 'é \ud800 odd' })
  ledger.append('session/ended', SESSION, { exitCode: 0, agent: 'tester', startedAt: clock.now() - 5_000 })
  const collector = await startCollector()
  expect(await senderTo(collector.port)()).toBe(5)
  expect(collector.taken.map(({ path }) => path)).toEqual(['/v1/logs', '/v1/traces', '/v1/metrics'])
  for (const { path, body } of collector.taken) expect(throughSchema(path, body)).toEqual(body)
  const [logs, traces, metrics] = collector.taken.map(({ body }) => JSON.stringify(body))
  expect(logs).toContain('"severityNumber":13')
  expect(logs).toContain('"eventName":"holdfast.tool-call.outcome"')
  expect(traces).toContain('{"key":"gen_ai.usage.input_tokens","value":{"intValue":"119"}}')
  expect(traces).toContain('{"key":"mcp.method.name","value":{"stringValue":"tools/call"}}')
  expect([...(traces?.matchAll(/"name":"([^"]+)","kind"/g) ?? [])].map(([, name]) => name)).toEqual([
    'execute_tool mcp__github__create_pr',
    'chat claude-sonnet-4-5',
    'invoke_agent tester',
  ])
  expect(new Set([...(traces?.matchAll(/"traceId":"(\w{32})"/g) ?? [])].map(([, id]) => id)).size).toBe(1)
  expect([...(metrics?.matchAll(/"name":"([^"]+)","unit"/g) ?? [])].map(([, name]) => name)).toEqual([
    'gen_ai.client.token.usage',
    'gen_ai.client.operation.duration',
    'holdfast.cost',
    'holdfast.tool_calls',
  ])
})

test('a collector that is down and comes back has missed nothing and gets nothing twice, across a restart of the sender too', async () => {
  const fill = (count: number) => {
    for (let n = 0; n < count; n += 1) ledger.append('tool-call/outcome', SESSION, { toolCallId: CALL, ok: true, summary: 'done', durationMs: 1 })
  }
  const collector = await startCollector()
  fill(250)
  await senderTo(collector.port)()
  await collector.close()
  fill(250)
  await expect(senderTo(collector.port)()).rejects.toThrow('Nothing is lost')
  fill(50)
  const again = await startCollector(collector.port)
  again.state.status = 503
  const waits: number[] = []
  const wait = (ms: number): Promise<void> => {
    waits.push(ms)
    if (waits.length === 4) again.state.status = 200
    return Promise.resolve()
  }
  const said: string[] = []
  expect(await senderTo(collector.port, { tries: Infinity, wait, say: (line) => said.push(line) })()).toBe(300)
  expect(waits).toEqual([1_000, 2_000, 4_000, 8_000])
  expect(said).toEqual([expect.stringContaining('answers 503'), 'The collector takes entries again.'])
  expect([...sequences(collector), ...sequences(again)]).toEqual(Array.from({ length: 550 }, (_, n) => n + 1))
  expect(await senderTo(collector.port)()).toBe(0)
})

test('a collector that refuses for good is not asked again', async () => {
  ledger.append('host/stopped', null, {})
  const collector = await startCollector()
  collector.state.status = 400
  await expect(senderTo(collector.port, { wait: () => Promise.reject(new Error('waited')) })()).rejects.toThrow('it answers 400')
})

test('a collector that is down for an hour gets all that was written meanwhile, in order and once; nothing waits but in the ledger', async () => {
  const collector = await startCollector()
  await collector.close()
  const until = clock.now() + 3_600_000
  let written = 0
  const wait = async (ms: number): Promise<void> => {
    clock.move(ms)
    ledger.append('tool-call/outcome', SESSION, { toolCallId: CALL, ok: true, summary: 'done', durationMs: 1 })
    written += 1
    if (clock.now() >= until) back ??= await startCollector(collector.port)
  }
  let back: Collector | null = null
  ledger.append('tool-call/outcome', SESSION, { toolCallId: CALL, ok: true, summary: 'done', durationMs: 1 })
  const send = senderTo(collector.port, { tries: Infinity, wait })
  expect([await send(), await send(), await send()]).toEqual([1, 65, 0])
  expect(written).toBe(65)
  expect(sequences(back as unknown as Collector)).toEqual(Array.from({ length: 66 }, (_, n) => n + 1))
  expect(readdirSync(folder).filter((name) => !name.startsWith('ledger.db'))).toEqual(['cursor.json'])
  expect(statSync(join(folder, 'cursor.json')).size).toBeLessThan(200)
})
