// Added time to first token: the same streams from a stand-in provider, direct, through a bare proxy of Node's (the floor on
// this machine: one more process, two more connections), through one that passes no answer on before a line of its own is on
// disk (the floor of whoever keeps a record), and through the gateway, in turns.
// Run: node test/bench/gateway.ts [STREAMS…]   (prints a table; asserts nothing). Provider, proxy, gateway and client are a
// process each. The processor time of each is printed too: where provider and client alone fill the machine, the added
// time is theirs and not the gateway's. PROFILE=DIR writes a CPU profile of the gateway there.
// Run: node test/bench/gateway.ts memory [WAVES]   what the gateway's process holds after each wave of 200 streams at once.
import { fork } from 'node:child_process'
import { mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openLedger } from '../../shared/core/ledger/ledger.ts'
import { openGroupSync } from '../../shared/core/storage/group-sync.ts'
import { HOST_OPTIONS } from '../../shared/host/cli/with-host.ts'
import { trustingGuard } from '../fixtures/guard.ts'
import { messagesBody, startGateway } from '../integration/gateway-fixture.ts'

const event = (data: Record<string, unknown>): Buffer => Buffer.from(`event: ${data['type']}\ndata: ${JSON.stringify(data)}\n\n`)
const message = (id: number) => ({ type: 'message', id: `msg_${id}`, model: 'claude-sonnet-5-5', content: [], usage: { input_tokens: 10, output_tokens: 1 } })
const startOf = (id: number): Buffer => event({ type: 'message_start', message: message(id) })
const EVENT = event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'a few more words of the answer ' } })
const END = Buffer.concat([event({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 20 } }), event({ type: 'message_stop' })])

/** A stream's events and the time between them: as the API sends them, some words an event; and with next to nothing between. */
interface Pace {
  readonly events: number
  readonly everyMs: number
}
const USUAL: Pace = { events: 20, everyMs: 200 }
const SHORT: Pace = { events: 2, everyMs: 100 }
const FAST: Pace = { events: 20, everyMs: 20 }
const lastsMs = ({ events, everyMs }: Pace): number => events * everyMs

/** Microseconds of processor time and bytes of memory, whenever the parent asks. */
const answerMeasures = (): void => {
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    globalThis.gc?.()
    const { rss, heapUsed } = process.memoryUsage()
    process.send?.({ cpu: user + system, rss, heapUsed })
  })
}

const scratch = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'hf-bench-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  process.once('SIGTERM', () => process.exit())
  return folder
}

const runGateway = async (upstreamBaseUrl: string): Promise<void> => {
  const ledger = openLedger({ file: join(scratch(), 'ledger.db'), clock: { now: () => Date.now() } })
  const { baseUrl, usages } = await startGateway({ upstreamBaseUrl, guard: trustingGuard, caps: { microUsd: 1e12, tokens: null }, ledger })
  // What the fixture keeps for tests is not the gateway's.
  setInterval(() => usages.splice(0), 100).unref()
  process.send?.(baseUrl)
}

const listenAndSay = (server: ReturnType<typeof createServer>): void =>
  void server.listen(0, '127.0.0.1', () => process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))

const runProvider = (): void => {
  let id = 0
  const server = createServer((incoming, response) => {
    const [events = 0, everyMs = 0] = String(incoming.headers['x-pace']).split('/').map(Number)
    incoming.resume()
    incoming.on('end', () => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(startOf((id += 1)))
      let left = events
      const timer = setInterval(() => {
        left -= 1
        if (left > 0) response.write(EVENT)
        else {
          clearInterval(timer)
          response.end(END)
        }
      }, everyMs)
    })
  })
  listenAndSay(server)
}

/** Passes everything on and looks at nothing; `record` is waited for before the answer passes. */
const runProxy = (baseUrl: string, record: () => Promise<void> | null): void => {
  const agent = new Agent({ keepAlive: true })
  const server = createServer((incoming, response) => {
    const { method, headers } = incoming
    const recorded = record()
    const sent = request(`${baseUrl}${incoming.url}`, { agent, method: method ?? 'GET', headers }, (answer) => {
      const pass = (): void => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(response)
      }
      if (recorded === null) pass()
      else void recorded.then(pass)
    })
    incoming.pipe(sent)
  })
  listenAndSay(server)
}

const LINE = Buffer.alloc(500, 'x')

/** Writes a line, and makes it durable together with those of others, as the gateway does. */
const recordTo = (folder: string): (() => Promise<void> | null) => {
  const file = join(folder, 'lines')
  writeFileSync(file, '')
  const lines = openSync(file, 'r+')
  const sync = openGroupSync(file, 16 * 1024 * 1024)
  let at = 0
  return () => {
    at += writeSync(lines, LINE, 0, LINE.length, at)
    return sync?.sync() ?? null
  }
}

interface Asked {
  readonly agent: Agent
  readonly body: Buffer
  readonly pace: Pace
}

/** Milliseconds from the request to the first bytes of the answer's body. */
const timeToFirstToken = (baseUrl: string, { agent, body, pace }: Asked): Promise<number> =>
  new Promise((resolve, reject) => {
    const from = performance.now()
    let first = 0
    const sent = request(`${baseUrl}/v1/messages`, { method: 'POST', agent, headers: { 'content-type': 'application/json', 'content-length': body.length, 'x-pace': `${pace.events}/${pace.everyMs}` } }, (answer) => {
      answer.once('data', () => (first = performance.now() - from))
      answer.on('data', () => {})
      answer.on('end', () => resolve(first))
    })
    sent.on('error', reject)
    sent.end(body)
  })

/** Streams one after the other at so many places, their starts spread out; the first at each place is not counted. */
const measure = async (baseUrl: string, asked: Asked, streams: number, rounds: number): Promise<number[]> => {
  const times: number[] = []
  const place = async (_: unknown, index: number): Promise<void> => {
    await sleep((index / streams) * lastsMs(asked.pace))
    for (let round = 0; round < rounds; round += 1) {
      const time = await timeToFirstToken(baseUrl, asked)
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
  readonly heapUsed: number
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

const PATHS = ['direct', 'bare proxy', 'proxy + durable line', 'gateway'] as const
type Path = (typeof PATHS)[number]
const mega = (bytes: number): string => (bytes / 1e6).toFixed(0)

const measureTimes = async (counts: readonly number[]): Promise<void> => {
  const profile = process.env['PROFILE']
  const provider = start(['provider'])
  const direct = await provider.baseUrl
  const proxy = start(['proxy', direct])
  const recorder = start(['recorder', direct])
  const gateway = start(['gateway', direct], profile === undefined ? HOST_OPTIONS : [...HOST_OPTIONS, '--cpu-prof', `--cpu-prof-dir=${profile}`])
  const between = { 'bare proxy': proxy, 'proxy + durable line': recorder, gateway }
  const baseUrls: Record<Path, string> = { direct, 'bare proxy': await proxy.baseUrl, 'proxy + durable line': await recorder.baseUrl, gateway: await gateway.baseUrl }
  const agent = new Agent({ keepAlive: true })
  const body = Buffer.from(messagesBody({ system: 'x'.repeat(50_000) }))
  const rows: Record<string, string | number>[] = []
  for (const path of PATHS) await measure(baseUrls[path], { agent, body, pace: FAST }, 200, 4)
  for (const streams of counts) {
    const [pace, rounds] = streams < 10 ? [SHORT, 100] : [USUAL, 5]
    const all = new Map<Path, number[]>()
    for (const path of PATHS) {
      const measures = async (): Promise<Measures[]> => Promise.all([provider, ...(path === 'direct' ? [] : [between[path]])].map((one) => one.measures()))
      const before = await measures()
      const from = { at: performance.now(), own: own() }
      const times = await measure(baseUrls[path], { agent, body, pace }, streams, rounds)
      const ms = performance.now() - from.at
      const client = own() - from.own
      const after = await measures()
      all.set(path, times)
      const share = (cpu: number): string => `${(cpu / 10 / ms).toFixed(0)} %`
      const added = (part: number): string => (path === 'direct' ? '' : (quantile(times, part) - quantile(all.get('direct') ?? [], part)).toFixed(2))
      const [atProvider, atOther] = after.map(({ cpu }, index) => share(cpu - (before[index]?.cpu ?? 0)))
      rows.push({
        streams,
        path,
        requests: times.length,
        p50: quantile(times, 0.5).toFixed(2),
        p99: quantile(times, 0.99).toFixed(2),
        'added p50': added(0.5),
        'added p99': added(0.99),
        'CPU client': share(client),
        provider: atProvider ?? '',
        between: atOther ?? '',
      })
    }
  }
  console.log('Time to first token in ms; a 50 KB request, then 20 events in 4 s (one stream: 2 in 0.2 s), starts spread out, ledger on disk; 100 % is one core:')
  console.table(rows)
  agent.destroy()
  for (const child of [gateway, recorder, proxy, provider]) await child.end()
}

const measureMemory = async (waves: number): Promise<void> => {
  const provider = start(['provider'])
  const gateway = start(['gateway', await provider.baseUrl], [...HOST_OPTIONS, '--expose-gc'])
  const baseUrl = await gateway.baseUrl
  const agent = new Agent({ keepAlive: true })
  const body = Buffer.from(messagesBody({ system: 'x'.repeat(50_000) }))
  const rows: Record<string, string | number>[] = []
  for (let wave = 1; wave <= waves; wave += 1) {
    await measure(baseUrl, { agent, body, pace: FAST }, 200, 10)
    const { rss, heapUsed } = await gateway.measures()
    rows.push({ 'streams so far': wave * 2_000, 'heap after collection, MB': (heapUsed / 1e6).toFixed(1), 'process, MB': mega(rss) })
  }
  console.log("The gateway's process after each wave: ten times 200 streams at once, each a message of its own and a 50 KB request:")
  console.table(rows)
  agent.destroy()
  for (const child of [gateway, provider]) await child.end()
}

const [role, ...rest] = process.argv.slice(2)
if (role === 'provider') {
  runProvider()
  answerMeasures()
} else if (role === 'proxy') {
  runProxy(rest[0] ?? '', () => null)
  answerMeasures()
} else if (role === 'recorder') {
  runProxy(rest[0] ?? '', recordTo(scratch()))
  answerMeasures()
} else if (role === 'gateway') {
  answerMeasures()
  await runGateway(rest[0] ?? '')
} else if (role === 'memory') await measureMemory(Number(rest[0] ?? 8))
else await measureTimes(process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1, 50, 200])
