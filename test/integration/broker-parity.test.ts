import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EVERYTHING_SERVER, nodeServer, openHarness } from '../fixtures/servers/broker-session.ts'
import type { Harness } from '../fixtures/servers/broker-session.ts'

let harness: Harness
let clients: { direct: Client; brokered: Client }
const toolName = { direct: (tool: string) => tool, brokered: (tool: string) => `everything__${tool}` }

beforeAll(async () => {
  const server = nodeServer(EVERYTHING_SERVER, {}, ['stdio'])
  harness = await openHarness({ everything: server })
  const direct = new Client({ name: 'agent', version: '1.0.0' })
  await direct.connect(new StdioClientTransport({ ...server, stderr: 'ignore' }))
  clients = { direct, brokered: (await harness.agent()).client }
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

test('an agent of the 2026-07-28 protocol gets the same tools and answers', async () => {
  const { client } = await harness.agent({ versionNegotiation: { mode: { pin: '2026-07-28' } } })
  expect(client.getNegotiatedProtocolVersion()).toBe('2026-07-28')
  expect((await client.listTools()).tools.length).toBe((await clients.brokered.listTools()).tools.length)
  const echo = await client.callTool({ name: 'everything__echo', arguments: { message: 'hi' } })
  expect(echo.content).toEqual([{ type: 'text', text: 'Echo: hi' }])
})
