/**
 * What the broker adds to an MCP call: one client's stdio server called directly, through a bare relay made with the SDK
 * (the floor), through one that has a line of each call on disk before it is made (the floor of whoever records intents),
 * through Holdfast, and through peers from npm, in turns in the same run. Holdfast's host is a process of
 * its own, as shipped, with every check on: the real gate, policy, ledger on disk, pins and redaction.
 *
 *   node test/bench/broker.ts [calls|handshakes|memory|all] [number of calls]    default: all 2000
 *   HOLDFAST_BENCH_PEERS=DIR      a folder with mcp-hub, mcp-remote and supergateway in its node_modules; else left out:
 *                                 npm install --prefix DIR --ignore-scripts mcp-hub@4.2.1 mcp-remote@0.15.1 supergateway@4.0.0
 */
import { fork, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { descendantsOf } from '../../shared/core/containers/proc-parse.ts'
import { readProcesses } from '../../shared/core/containers/processes.ts'
import { EVERYTHING_SERVER } from '../fixtures/servers/broker-session.ts'
import { freePort } from '../support/free-port.ts'

interface Command {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}
/** One way to the server: what to run for each client, and the name that its tool has there. */
interface Way {
  readonly name: string
  readonly tool: (name: string) => string
  /** Starts what all clients share; `next` gives what one more of them runs. */
  open(server: Command): Promise<{ next(): Promise<Command>; close(): Promise<unknown> }>
}

const [what = 'all', count = '2000'] = process.argv.slice(2)
const CALLS = Number(count)
const BATCH = 50
const SIZES = { small: 'x', '100 KB': 'x'.repeat(100_000) }
const HANDSHAKES = 10
const AT_ONCE = 16
const root = fileURLToPath(new URL('../..', import.meta.url))
const peers = process.env['HOLDFAST_BENCH_PEERS']
const scratch = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
const node = (file: string, ...args: string[]): Command => ({ command: process.execPath, args: [file, ...args] })
const EVERYTHING = node(EVERYTHING_SERVER, 'stdio')
/** Asks its client nothing and keeps nothing for it: one process may serve several. */
const FILESYSTEM = node(fileURLToPath(import.meta.resolve('@modelcontextprotocol/server-filesystem/dist/index.js')), scratch)

const relay = ({ command, args }: Command): Command => node(fileURLToPath(new URL('../fixtures/servers/relay.ts', import.meta.url)), command, ...args)

const started: ChildProcess[] = []
const run = ({ command, args }: Command, env: NodeJS.ProcessEnv = process.env): ChildProcess => {
  const child = spawn(command, args, { stdio: 'ignore', env })
  started.push(child)
  return child
}
const end = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await Promise.race([ended, sleep(3_000).then(() => child.kill('SIGKILL'))])
}
const answers = async (port: number): Promise<void> => {
  for (let tries = 0; tries < 600; tries += 1) {
    const socket = connect(port, '127.0.0.1')
    const isUp = await Promise.race([once(socket, 'connect').then(() => true, () => false), sleep(500).then(() => false)])
    socket.destroy()
    if (isUp) return
    await sleep(50)
  }
  throw new Error(`nothing answers on port ${port}`)
}
const peer = (name: string, ...args: string[]): Command => node(join(peers ?? '', 'node_modules', '.bin', name), ...args)

const WAYS: Way[] = [
  { name: 'direct', tool: (name) => name, open: async (server) => ({ next: async () => server, close: async () => undefined }) },
  { name: 'bare SDK relay', tool: (name) => name, open: async (server) => ({ next: async () => relay(server), close: async () => undefined }) },
  {
    name: 'bare relay + durable line',
    tool: (name) => name,
    open: async (server) => ({ next: async () => ({ ...relay(server), env: { RELAY_LOG: join(scratch, 'relay.log') } }), close: async () => undefined }),
  },
  {
    name: 'Holdfast',
    tool: (name) => `one__${name}`,
    open: async (server) => {
      const host = fork(fileURLToPath(new URL('./broker-host.ts', import.meta.url)), [scratch, JSON.stringify(server)])
      started.push(host)
      const shim = join(root, 'build/out/host/stdio-shim.mjs')
      return {
        next: async () => {
          host.send('open')
          const [env] = (await once(host, 'message')) as [Record<string, string>]
          return { ...node(shim), env }
        },
        close: async () => {
          host.send('end')
          await once(host, 'exit')
        },
      }
    },
  },
  ...(peers === undefined
    ? []
    : [
        {
          name: 'mcp-hub + mcp-remote',
          tool: (name: string) => `one__${name}`,
          open: async (server: Command) => {
            const at = await freePort()
            const file = join(scratch, `hub-${at}.json`)
            writeFileSync(file, JSON.stringify({ mcpServers: { one: server } }))
            const hub = run(peer('mcp-hub', '--port', String(at), '--config', file))
            await answers(at)
            return { next: async () => peer('mcp-remote', `http://localhost:${at}/mcp`, '--allow-http'), close: () => end(hub) }
          },
        },
        {
          name: 'supergateway twice',
          tool: (name: string) => name,
          open: async (server: Command) => {
            const at = await freePort()
            const line = [server.command, ...server.args].join(' ')
            const outer = run(peer('supergateway', '--stdio', line, '--outputTransport', 'streamableHttp', '--stateful', '--port', String(at), '--logLevel', 'none'))
            await answers(at)
            return { next: async () => peer('supergateway', '--streamableHttp', `http://localhost:${at}/mcp`, '--logLevel', 'none'), close: () => end(outer) }
          },
        },
      ]),
]

const dial = async ({ command, args, env }: Command): Promise<Client> => {
  const client = new Client({ name: 'bench', version: '1.0.0' })
  await client.connect(new StdioClientTransport({ command, args: [...args], stderr: 'ignore', env: { PATH: process.env['PATH'] ?? '', HOME: scratch, ...env } }))
  return client
}
const percentile = (times: readonly number[], share: number): number => times.toSorted((a, b) => a - b)[Math.floor((times.length - 1) * share)] ?? Number.NaN

const timeCalls = async (client: Client, name: string, message: string, calls: number): Promise<number[]> => {
  const times: number[] = []
  for (let i = 0; i < calls; i += 1) {
    const before = performance.now()
    const { isError, content } = await client.callTool({ name, arguments: { message } })
    times.push(performance.now() - before)
    if (isError === true) throw new Error(`${name}: ${JSON.stringify(content).slice(0, 300)}`)
  }
  return times
}

const compareCalls = async (): Promise<void> => {
  const open: { way: Way; client: Client; close(): Promise<unknown> }[] = []
  for (const way of WAYS) {
    const { next, close } = await way.open(EVERYTHING)
    const client = await dial(await next())
    await client.listTools()
    open.push({ way, client, close })
  }
  const rows: Record<string, Record<string, string>> = {}
  for (const [size, message] of Object.entries(SIZES)) {
    const calls = size === 'small' ? CALLS : Math.ceil(CALLS / 5)
    const times = new Map<string, number[]>(WAYS.map(({ name }) => [name, []]))
    for (const { way, client } of open) await timeCalls(client, way.tool('echo'), message, Math.ceil(calls / 4))
    for (let done = 0; done < calls; done += BATCH) {
      for (const { way, client } of open) times.get(way.name)?.push(...(await timeCalls(client, way.tool('echo'), message, BATCH)))
    }
    const at = (name: string, share: number): number => percentile(times.get(name) ?? [], share)
    for (const { name } of WAYS) {
      const added = (share: number): string => (name === 'direct' ? '' : (at(name, share) - at('direct', share)).toFixed(3))
      rows[`${size}: ${name}`] = { 'p50 ms': at(name, 0.5).toFixed(3), 'p99 ms': at(name, 0.99).toFixed(3), 'added p50': added(0.5), 'added p99': added(0.99) }
    }
  }
  console.table(rows)

  const rates: Record<string, Record<string, string>> = {}
  for (const { way, client } of open) {
    const before = performance.now()
    await Promise.all(Array.from({ length: AT_ONCE }, () => timeCalls(client, way.tool('echo'), 'x', Math.ceil(CALLS / AT_ONCE))))
    const perSecond = CALLS / ((performance.now() - before) / 1_000)
    rates[way.name] = { 'calls/s, 16 at once': perSecond.toFixed(0) }
  }
  console.table(rates)
  for (const { client, close } of open) {
    await client.close()
    await close()
  }
}

/** How long one more client waits for a connection, while another has one: until it may ask for tools. */
const compareHandshakes = async (): Promise<void> => {
  const rows: Record<string, Record<string, string>> = {}
  for (const [kind, server] of Object.entries({ 'of its own': EVERYTHING, 'that may be shared': FILESYSTEM })) {
    for (const way of WAYS) {
      const { next, close } = await way.open(server)
      const first = await dial(await next())
      await first.listTools()
      const times: number[] = []
      for (let i = 0; i < HANDSHAKES; i += 1) {
        const command = await next()
        const from = performance.now()
        const one = await dial(command)
        times.push(performance.now() - from)
        await one.close()
      }
      rows[way.name] = { ...rows[way.name], [`p50 ms, server ${kind}`]: percentile(times, 0.5).toFixed(0) }
      await first.close()
      await close()
    }
  }
  console.table(rows)
}

/** Proportional share, so that what processes have in common counts once. */
const memoryOf = (): number => {
  const sizes = descendantsOf(readProcesses(), new Set([process.pid])).map(({ pid }) => {
    try {
      return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0)
    } catch {
      return 0
    }
  })
  return sizes.reduce((sum, size) => sum + size, 0) / 1_024
}

const compareMemory = async (): Promise<void> => {
  const rows: Record<string, Record<string, string>> = {}
  for (const way of WAYS) {
    const { next, close } = await way.open(FILESYSTEM)
    const clients: Client[] = []
    const row: Record<string, string> = {}
    for (const sessions of [1, 3, 10]) {
      while (clients.length < sessions) {
        const client = await dial(await next())
        await client.listTools()
        await client.callTool({ name: way.tool('list_allowed_directories'), arguments: {} })
        clients.push(client)
      }
      row[`${sessions} sessions, MB`] = memoryOf().toFixed(0)
    }
    rows[way.name] = row
    await Promise.all(clients.map((client) => client.close()))
    await close()
  }
  console.table(rows)
}

if (!existsSync(join(root, 'build/out/host/stdio-shim.mjs'))) throw new Error('Bundle first: npm run -s holdfast -- --version')
try {
  console.log(`${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)}`)
  for (const [name, compare] of Object.entries({ calls: compareCalls, handshakes: compareHandshakes, memory: compareMemory })) {
    if (what === name || what === 'all') await compare()
  }
} finally {
  for (const child of started) child.kill('SIGKILL')
  rmSync(scratch, { recursive: true, force: true })
}
