// Added time to first token: the same streams from a stand-in provider, direct and through the gateway, in turns.
// Run: node test/bench/gateway.ts [STREAMS…]   (prints a table; asserts nothing). Provider, gateway and client are a
// process each. The processor time of each is printed too: where provider and client alone fill the machine, the added
// time is theirs and not the gateway's. PROFILE=DIR writes a CPU profile of the gateway there.
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openLedger } from '../../shared/core/ledger/ledger.ts'
import { trustingGuard } from '../fixtures/guard.ts'
import { messagesBody, startGateway } from '../integration/gateway-fixture.ts'

const event = (data: Record<string, unknown>): Buffer => Buffer.from(`event: ${data['type']}\ndata: ${JSON.stringify(data)}\n\n`)
const MESSAGE = { type: 'message', id: 'msg_1', model: 'claude-sonnet-5-5', content: [], usage: { input_tokens: 10, output_tokens: 1 } }
const START = event({ type: 'message_start', message: MESSAGE })
const EVENT = event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'a few more words of the answer ' } })
const END = Buffer.concat([event({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 20 } }), event({ type: 'message_stop' })])

const EVENTS = 20
/** As the API sends them: some words an event. */
const EVENT_EVERY_MS = 200

/** Microseconds of processor time and bytes of memory, whenever the parent asks. */
const answerMeasures = (): void => {
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.({ cpu: user + system, rss: process.memoryUsage.rss() })
  })
}

const runGateway = async (upstreamBaseUrl: string): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'hf-bench-'))
  const ledger = openLedger({ file: join(folder, 'ledger.db'), clock: { now: () => Date.now() } })
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  const { baseUrl } = await startGateway({ upstreamBaseUrl, guard: trustingGuard, caps: { microUsd: 1e12, tokens: null }, ledger })
  process.once('SIGTERM', () => process.exit())
  process.send?.(baseUrl)
}

const runProvider = (): void => {
  const server = createServer((incoming, response) => {
    incoming.resume()
    incoming.on('end', () => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(START)
      let left = EVENTS
      const timer = setInterval(() => {
        left -= 1
        if (left > 0) response.write(EVENT)
        else {
          clearInterval(timer)
          response.end(END)
        }
      }, EVENT_EVERY_MS)
    })
  })
  server.listen(0, '127.0.0.1', () => process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
}

/** Milliseconds from the request to the first bytes of the answer's body. */
const timeToFirstToken = (baseUrl: string, agent: Agent, body: Buffer): Promise<number> =>
  new Promise((resolve, reject) => {
    const from = performance.now()
    let first = 0
    const sent = request(`${baseUrl}/v1/messages`, { method: 'POST', agent, headers: { 'content-type': 'application/json', 'content-length': body.length } }, (answer) => {
      answer.once('data', () => (first = performance.now() - from))
      answer.on('data', () => {})
      answer.on('end', () => resolve(first))
    })
    sent.on('error', reject)
    sent.end(body)
  })

/** Streams one after the other at so many places, their starts spread out; the first at each place is not counted. */
const measure = async (baseUrl: string, agent: Agent, body: Buffer, streams: number, rounds: number): Promise<number[]> => {
  const times: number[] = []
  const place = async (_: unknown, index: number): Promise<void> => {
    await sleep((index / streams) * EVENTS * EVENT_EVERY_MS)
    for (let round = 0; round < rounds; round += 1) {
      const time = await timeToFirstToken(baseUrl, agent, body)
      if (round > 0) times.push(time)
    }
  }
  await Promise.all(Array.from({ length: streams }).map(place))
  return times
}

const quantile = (times: readonly number[], share: number): number => times.toSorted((a, b) => a - b)[Math.floor(times.length * share)] ?? NaN

interface Measures {
  readonly cpu: number
  readonly rss: number
}

const start = (args: string[], execArgv: string[] = []) => {
  const child = fork(new URL(import.meta.url), args, { execArgv: [...process.execArgv, ...execArgv] })
  const said = <Said>(): Promise<Said> => new Promise((resolve) => child.once('message', (message) => resolve(message as Said)))
  const measures = (): Promise<Measures> => {
    const answer = said<Measures>()
    child.send('measure')
    return answer
  }
  return { baseUrl: said<string>(), measures, end: () => new Promise((resolve) => child.once('exit', resolve).kill()) }
}

const own = (): number => {
  const { user, system } = process.cpuUsage()
  return user + system
}

const main = async (counts: readonly number[]): Promise<void> => {
  const profile = process.env['PROFILE']
  const provider = start(['provider'])
  const direct = await provider.baseUrl
  const gateway = start(['gateway', direct], profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`])
  const through = await gateway.baseUrl
  const agent = new Agent({ keepAlive: true })
  const body = Buffer.from(messagesBody({ system: 'x'.repeat(50_000) }))
  const rows: Record<string, string | number>[] = []
  for (const baseUrl of [direct, through]) await measure(baseUrl, agent, body, 200, 2)
  for (const streams of counts) {
    const seen = { direct: { times: [] as number[], cpu: [0, 0, 0], ms: 0 }, gateway: { times: [] as number[], cpu: [0, 0, 0], ms: 0 } }
    const { rss: before } = await gateway.measures()
    for (let turn = 0; turn < 2; turn += 1) {
      for (const [path, baseUrl] of [['direct', direct], ['gateway', through]] as const) {
        const from = { at: performance.now(), cpu: [own(), (await provider.measures()).cpu, (await gateway.measures()).cpu] }
        seen[path].times.push(...(await measure(baseUrl, agent, body, streams, 4)))
        const to = [own(), (await provider.measures()).cpu, (await gateway.measures()).cpu]
        seen[path].cpu = seen[path].cpu.map((sum, index) => sum + (to[index] ?? 0) - (from.cpu[index] ?? 0))
        seen[path].ms += performance.now() - from.at
      }
    }
    for (const path of ['direct', 'gateway'] as const) {
      const { times, cpu, ms } = seen[path]
      const share = (index: number): string => `${((cpu[index] ?? 0) / 10 / ms).toFixed(0)} %`
      rows.push({
        streams,
        path,
        requests: times.length,
        p50: quantile(times, 0.5).toFixed(2),
        p99: quantile(times, 0.99).toFixed(2),
        'added p50': path === 'direct' ? '' : (quantile(times, 0.5) - quantile(seen.direct.times, 0.5)).toFixed(2),
        'added p99': path === 'direct' ? '' : (quantile(times, 0.99) - quantile(seen.direct.times, 0.99)).toFixed(2),
        'CPU client': share(0),
        provider: share(1),
        gateway: share(2),
        'gateway MB': path === 'direct' ? '' : `${(before / 1e6).toFixed(0)} → ${((await gateway.measures()).rss / 1e6).toFixed(0)}`,
      })
    }
  }
  console.log(`Time to first token in ms; a 50 KB request, then ${EVENTS} events in ${(EVENTS * EVENT_EVERY_MS) / 1_000} s, starts spread out, ledger on disk; 100 % is one core:`)
  console.table(rows)
  agent.destroy()
  await gateway.end()
  await provider.end()
}

const [role, ...rest] = process.argv.slice(2)
if (role === 'provider') {
  runProvider()
  answerMeasures()
} else if (role === 'gateway') {
  answerMeasures()
  await runGateway(rest[0] ?? '')
} else await main(process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1, 50, 200])
