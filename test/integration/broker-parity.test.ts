import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EVERYTHING_SERVER, nodeServer, openHarness } from '../fixtures/servers/broker-session.ts'
import type { Harness } from '../fixtures/servers/broker-session.ts'

const CAPABILITIES = { roots: { listChanged: true }, sampling: {}, elicitation: { form: {}, url: {} } }
const rootsAsked = new Map<Client, PromiseWithResolvers<void>>()
/** A client that answers what servers ask, the same way for both. */
const able = (client: Client): Client => {
  rootsAsked.set(client, Promise.withResolvers())
  client.setRequestHandler('roots/list', () => {
    rootsAsked.get(client)?.resolve()
    return { roots: [{ uri: 'file:///project', name: 'project' }] }
  })
  client.setRequestHandler('sampling/createMessage', ({ params }) => ({
    model: 'a-model',
    role: 'assistant',
    content: { type: 'text', text: `sampled ${JSON.stringify(params.messages)}` },
  }))
  client.setRequestHandler('elicitation/create', ({ params }) =>
    params.mode === 'url' ? { action: 'decline' } : { action: 'accept', content: { name: 'Ada', check: true } },
  )
  return client
}
/** Times differ from one reading to the next. */
const timeless = (value: unknown): unknown => JSON.parse(JSON.stringify(value).replaceAll(/\d+:\d\d:\d\d( [AP]M)?/g, '(time)'))
const serverCapabilities = (client: Client) => {
  const { tasks: _tasks, ...capabilities } = client.getServerCapabilities() ?? {}
  return capabilities
}

let harness: Harness
let clients: { direct: Client; brokered: Client }
const toolName = { direct: (tool: string) => tool, brokered: (tool: string) => `everything__${tool}` }

beforeAll(async () => {
  const server = nodeServer(EVERYTHING_SERVER, {}, ['stdio'])
  harness = await openHarness({ everything: server })
  const direct = able(new Client({ name: 'agent', version: '1.0.0' }, { capabilities: CAPABILITIES }))
  await direct.connect(new StdioClientTransport({ ...server, stderr: 'ignore' }))
  clients = { direct, brokered: (await harness.agent({ capabilities: CAPABILITIES }, able)).client }
  await Promise.all([clients.direct, clients.brokered].map((client) => rootsAsked.get(client)?.promise))
})
afterAll(async () => {
  await clients.direct.close()
  await harness.close()
})

test('every tool definition reaches the agent as the server gave it, but for its name and tasks', async () => {
  const direct = (await clients.direct.listTools()).tools
  const brokered = (await clients.brokered.listTools()).tools.filter((tool) => tool.name !== 'status')
  expect(direct.length).toBeGreaterThan(10)
  expect(brokered).toEqual(direct.map(({ execution: _, ...tool }) => ({ ...tool, name: `everything__${tool.name}` })))
})

describe.each(['direct', 'brokered'] as const)('server-everything, %s', (way) => {
  const call = (tool: string, args: Record<string, unknown>, _meta: Record<string, unknown> = {}) =>
    clients[way].callTool({ name: toolName[way](tool), arguments: args, _meta })

  test('answers with text', async () => {
    const echo = await call('echo', { message: 'hällo\n"world"' })
    expect(echo).toEqual({ content: [{ type: 'text', text: 'Echo: hällo\n"world"' }] })
    const sum = await call('get-sum', { a: 19, b: 23 })
    expect(sum.content).toEqual([{ type: 'text', text: 'The sum of 19 and 23 is 42.' }])
  })

  test('answers with annotated blocks, images and structured content', async () => {
    const annotated = await call('get-annotated-message', { messageType: 'error', includeImage: true })
    const blocks = annotated.content.map((block) => [block.type, block.annotations?.priority])
    expect(blocks).toEqual([['text', 1], ['image', 0.5]])
    const weather = await call('get-structured-content', { location: 'Chicago' })
    expect(Object.keys(weather.structuredContent as object)).toEqual(['temperature', 'conditions', 'humidity'])
  })

  test('answers with an error result for arguments that do not fit', async () => {
    const result = await call('get-sum', { a: 'x' })
    expect(result.isError).toBe(true)
    expect(JSON.stringify(result.content)).toContain('Invalid arguments')
  })

  test('reports progress of a long call, in order, before the result', async () => {
    const seen: unknown[] = []
    clients[way].setNotificationHandler('notifications/progress', ({ params }) => void seen.push(params))
    const result = await call('trigger-long-running-operation', { duration: 0.3, steps: 3 }, { progressToken: 'mine' })
    seen.push('result')
    expect(seen).toEqual([
      { progress: 1, total: 3, progressToken: 'mine' },
      { progress: 2, total: 3, progressToken: 'mine' },
      { progress: 3, total: 3, progressToken: 'mine' },
      'result',
    ])
    expect(JSON.stringify(result.content)).toContain('completed')
  })

  test('refuses a tool that does not exist', async () => {
    const outcome = await call('no-such-tool', {}).then((result) => result.isError === true, () => true)
    expect(outcome).toBe(true)
  })
})

describe('beside tools, what server-everything has is the same through the broker', () => {
  const both = async (ask: (client: Client, name: (own: string) => string) => Promise<unknown>) => {
    const [direct, brokered] = await Promise.all([ask(clients.direct, (own) => own), ask(clients.brokered, toolName.brokered)])
    expect(timeless(brokered)).toEqual(timeless(direct))
    return direct
  }

  test('capabilities, tasks left out', async () => {
    expect(serverCapabilities(clients.brokered)).toEqual(serverCapabilities(clients.direct))
  })

  test('resources and templates', async () => {
    const listed = (await both((client) => client.listResources())) as { resources: { uri: string }[] }
    expect(listed.resources.length).toBeGreaterThan(3)
    await both((client) => client.listResourceTemplates())
    await both((client) => client.readResource({ uri: listed.resources[0]?.uri ?? '' }))
    await both((client) => client.readResource({ uri: 'demo://resource/dynamic/text/7' }))
    await both((client) => client.readResource({ uri: 'demo://resource/dynamic/blob/7' }))
  })

  test('a resource that only a result has linked to', async () => {
    await both(async (client, name) => {
      const { content } = await client.callTool({ name: name('get-resource-links'), arguments: { count: 2 } })
      const link = content.find((block) => block.type === 'resource_link')
      return client.readResource({ uri: link?.uri ?? '' })
    })
  })

  test('prompts', async () => {
    const names = (await clients.direct.listPrompts()).prompts.map((prompt) => ({ ...prompt, name: toolName.brokered(prompt.name) }))
    expect((await clients.brokered.listPrompts()).prompts).toEqual(names)
    await both((client, name) => client.getPrompt({ name: name('args-prompt'), arguments: { city: 'Wien' } }))
    await both((client, name) => client.getPrompt({ name: name('resource-prompt'), arguments: { resourceType: 'Text', resourceId: '3' } }))
  })

  test('completion of prompts and templates', async () => {
    const of = (name: string, context: Record<string, string>) => ({
      ref: { type: 'ref/prompt' as const, name },
      argument: { name: 'name', value: 'A' },
      context: { arguments: context },
    })
    const found = await both((client, name) => client.complete(of(name('completable-prompt'), { department: 'Engineering' })))
    expect(found).toMatchObject({ completion: { values: ['Alice'] } })
    await both((client) =>
      client.complete({ ref: { type: 'ref/resource', uri: 'demo://resource/dynamic/text/{resourceId}' }, argument: { name: 'resourceId', value: '4' } }),
    )
  })

  test('roots, sampling and elicitation, answered by the agent', async () => {
    const roots = await both((client, name) => client.callTool({ name: name('get-roots-list') }))
    expect(JSON.stringify(roots)).toContain('file:///project')
    const sampled = await both((client, name) => client.callTool({ name: name('trigger-sampling-request'), arguments: { prompt: 'hello', maxTokens: 10 } }))
    expect(JSON.stringify(sampled)).toContain('sampled')
    const elicited = await both((client, name) => client.callTool({ name: name('trigger-elicitation-request') }))
    expect(JSON.stringify(elicited)).toContain('Ada')
  })

  test('subscriptions: what is updated is told to who asked', async () => {
    const uri = 'demo://resource/dynamic/text/1'
    const told = await both(async (client, name) => {
      const updated = new Promise((resolve) => client.setNotificationHandler('notifications/resources/updated', ({ params }) => resolve(params.uri)))
      await client.subscribeResource({ uri })
      await client.callTool({ name: name('toggle-subscriber-updates') })
      const result = await updated
      await client.callTool({ name: name('toggle-subscriber-updates') })
      await client.unsubscribeResource({ uri })
      return result
    })
    expect(told).toBe(uri)
  })

  test('log messages, from the level that was asked for', async () => {
    const levels = await both(async (client, name) => {
      const logged = new Promise((resolve) => client.setNotificationHandler('notifications/message', ({ params }) => resolve(typeof params.level)))
      await client.setLoggingLevel('debug')
      await client.callTool({ name: name('toggle-simulated-logging') })
      const result = await logged
      await client.callTool({ name: name('toggle-simulated-logging') })
      return result
    })
    expect(levels).toBe('string')
  })

  test('a resource or prompt that does not exist is refused', async () => {
    await expect(clients.brokered.readResource({ uri: 'demo://no/such' })).rejects.toThrow('Unknown resource')
    await expect(clients.brokered.getPrompt({ name: 'everything__no-such' })).rejects.toThrow('Unknown prompt')
  })

  test('a resource is read, and sampling is done, only after the gate', () => {
    const asked = harness.asks.map(({ tool }) => tool)
    expect(asked).toContain('ReadMcpResourceTool')
    expect(asked).toContain('mcp__everything__sampling')
    expect(harness.asks.find(({ tool }) => tool === 'ReadMcpResourceTool')?.input).toMatchObject({ server: 'everything' })
  })
})

test('an agent of the newer protocol answers what a server of the older one asks in the middle of a call', async () => {
  const { client } = await harness.agent({ capabilities: CAPABILITIES, versionNegotiation: { mode: { pin: '2026-07-28' } } }, able)
  const elicited = await client.callTool({ name: 'everything__trigger-elicitation-request' })
  expect(JSON.stringify(elicited)).toContain('Ada')
  const sampled = await client.callTool({ name: 'everything__trigger-sampling-request', arguments: { prompt: 'hello', maxTokens: 10 } })
  expect(JSON.stringify(sampled)).toContain('sampled')
})

test('an agent of the 2026-07-28 protocol gets the same tools and answers', async () => {
  const { client } = await harness.agent({ versionNegotiation: { mode: { pin: '2026-07-28' } } })
  expect(client.getNegotiatedProtocolVersion()).toBe('2026-07-28')
  expect((await client.listTools()).tools.length).toBe((await clients.brokered.listTools()).tools.length)
  const echo = await client.callTool({ name: 'everything__echo', arguments: { message: 'hi' } })
  expect(echo.content).toEqual([{ type: 'text', text: 'Echo: hi' }])
})
