import { readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import * as conventions from '@opentelemetry/semantic-conventions/incubating'
import { expect, test } from 'vitest'
import { openLedger } from '../../shared/core/ledger/ledger.ts'
import { createOtlpSender, type OtlpSenderDeps } from '../../shared/core/ledger/otlp-sender.ts'
import { type Collector, startCollector as startOne } from '../support/otlp-collector.ts'
import { CALL, SESSION, useOutbox } from '../support/outbox.ts'

const { clock, closers, ledger, folder, fill, deps } = useOutbox()

const startCollector = async (port = 0): Promise<Collector> => {
  const collector = await startOne(port)
  closers.push(collector.close)
  return collector
}

/** One request a try: the exporter's own retries begin after a second. */
const senderTo = (port: number, own: Partial<OtlpSenderDeps> = {}) => createOtlpSender({ ...deps(), baseUrl: `http://127.0.0.1:${port}`, timeoutMs: 500, ...own })

const sequences = (collector: Collector): number[] => {
  expect(collector.problems).toEqual([])
  return collector.sequences()
}

test('a collector gets logs, traces and metrics that fit the official schema, and the conventions for gen_ai and mcp', async () => {
  ledger().append('session/started', SESSION, { agent: 'tester', adapter: 'none', command: ['a'], cwd: '/p', container: 'off', profile: {}, profileHash: 'a'.repeat(64), modelKey: null })
  ledger().append('tool-call/outcome', SESSION, { toolCallId: CALL, tool: 'mcp__github__create_pr', ok: false, summary: 'no such repository', durationMs: 250 })
  ledger().append('model-request/outcome', SESSION, {
    intent: 4,
    latencyMs: 812,
    httpStatus: 200,
    ended: 'whole',
    messageId: 'msg_01',
    model: 'claude-sonnet-4-5',
    stopReason: 'tool_use',
    tokens: { input: 12, output: 34, cacheRead: 100, cacheWrite5m: 7, cacheWrite1h: 0 },
    costMicroUsd: 560,
    provider: 'anthropic',
  })
  ledger().append('alarm/raised', null, { message: 'é \ud800 odd' })
  ledger().append('session/ended', SESSION, { exitCode: 0, agent: 'tester', startedAt: clock.now() - 5_000 })
  const collector = await startCollector()
  expect(await senderTo(collector.port)()).toBe(5)
  expect(collector.problems).toEqual([])
  expect(collector.taken.map(({ path }) => path)).toEqual(['/v1/logs', '/v1/traces', '/v1/metrics'])
  const [logs = '', traces = '', metrics = ''] = collector.taken.map(({ body }) => JSON.stringify(body))
  expect(logs).toContain('"severityNumber":"SEVERITY_NUMBER_WARN"')
  expect(logs).toContain('"eventName":"holdfast.tool-call.outcome"')
  expect(logs).toContain('"timeUnixNano":"1763900000000000000"')
  expect(traces).toContain('{"key":"gen_ai.usage.input_tokens","value":{"intValue":"119"}}')
  expect(traces).toContain('{"key":"gen_ai.provider.name","value":{"stringValue":"anthropic"}}')
  expect(traces).toContain('{"key":"mcp.method.name","value":{"stringValue":"tools/call"}}')
  expect(traces).toContain('"startTimeUnixNano":"1763899999188000000","endTimeUnixNano":"1763900000000000000"')
  expect([...traces.matchAll(/"name":"([^"]+)","kind":"([^"]+)"/g)].map(([, name, kind]) => [name, kind])).toEqual([
    ['execute_tool mcp__github__create_pr', 'SPAN_KIND_CLIENT'],
    ['chat claude-sonnet-4-5', 'SPAN_KIND_CLIENT'],
    ['invoke_agent tester', 'SPAN_KIND_INTERNAL'],
  ])
  // One trace, in which the call and the request stand under the session.
  const ids = [...traces.matchAll(/"traceId":"(\w{32})","spanId":"(\w{16})"/g)].map(([, trace, span]) => ({ trace, span }))
  expect(new Set(ids.map(({ trace }) => trace)).size).toBe(1)
  expect([...traces.matchAll(/"parentSpanId":"(\w{16})"/g)].map(([, parent]) => parent)).toEqual([ids[2]?.span, ids[2]?.span])
  expect(logs).toContain(`"traceId":"${ids[0]?.trace}"`)
  expect([...metrics.matchAll(/"name":"([^"]+)",(?:"description":"",)?"unit"/g)].map(([, name]) => name)).toEqual([
    'gen_ai.client.token.usage',
    'gen_ai.client.operation.duration',
    'mcp.client.operation.duration',
    'holdfast.cost',
    'holdfast.tool_calls',
  ])
  expect(metrics).toContain('"startTimeUnixNano":"1763900000000000000"')
  expect(metrics).not.toContain('CUMULATIVE')
  const known = new Set<unknown>(Object.values(conventions))
  const used = new Set([...`${logs}${traces}${metrics}`.matchAll(/"((?:gen_ai|mcp)\.[\w.]+)"/g)].map(([, name]) => name))
  expect(used.size).toBeGreaterThan(15)
  expect([...used].filter((name) => !known.has(name))).toEqual([])
})

test('what is sent twice is the same twice, metrics included: ids and times are those of the entries', async () => {
  fill(3)
  const [first, second] = [await startCollector(), await startCollector()]
  await senderTo(first.port)()
  await senderTo(second.port)()
  expect(first.taken.map(({ body }) => body)).toEqual(second.taken.map(({ body }) => body))
  expect(first.taken).toHaveLength(3)
})

test('a collector that is down and comes back has missed nothing and gets nothing twice, across a restart of the sender too', async () => {
  const collector = await startCollector()
  fill(250)
  await senderTo(collector.port)()
  await collector.close()
  fill(250)
  await expect(senderTo(collector.port)()).rejects.toThrow('(ECONNREFUSED). Nothing is lost')
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
  expect(said).toEqual([expect.stringContaining('retryable status'), 'The collector takes entries again.'])
  expect([...sequences(collector), ...sequences(again)]).toEqual(Array.from({ length: 550 }, (_, n) => n + 1))
  expect(await senderTo(collector.port)()).toBe(0)
})

test('two senders to one collector, as the host and a command line, lose and repeat nothing of each other', async () => {
  const collector = await startCollector()
  const [host, command] = [senderTo(collector.port, { tries: Infinity }), senderTo(collector.port, { tries: Infinity })]
  fill(600)
  const sent: number[] = await Promise.all([host(), command()])
  fill(300)
  await command()
  fill(300)
  sent.push(await host())
  expect([sequences(collector), sent.slice(0, 2).sort(), sent[2]]).toEqual([Array.from({ length: 1_200 }, (_, n) => n + 1), [0, 600], 300])
})

test('a sender that finds another at work on a collector that is down gives up after as many tries as it may', async () => {
  const collector = await startCollector()
  collector.state.status = 503
  fill(1)
  const { promise: isDown, resolve } = Promise.withResolvers<void>()
  const { promise: isBack, resolve: back } = Promise.withResolvers<void>()
  const first = senderTo(collector.port, { tries: Infinity, wait: () => (resolve(), isBack) })()
  await isDown
  await expect(senderTo(collector.port, { tries: 2 })()).rejects.toThrow('Another process of Holdfast is sending')
  collector.state.status = 200
  back()
  expect(await first).toBe(1)
})

test('a collector that refuses for good is not asked again', async () => {
  fill(1)
  const collector = await startCollector()
  collector.state.status = 400
  await expect(senderTo(collector.port, { wait: () => Promise.reject(new Error('waited')) })()).rejects.toThrow('it answers 400')
})

test('it is told when a collector takes a part alone, and when retention emptied entries before it had them', async () => {
  fill(2)
  clock.move(1)
  await ledger().prune(clock.now())
  fill(1)
  const collector = await startCollector()
  // ExportLogsServiceResponse with partial_success: rejected_log_records 2, error_message "too old".
  collector.state.answer = Buffer.from([0x0a, 0x0b, 0x08, 0x02, 0x12, 0x07, ...Buffer.from('too old')])
  const said: string[] = []
  expect(await senderTo(collector.port, { say: (line) => said.push(line) })()).toBe(4)
  expect(said[0]).toBe('2 of the next 4 entries were pruned before the collector had them: they come without content.')
  expect(said[1]).toMatch(/Partial Success.*too old/)
  expect(JSON.stringify(collector.taken[0]?.body).match(/"holdfast\.ledger\.pruned","value":\{"boolValue":true\}/g)).toHaveLength(2)
})

test('OpenTelemetry’s own variables hold: headers with a secret are in no argument', async () => {
  fill(1)
  const collector = await startCollector()
  process.env['OTEL_EXPORTER_OTLP_HEADERS'] = 'api-key=key%20one'
  try {
    await senderTo(collector.port)()
  } finally {
    delete process.env['OTEL_EXPORTER_OTLP_HEADERS']
  }
  expect(collector.taken.map(({ headers }) => headers['api-key'])).toEqual(['key one', 'key one', 'key one'])
})

test('a collector that is down for an hour gets all that was written meanwhile, in order and once; nothing waits but in the ledger', async () => {
  const collector = await startCollector()
  await collector.close()
  const until = clock.now() + 3_600_000
  let written = 0
  const wait = async (ms: number): Promise<void> => {
    clock.move(ms)
    fill(1)
    written += 1
    if (clock.now() >= until) back ??= await startCollector(collector.port)
  }
  let back: Collector | null = null
  fill(1)
  const send = senderTo(collector.port, { tries: Infinity, wait })
  expect([await send(), await send(), await send()]).toEqual([1, 65, 0])
  expect(written).toBe(65)
  expect(sequences(back as unknown as Collector)).toEqual(Array.from({ length: 66 }, (_, n) => n + 1))
  expect(readdirSync(folder()).filter((name) => !name.startsWith('ledger.db'))).toEqual(['cursor.json', 'cursor.json.lock', 'cursor.json.lock.holder'])
  expect(statSync(join(folder(), 'cursor.json')).size).toBeLessThan(200)
})

test('after a restart the batch that was cut off comes again as it was, and nothing that came since with it', async () => {
  fill(3)
  const collector = await startCollector()
  collector.state.status = 400
  await expect(senderTo(collector.port)()).rejects.toThrow('it answers 400')
  fill(2)
  collector.state.status = 200
  expect(await senderTo(collector.port)()).toBe(5)
  const batches = collector.taken.filter(({ path }) => path === '/v1/logs').map(({ body }) => JSON.stringify(body).match(/holdfast\.ledger\.sequence/g)?.length)
  expect(batches).toEqual([3, 2])
})

test('another ledger in the place of the one that was sent is sent from its first entry', async () => {
  fill(3)
  const collector = await startCollector()
  await senderTo(collector.port)()
  ledger().close()
  for (const name of readdirSync(folder())) if (name.startsWith('ledger.db')) rmSync(join(folder(), name))
  const other = openLedger({ file: join(folder(), 'ledger.db'), clock })
  closers.push(other.close)
  for (let n = 0; n < 5; n += 1) other.append('host/stopped', null, {})
  expect(await senderTo(collector.port, { read: (after) => Promise.resolve(other.read({ after, limit: 100 })) })()).toBe(5)
  expect(sequences(collector)).toEqual([1, 2, 3, 1, 2, 3, 4, 5])
})
