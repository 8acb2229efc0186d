// Added time to first token: the same streams from a stand-in provider, direct and through the gateway, in turns.
// Run: node test/bench/gateway.ts   (prints a table; asserts nothing). Provider, gateway and client are a process each.
import { fork } from 'node:child_process'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { trustingGuard } from '../fixtures/guard.ts'
import { messagesBody, startGateway } from '../integration/gateway-fixture.ts'

const event = (data: Record<string, unknown>): string =>
  `event: ${data['type']}\ndata: ${JSON.stringify(data)}\n\n`
const MESSAGE = {
  type: 'message',
  id: 'msg_1',
  model: 'claude-sonnet-5-5',
  content: [],
  usage: { input_tokens: 10, output_tokens: 1 },
}
const START = event({ type: 'message_start', message: MESSAGE })
const EVENT = event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'token ' } })
const END =
  event({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 20 } }) +
  event({ type: 'message_stop' })

const EVENTS = 25
const EVENT_EVERY_MS = 20

const runGateway = async (upstreamBaseUrl: string): Promise<void> => {
  const { baseUrl } = await startGateway({ upstreamBaseUrl, guard: trustingGuard, caps: { microUsd: 1e12, tokens: null } })
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
  server.listen(0, '127.0.0.1', () => {
    process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  })
}

/** Milliseconds from the request to the first bytes of the answer's body. */
const timeToFirstToken = (baseUrl: string, agent: Agent, body: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const from = performance.now()
    let first = 0
    const sent = request(
      `${baseUrl}/v1/messages`,
      { method: 'POST', agent, headers: { 'content-type': 'application/json' } },
      (answer) => {
        answer.once('data', () => (first = performance.now() - from))
        answer.on('data', () => {})
        answer.on('end', () => resolve(first))
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })

const measure = async (
  baseUrl: string,
  agent: Agent,
  body: string,
  streams: number,
  rounds: number,
): Promise<number[]> => {
  const times: number[] = []
  const stream = async (_: unknown, index: number): Promise<void> => {
    await sleep((index / streams) * EVENTS * EVENT_EVERY_MS)
    for (let round = 0; round < rounds; round += 1) times.push(await timeToFirstToken(baseUrl, agent, body))
  }
  await Promise.all(Array.from({ length: streams }).map(stream))
  return times
}

const quantile = (times: readonly number[], share: number): number =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length * share)] ?? NaN

const start = (args: string[]) => {
  const child = fork(new URL(import.meta.url), args)
  const baseUrl = new Promise<string>((resolve) =>
    child.once('message', (message) => resolve(String(message))),
  )
  return { baseUrl, kill: () => child.kill() }
}

const main = async (): Promise<void> => {
  const provider = start(['provider'])
  const direct = await provider.baseUrl
  const gateway = start(['gateway', direct])
  const through = await gateway.baseUrl
  const agent = new Agent({ keepAlive: true })
  const body = messagesBody({ system: 'x'.repeat(50_000) })
  const rows: Record<string, string | number>[] = []
  for (const baseUrl of [direct, through]) await measure(baseUrl, agent, body, 100, 8)
  for (const [streams, rounds] of [
    [1, 20],
    [50, 3],
    [200, 2],
  ] as const) {
    const times: Record<'direct' | 'gateway', number[]> = { direct: [], gateway: [] }
    for (let turn = 0; turn < 5; turn += 1) {
      times.direct.push(...(await measure(direct, agent, body, streams, rounds)))
      times.gateway.push(...(await measure(through, agent, body, streams, rounds)))
    }
    const row = (path: 'direct' | 'gateway') => [0.5, 0.99].map((share) => quantile(times[path], share))
    const [directP50 = NaN, directP99 = NaN] = row('direct')
    const [gatewayP50 = NaN, gatewayP99 = NaN] = row('gateway')
    rows.push({
      streams,
      requests: times.gateway.length,
      'direct p50': directP50.toFixed(2),
      'gateway p50': gatewayP50.toFixed(2),
      'added p50': (gatewayP50 - directP50).toFixed(2),
      'direct p99': directP99.toFixed(2),
      'gateway p99': gatewayP99.toFixed(2),
      'added p99': (gatewayP99 - directP99).toFixed(2),
    })
  }
  console.log(
    'Time to first token in ms; a 50 KB request, then 25 events in half a second, starts spread out, ledger in memory:',
  )
  console.table(rows)
  agent.destroy()
  gateway.kill()
  provider.kill()
}

const [role, upstream = ''] = process.argv.slice(2)
if (role === 'provider') runProvider()
else if (role === 'gateway') await runGateway(upstream)
else await main()
