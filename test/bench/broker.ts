import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { EVERYTHING_SERVER, nodeServer, openHarness } from '../fixtures/servers/broker-session.ts'

/**
 * Time per tool call of one stdio server, called directly and through shim and broker, in turns in the same run.
 * Prints a table in milliseconds: `node test/bench/broker.ts [calls]`.
 */
const CALLS = Number(process.argv[2] ?? 3_000)
const BATCH = 50
const SIZES = { small: 'x', '100 KB': 'x'.repeat(100_000) }

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN

const row = (p50: number, p99: number) => ({ p50: p50.toFixed(3), p99: p99.toFixed(3) })

const timeCalls = async (client: Client, name: string, message: string, calls: number): Promise<number[]> => {
  const times: number[] = []
  for (let i = 0; i < calls; i += 1) {
    const before = performance.now()
    await client.callTool({ name, arguments: { message } })
    times.push(performance.now() - before)
  }
  return times
}

const server = nodeServer(EVERYTHING_SERVER, {}, ['stdio'])
const harness = await openHarness({ everything: server })
const direct = new Client({ name: 'bench', version: '1.0.0' })
await direct.connect(new StdioClientTransport({ ...server, stderr: 'ignore' }))
const { client: brokered } = await harness.agent()
const ways = [
  { way: 'direct', client: direct, name: 'echo' },
  { way: 'brokered', client: brokered, name: 'everything__echo' },
]

const rows: Record<string, Record<string, string>> = {}
for (const [size, message] of Object.entries(SIZES)) {
  const calls = size === 'small' ? CALLS : Math.ceil(CALLS / 10)
  const times: Record<string, number[]> = { direct: [], brokered: [] }
  for (const { client, name } of ways) await timeCalls(client, name, message, Math.ceil(calls / 5))
  for (let done = 0; done < calls; done += BATCH) {
    for (const { way, client, name } of ways) times[way]?.push(...(await timeCalls(client, name, message, BATCH)))
  }
  const at = (way: string, share: number): number => percentile(times[way]?.toSorted((a, b) => a - b) ?? [], share)
  for (const way of ['direct', 'brokered']) rows[`${size}, ${way}`] = row(at(way, 0.5), at(way, 0.99))
  const added = (share: number): number => at('brokered', share) - at('direct', share)
  rows[`${size}, added`] = row(added(0.5), added(0.99))
}

const handshakes: number[] = []
for (let i = 0; i < 10; i += 1) {
  const before = performance.now()
  const { client } = await harness.agent()
  handshakes.push(performance.now() - before)
  await client.close()
}
handshakes.sort((a, b) => a - b)
rows['handshake through shim'] = row(percentile(handshakes, 0.5), percentile(handshakes, 0.99))

console.table(rows)
await direct.close()
await harness.close()
