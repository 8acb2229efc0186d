import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Client } from '@modelcontextprotocol/client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createLinuxProvider } from '../../shared/core/containers/linux.ts'
import { randomIds } from '../../shared/core/identifiers.ts'
import { CALL_ID, nodeServer, openHarness, SESSION_ID } from '../fixtures/servers/broker-session.ts'
import type { NetworkMode } from '../../shared/contract/schemas/profile.ts'
import type { PolicyDecision } from '../../shared/contract/schemas/tool-call.ts'
import type { ServerNetworks } from '../../shared/core/broker/server-container.ts'
import { createEgress, type NetworkInput } from '../../shared/core/egress/egress.ts'
import type { Ledger, ToolCallAsk } from '../../shared/core/ports.ts'
import { planServerNetworks } from '../../shared/core/supervisor/server-network.ts'
import type { Harness } from '../fixtures/servers/broker-session.ts'

const PROBE = fileURLToPath(new URL('../fixtures/servers/probe-server.ts', import.meta.url))
const linux = createLinuxProvider()
const missing = await linux.unavailable()

let folder: string
let project: string
let harness: Harness | null = null
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-contained-'))
  project = join(folder, 'project')
  for (const name of ['project', 'config', 'kill', 'servers']) mkdirSync(join(folder, name))
  writeFileSync(join(folder, 'config', 'token'), 'an approver’s token')
  writeFileSync(join(project, 'README.md'), 'hello')
})
afterEach(async () => {
  await harness?.close()
  harness = null
  rmSync(folder, { recursive: true, force: true })
})

/** The network of a session in this mode, where every question is answered with no. */
const networkFor = (mode: NetworkMode, asked: unknown[] = []): ServerNetworks => {
  const gate = { request: (ask: ToolCallAsk) => (asked.push(ask.input), Promise.resolve({ allowed: false, toolCallId: CALL_ID, reason: 'no' } as const)), finish: () => undefined }
  const judge = (_: unknown, __: string, input: NetworkInput) => ({ effect: input.listed === undefined ? 'ask' : 'allow' }) as PolicyDecision
  const egress = createEgress({ clock: { now: () => 0 }, gate, ledger: { append: () => ({}) } as unknown as Ledger, judge })
  return planServerNetworks({ egress, sessionId: SESSION_ID, way: { mode }, signal: new AbortController().signal })
}
const open = async (servers: Record<string, unknown>, secrets: Record<string, string> = {}, network: ServerNetworks = networkFor('open')): Promise<Client> => {
  harness = await openHarness(servers, {
    secrets,
    cwd: project,
    hold: { launch: (spec) => linux.launch(spec), homeAt: homedir(), guarded: { readable: [], writable: [] }, networkFor: network },
    deps: { containers: { ids: randomIds, homes: join(folder, 'servers'), killFiles: join(folder, 'kill'), hidden: [join(folder, 'config')] } },
  })
  return (await harness.agent()).client
}
const ask = async (client: Client, name: string, args: Record<string, unknown> = {}): Promise<unknown> => {
  const { content } = await client.callTool({ name, arguments: args })
  const [block] = content
  return block?.type === 'text' ? (JSON.parse(block.text) as unknown) : null
}
const commandLines = (): string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      } catch {
        return ''
      }
    })

describe.skipIf(missing !== null)(`a server in a container of its own${missing === null ? '' : ` (${missing})`}`, () => {
  test('sees the project and a home that it keeps, and neither the user’s home nor Holdfast’s files nor other processes', async () => {
    const client = await open({ one: nodeServer(PROBE) })
    expect(await ask(client, 'one__read', { path: join(project, 'README.md') })).toBe('hello')
    expect(await ask(client, 'one__read', { path: join(folder, 'config', 'token') })).toBe('ENOENT')
    expect(await ask(client, 'one__home')).toBe(homedir())
    expect(await ask(client, 'one__write', { path: join(homedir(), '.probe-kept') })).toBeNull()
    const [key = ''] = readdirSync(join(folder, 'servers'))
    expect(readFileSync(join(folder, 'servers', key, 'home', '.probe-kept'), 'utf8')).toBe('written')
    const processes = (await ask(client, 'one__list', { path: '/proc' })) as string[]
    expect(processes.filter((name) => /^\d+$/.test(name)).length).toBeLessThan(5)
  })

  test('starts at its own home, so that what npx runs is never a package of the project', async () => {
    const client = await open({ one: nodeServer(PROBE) })
    expect(await ask(client, 'one__place')).toBe(homedir())
  })

  describe('reaches no more than its session', () => {
    let server: Server
    let url = ''
    beforeEach(async () => {
      server = createServer((_, response) => response.end('reached')).listen(0, '127.0.0.1')
      await once(server, 'listening')
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    })
    afterEach(() => void server.close())
    const reach = (client: Client, name: string, proxied: boolean) => ask(client, `${name}__reach`, { url, proxied })

    test('open: as it is', async () => expect(await reach(await open({ one: nodeServer(PROBE) }), 'one', false)).toBe(200))

    test('gateway: nothing, and with hosts of its own those alone, without a question', async () => {
      const asked: unknown[] = []
      const host = new URL(url).host
      const servers = { none: nodeServer(PROBE), given: { ...nodeServer(PROBE), network: [host] }, other: { ...nodeServer(PROBE), network: ['other.test'] } }
      const client = await open(servers, {}, networkFor('gateway', asked))
      expect(await reach(client, 'none', false)).toBe('ECONNREFUSED')
      expect([await reach(client, 'given', false), await reach(client, 'given', true)]).toEqual(['ECONNREFUSED', 200])
      expect(await reach(client, 'other', true)).toBe(403)
      expect(asked).toEqual([])
    })

    test('allowlist: what is not its own is a question that names the server, and no way leads round it', async () => {
      const asked: unknown[] = []
      const { host, port } = new URL(url)
      const servers = { one: nodeServer(PROBE), given: { ...nodeServer(PROBE), network: [host] }, free: { ...nodeServer(PROBE), network: 'open' } }
      const client = await open(servers, {}, networkFor('allowlist', asked))
      expect([await reach(client, 'one', false), await reach(client, 'one', true)]).toEqual(['ECONNREFUSED', 403])
      expect(asked).toEqual([{ host: '127.0.0.1', port: Number(port), server: 'one' }])
      expect(await reach(client, 'given', true)).toBe(200)
      expect(await reach(client, 'free', false)).toBe(200)
      expect(asked).toHaveLength(1)
    })
  })

  test('does not see the secret of another server, in no process and in no file', async () => {
    const client = await open({ one: nodeServer(PROBE, { KEY_SECRET: 'agent/key' }), two: nodeServer(PROBE) }, { 'agent/key': 'a-value-of-one-alone' })
    const ids = ((await ask(client, 'two__list', { path: '/proc' })) as string[]).filter((name) => /^\d+$/.test(name))
    const seen = await Promise.all(ids.map((pid) => ask(client, 'two__read', { path: `/proc/${pid}/environ` })))
    expect(seen.join()).not.toContain('KEY=')
    expect(await ask(client, 'one__read', { path: '/proc/self/environ' })).toContain('KEY=[redacted]')
  })

  test('takes along, when its session ends, what it started in sessions of their own', async () => {
    const client = await open({ one: nodeServer(PROBE) })
    const mark = String(process.pid) + String(Date.now())
    await ask(client, 'one__detach', { mark })
    await expect.poll(() => commandLines().filter((line) => line.startsWith(`sleep\x00600.${mark}`)).length).toBe(2)
    const proof = await harness?.session.close('at-once')
    expect(proof?.survivors).toEqual([])
    expect(commandLines().filter((line) => line.includes(mark))).toEqual([])
    expect(readdirSync(join(folder, 'kill'))).toEqual([])
  })

  test('with secrets is not started from a program or a file that the agent can change', async () => {
    const file = join(project, 'server.mjs')
    writeFileSync(file, readFileSync(PROBE))
    const client = await open({ one: nodeServer('./server.mjs', { KEY_SECRET: 'agent/key' }) }, { 'agent/key': 'a-value-of-one-alone' })
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['status'])
    expect(harness?.session.servers()[0]?.message).toContain('./server.mjs lies in the project, where the agent can change it')
  })
})
