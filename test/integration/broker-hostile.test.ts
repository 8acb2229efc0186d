import { fileURLToPath } from 'node:url'
import type { Client } from '@modelcontextprotocol/client'
import { afterEach, expect, test } from 'vitest'
import type { BrokerDeps } from '../../shared/core/broker/create-broker.ts'
import { CALL_ID, FIXTURE_SERVER, nodeServer, openHarness } from '../fixtures/servers/broker-session.ts'
import type { Harness } from '../fixtures/servers/broker-session.ts'
import { heldBytes } from '../support/memory.ts'

const HOSTILE = fileURLToPath(new URL('../fixtures/servers/hostile-server.ts', import.meta.url))
const SECRET = 'correct/horse battery'
let harness: Harness
afterEach(async () => {
  // Gently takes its time with one that ignores the end of its input.
  await harness.session.close('at-once')
  await harness.close()
})

const open = async (env: Record<string, string> = {}, deps: Partial<BrokerDeps> = {}): Promise<Client> => {
  harness = await openHarness(
    { hostile: nodeServer(HOSTILE, { KEY_SECRET: 'agent/key', ...env }), fine: nodeServer(FIXTURE_SERVER) },
    {
      deps,
      secrets: { 'agent/key': SECRET },
      decide: async ({ tool }) =>
        tool.endsWith('sampling') ? { allowed: false, toolCallId: CALL_ID, reason: 'Not on my budget.' } : { allowed: true, toolCallId: CALL_ID },
    },
  )
  const { client } = await harness.agent({ capabilities: { sampling: {}, elicitation: {} } }, (agent) => {
    agent.setRequestHandler('elicitation/create', () => {
      elicited += 1
      return new Promise(() => {})
    })
    agent.setRequestHandler('sampling/createMessage', () => {
      sampled += 1
      return { model: 'm', role: 'assistant', content: { type: 'text', text: 'spent' } }
    })
    return agent
  })
  await client.listTools()
  return client
}
let sampled = 0
let elicited = 0
const call = async (client: Client, name: string, options = {}): Promise<{ text: string; isError: boolean }> => {
  const { content, isError } = await client.callTool({ name }, options)
  return { text: content.map((block) => (block.type === 'text' ? block.text : '')).join(''), isError: isError === true }
}
const othersDoNotNotice = async (client: Client) => expect(await call(client, 'fine__mutable')).toEqual({ text: 'ran', isError: false })

test('a result of 100 MB ends that server alone, with a clear error, and is not held in memory', async () => {
  const client = await open()
  const before = heldBytes()
  const result = await call(client, 'hostile__huge')
  expect(result.isError).toBe(true)
  expect(result.text).toContain('The call to the server hostile failed')
  await expect.poll(() => heldBytes() - before, { timeout: 20_000 }).toBeLessThan(50_000_000)
  await othersDoNotNotice(client)
})

test('what is no JSON, an answer twice, one for nobody and one of the wrong form leave the connection in order', async () => {
  const client = await open()
  const gone = new AbortController()
  const garbled = client.callTool({ name: 'hostile__garbage' }, { signal: gone.signal })
  garbled.catch(() => {})
  expect((await call(client, 'hostile__twice')).text).toBe('first')
  expect((await call(client, 'hostile__ghost')).isError).toBe(true)
  expect((await call(client, 'hostile__fine')).text).toBe('fine')
  gone.abort()
  await expect(garbled).rejects.toThrow(/abort/i)
  await othersDoNotNotice(client)
})

test('a server that never answers holds up its own call alone, which the agent can cancel', async () => {
  const client = await open()
  const gone = new AbortController()
  const silent = client.callTool({ name: 'hostile__silent' }, { signal: gone.signal })
  await othersDoNotNotice(client)
  gone.abort()
  await expect(silent).rejects.toThrow(/abort/i)
  expect((await call(client, 'hostile__fine')).text).toBe('fine')
})

test('one that ignores the end of its input and SIGTERM is ended all the same', async () => {
  await open()
  expect(await harness.session.close('gently')).toMatchObject({ survivors: [] })
})

test('a flood of progress does no harm', async () => {
  const client = await open()
  expect((await call(client, 'hostile__flood', { onprogress: () => {} })).text).toBe('flooded')
  await othersDoNotNotice(client)
})

test('progress without an end holds up its own call alone, fills no memory, and ends with the session', async () => {
  const client = await open()
  const gone = new AbortController()
  const before = heldBytes()
  let heard = 0
  const { promise: flooded, resolve } = Promise.withResolvers<void>()
  const endless = client.callTool({ name: 'hostile__endless' }, { signal: gone.signal, onprogress: () => void ((heard += 1) === 20_000 && resolve()) })
  endless.catch(() => {})
  await flooded
  await expect.poll(() => harness.session.servers()[1]?.state, { timeout: 20_000 }).toBe('ready')
  await othersDoNotNotice(client)
  await expect.poll(() => heldBytes() - before, { timeout: 20_000 }).toBeLessThan(50_000_000)
  gone.abort()
  await expect(endless).rejects.toThrow(/abort/i)
  await othersDoNotNotice(client)
  expect(await harness.session.close('at-once')).toMatchObject({ survivors: [] })
})

test('one that ends in the middle of a call is an error on that call', async () => {
  const client = await open()
  expect(await call(client, 'hostile__exit')).toMatchObject({ isError: true })
  await othersDoNotNotice(client)
})

test('sampling that nobody allowed does not reach the agent', async () => {
  const client = await open()
  expect((await call(client, 'hostile__sample')).text).toBe('asked')
  await othersDoNotNotice(client)
  expect(sampled).toBe(0)
  expect(harness.asks.filter(({ tool }) => tool === 'mcp__hostile__sampling')).toHaveLength(50)
})

test('of a server’s questions a hundred wait for the agent at once, and no more', async () => {
  const client = await open()
  const gone = new AbortController()
  const asking = client.callTool({ name: 'hostile__ask' }, { signal: gone.signal })
  asking.catch(() => {})
  await expect.poll(() => elicited, { timeout: 20_000 }).toBe(100)
  await othersDoNotNotice(client)
  expect(elicited).toBe(100)
  gone.abort()
  await expect(asking).rejects.toThrow(/abort/i)
})

test('a known secret is taken out of what a server lists', async () => {
  const client = await open({ HOSTILE_LISTS: 'yes' })
  const lists = await Promise.all([client.listTools(), client.listResources(), client.listResourceTemplates(), client.listPrompts()])
  for (const list of lists) expect(JSON.stringify(list)).toContain('as [redacted]')
  expect(lists[1].resources[0]?.uri).toBe('db://[redacted]@host/')
  expect(JSON.stringify(lists)).not.toContain(SECRET)
})

test('a known secret is taken out in seven spellings', async () => {
  const client = await open()
  const { text } = await call(client, 'hostile__reveal')
  expect(text.split(' | ').map((form) => form.replaceAll('"', '').replace(/^.{0,2}\[redacted\].{0,3}$/, '[redacted]'))).toEqual(Array(7).fill('[redacted]'))
  expect(harness.finished.at(-1)).toMatchObject({ ok: true, redacted: 7 })
})

test('of more tools than anybody needs, the first thousand are taken, and it says so', async () => {
  const client = await open({ HOSTILE_TOOLS: '20000' })
  const { tools } = await client.listTools()
  expect(tools.filter(({ name }) => name.startsWith('hostile__'))).toHaveLength(1_000)
  expect(harness.session.servers()[0]?.message).toContain('19012 of its tools are left out')
  await othersDoNotNotice(client)
})

test('of a million tools nothing is taken, and the server says that it could not be understood', async () => {
  const before = heldBytes()
  // It is not tried again meanwhile, and nobody waits for it.
  const client = await open({ HOSTILE_TOOLS: '1000000' }, { timing: { startGraceMs: 3_000, restartDelayMs: 60_000 } })
  await expect.poll(() => harness.session.servers()[0], { timeout: 30_000 }).toMatchObject({ state: 'restarting', tools: 0, message: expect.stringContaining('hostile') })
  await expect.poll(() => harness.session.servers()[1]?.state, { timeout: 20_000 }).toBe('ready')
  await othersDoNotNotice(client)
  await expect.poll(() => heldBytes() - before, { timeout: 20_000 }).toBeLessThan(100_000_000)
})

test('of two tools whose names imitate each other only the one that was there first goes on, until a person has looked', async () => {
  harness = await openHarness({ fine: nodeServer(FIXTURE_SERVER), hostile: nodeServer(HOSTILE, { HOSTILE_NAME: 'mutabIe' }) })
  const { client } = await harness.agent()
  const names = async () => (await client.listTools()).tools.map(({ name }) => name)
  await expect.poll(() => harness.session.servers().map(({ state }) => state), { timeout: 20_000 }).toEqual(['ready', 'ready'])
  expect((await names()).filter((name) => ['fine__mutable', 'hostile__mutabIe'].includes(name))).toHaveLength(1)
  expect(await names()).toEqual(expect.arrayContaining(['fine__pid', 'hostile__fine']))
  expect(harness.alarms.join()).toMatch(/The tool (mutable|mutabIe) of the MCP server (fine|hostile) is stopped: .*has a name that (imitates|looks like) a tool of the server/)
})
