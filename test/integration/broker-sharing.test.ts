import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Client } from '@modelcontextprotocol/client'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createLinuxProvider } from '../../shared/core/containers/linux.ts'
import type { ContainerSpec } from '../../shared/core/ports.ts'
import { EVERYTHING_SERVER, nodeServer, openHarness, PLAIN_HOLD, SESSION_ID } from '../fixtures/servers/broker-session.ts'
import type { Harness } from '../fixtures/servers/broker-session.ts'

const SHARED = fileURLToPath(new URL('../fixtures/servers/shared-server.ts', import.meta.url))
const linux = createLinuxProvider()
const noNamespaces = await linux.unavailable()
let harness: Harness
afterEach(() => harness.close())

const textOf = async (client: Client, name: string, args: Record<string, unknown> = {}): Promise<string> =>
  (await client.callTool({ name: `one__${name}`, arguments: args })).content.map((block) => (block.type === 'text' ? block.text : '')).join('')
/** A process that has ended stays listed, as Z, until its parent has heard of it. */
const isRunning = (pid: number): boolean => existsSync(`/proc/${pid}`) && !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'))

/** Two sessions that have the same server, both ready. */
const two = async (servers: Record<string, unknown>, changed: Parameters<Harness['another']>[0] = {}, options: Parameters<typeof openHarness>[1] = {}) => {
  harness = await openHarness(servers, options)
  const first = await harness.agent()
  await first.client.listTools()
  const other = await harness.another(changed)
  const second = await other.agent()
  await second.client.listTools()
  return { a: first.client, b: second.client, other }
}
/** Begins a call that ends by being cancelled, and resolves when the server works on it; `isOver` says whether it has ended. */
const hang = async (client: Client) => {
  const begun = Promise.withResolvers<void>()
  const left = new AbortController()
  let isOver = false
  const call = client.callTool({ name: 'one__hang' }, { onprogress: () => begun.resolve(), signal: left.signal })
  const ended = call.then(() => 'answered', () => 'failed').finally(() => (isOver = true))
  await begun.promise
  return { ended, cancel: () => left.abort(), isOver: () => isOver }
}
const eventually = <Value>(check: () => Value | Promise<Value>): Promise<Value> => vi.waitFor(check, { timeout: 20_000 })

describe.skipIf(process.platform !== 'linux')('one process of a server for several sessions', () => {
  test('serves two sessions of one agent in one project, and ends with the last of them', async () => {
    const { a, b, other } = await two({ one: nodeServer(SHARED) })
    const pid = await textOf(a, 'pid')
    expect(await textOf(b, 'pid')).toBe(pid)
    expect(await harness.session.close('gently')).toMatchObject({ killed: 0, survivors: [] })
    expect(await textOf(b, 'pid')).toBe(pid)
    expect((await other.session.close('gently')).survivors).toEqual([])
    expect(isRunning(Number(pid))).toBe(false)
  })

  test('mixes up neither answers nor progress, and each call says whose it is', async () => {
    const { a, b, other } = await two({ one: nodeServer(SHARED) })
    expect(await textOf(a, 'pid')).toBe(await textOf(b, 'pid'))
    const run = async (client: Client, said: string): Promise<boolean> => {
      const steps: unknown[] = []
      const { content } = await client.callTool({ name: 'one__steps', arguments: { text: said } }, { onprogress: ({ message }) => void steps.push(message) })
      // The SDK's client drops progress that arrives together with the result.
      return JSON.stringify(content) === JSON.stringify([{ type: 'text', text: said }]) && steps.every((step) => step === said)
    }
    const calls = Array.from({ length: 200 }, (_, index) => [run(a, `a${index}`), run(b, `b${index}`)]).flat()
    expect((await Promise.all(calls)).filter(Boolean)).toHaveLength(400)
    expect([await textOf(a, 'who'), await textOf(b, 'who')]).toEqual([SESSION_ID, other.sessionId])
  })

  test('cancels for one session its own call alone', async () => {
    const { a, b } = await two({ one: nodeServer(SHARED) })
    const mine = await hang(a)
    const theirs = await hang(b)
    mine.cancel()
    expect(await mine.ended).toBe('failed')
    await eventually(async () => expect(await textOf(a, 'cancelled')).toBe('1'))
    expect(theirs.isOver()).toBe(false)
  })

  test('a kill of one session leaves the other its process, and its call', async () => {
    const { a, b, other } = await two({ one: nodeServer(SHARED) })
    const pid = await textOf(a, 'pid')
    await textOf(b, 'pid')
    const under = await hang(a)
    expect(readdirSync(harness.killFiles).filter((name) => name.startsWith(`${other.sessionId}.`))).toHaveLength(1)
    expect(await other.session.close('at-once')).toMatchObject({ killed: 0, survivors: [] })
    expect(under.isOver()).toBe(false)
    expect(await textOf(a, 'pid')).toBe(pid)
    expect(readdirSync(harness.killFiles).filter((name) => name.startsWith(`${other.sessionId}.`))).toEqual([])
  })

  test.each([
    ['a call that is under way', async (client: Client) => void (await hang(client))],
    ['a process that a call has left', async (client: Client) => void (await textOf(client, 'spawn'))],
  ])('a kill ends the process with %s; the other session gets a new one', async (_what, leave) => {
    const { a, b, other } = await two({ one: nodeServer(SHARED) })
    const pid = await textOf(a, 'pid')
    await leave(b)
    const proof = await other.session.close('at-once')
    expect(proof.survivors).toEqual([])
    expect(proof.killed).toBeGreaterThan(0)
    expect(isRunning(Number(pid))).toBe(false)
    await eventually(async () => expect(await textOf(a, 'pid')).toMatch(/^\d+$/))
    expect(await textOf(a, 'pid')).not.toBe(pid)
  })

  test.skipIf(noNamespaces !== null)(`in a container of namespaces the same holds${noNamespaces === null ? '' : ` (${noNamespaces})`}`, async () => {
    const { a, b, other } = await two({ one: nodeServer(SHARED) }, {}, { hold: { ...PLAIN_HOLD, launch: (spec) => linux.launch(spec), homeAt: homedir() } })
    await Promise.all([textOf(a, 'pid'), textOf(b, 'pid')])
    expect(await other.session.close('at-once')).toMatchObject({ killed: 0, survivors: [] })
    expect(await textOf(a, 'steps', { text: 'still here' })).toBe('still here')
    const proof = await harness.session.close('at-once')
    expect(proof.survivors).toEqual([])
    expect(proof.killed).toBeGreaterThan(0)
  })

  test('what crashes comes back as one process for both', async () => {
    const { a, b } = await two({ one: nodeServer(SHARED) })
    const pid = await textOf(a, 'pid')
    await textOf(b, 'crash')
    await eventually(async () => expect(await textOf(b, 'pid')).not.toBe(pid))
    const again = await eventually(async () => {
      const found = await textOf(a, 'pid')
      expect(found).toMatch(/^\d+$/)
      return found
    })
    expect(await textOf(b, 'pid')).toBe(again)
  })

  test('a rotated secret is with both, in one new process', async () => {
    const secrets: Record<string, string> = { 'agent/key': 'first-value' }
    const { a, b } = await two({ one: nodeServer(SHARED, { KEY_SECRET: 'agent/key' }) }, {}, { secrets, deps: { redactor: { know: () => {}, text: (text) => text, json: (value) => value, count: 0 } } })
    expect([await textOf(a, 'secret'), await textOf(b, 'secret')]).toEqual(['first-value', 'first-value'])
    secrets['agent/key'] = 'second-value'
    harness.broker.secretChanged('agent/key')
    for (const client of [a, b]) await eventually(async () => expect(await textOf(client, 'secret')).toBe('second-value'))
    expect(await textOf(a, 'pid')).toBe(await textOf(b, 'pid'))
  })

  test('is not shared with a session of another agent, project, environment, arguments, walls or network', async () => {
    // The plain container knows no networks: what it is told of them is not kept from the server.
    const launch: typeof PLAIN_HOLD.launch = (spec) => PLAIN_HOLD.launch({ ...spec, network: 'open' })
    const through = (network: ContainerSpec['network']) => ({
      hold: { ...PLAIN_HOLD, launch, networkFor: () => ({ network, env: {}, close: () => {} }) },
    })
    const asks = { port: 1, listen: () => Promise.reject(new Error('never asked for')) }
    harness = await openHarness({ one: nodeServer(SHARED) }, { hold: { ...PLAIN_HOLD, launch } })
    const pidOf = async (connect: Harness['agent']): Promise<string> => textOf((await connect()).client, 'pid')
    const first = await pidOf(harness.agent)
    const others = [
      { agent: 'another-agent' },
      { cwd: '/' },
      { servers: { one: nodeServer(SHARED, { KEY: 'other' }) } },
      { servers: { one: nodeServer(SHARED, {}, ['--other']) } },
      { servers: { two: nodeServer(SHARED), one: nodeServer(SHARED, { two: '2' }) } },
      { hold: { ...PLAIN_HOLD, launch, guarded: { readable: ['/etc/hosts'], writable: [] } } },
      through('none'),
      // Each of its questions names the session.
      through(asks),
      through(asks),
    ]
    const pids = [first]
    for (const changed of others) pids.push(await pidOf((await harness.another(changed)).agent))
    expect(new Set(pids).size).toBe(pids.length)
    expect(await pidOf((await harness.another()).agent)).toBe(first)
  })

  test('is not shared with an agent that can do something else', async () => {
    harness = await openHarness({ one: nodeServer(SHARED) })
    const { client: a } = await harness.agent()
    const { client: b } = await (await harness.another()).agent({ capabilities: { elicitation: {} } })
    expect(await textOf(b, 'pid')).not.toBe(await textOf(a, 'pid'))
  })

  test('is not shared where the server keeps something for its client', async () => {
    const { a, b } = await two({ one: nodeServer(SHARED, { LOGS: '1' }) })
    expect(await textOf(b, 'pid')).not.toBe(await textOf(a, 'pid'))
  })

  describe('that asks its client', () => {
    const CAN_ANSWER = { capabilities: { elicitation: {} } }
    const answering = (name: string) => (client: Client): Client => {
      client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { name } }))
      return client
    }
    const open = async () => {
      harness = await openHarness({ one: nodeServer(SHARED) })
      const { client: a } = await harness.agent(CAN_ANSWER, answering('Ada'))
      await a.listTools()
      const other = await harness.another()
      const { client: b } = await other.agent(CAN_ANSWER, answering('Bob'))
      expect(await textOf(b, 'pid')).toBe(await textOf(a, 'pid'))
      return { a, b }
    }

    test('asks the session whose call it works on, and from then on each has a process of its own', async () => {
      const { a, b } = await open()
      expect(await textOf(b, 'ask')).toBe('Bob')
      await eventually(async () => expect(await textOf(a, 'pid')).toMatch(/^\d+$/))
      await eventually(async () => expect(await textOf(a, 'pid')).not.toBe(await textOf(b, 'pid')))
      const [own, theirs] = await Promise.all([textOf(a, 'ask'), textOf(b, 'ask')])
      expect([own, theirs]).toEqual(['Ada', 'Bob'])
    })

    test('is answered by nobody while both have calls under way, and then has one process each', async () => {
      const { a, b } = await open()
      const under = await hang(a)
      expect(await textOf(b, 'ask')).toContain('does not say which of them it is for')
      under.cancel()
      await eventually(async () => expect(await textOf(b, 'ask')).toBe('Bob'))
      expect(await textOf(a, 'ask')).toBe('Ada')
    })
  })

  test('server-everything, which has logging and subscriptions, is each session’s own', async () => {
    harness = await openHarness({ one: nodeServer(EVERYTHING_SERVER, {}, ['stdio']) })
    const { client: a } = await harness.agent()
    await a.listTools()
    const { client: b } = await (await harness.another()).agent()
    await b.listTools()
    expect(readdirSync(harness.killFiles)).toHaveLength(2)
  })
})
