import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Client, ClientOptions } from '@modelcontextprotocol/client'
import { createMcpHandler } from '@modelcontextprotocol/server'
import { afterEach, describe, expect, test } from 'vitest'
import { FIXTURE_SERVER, nodeServer, openHarness } from '../fixtures/servers/broker-session.ts'
import type { Harness } from '../fixtures/servers/broker-session.ts'
import { freePort } from '../support/free-port.ts'
import { createModernServer } from '../fixtures/servers/modern-server.ts'

const MODERN_STDIO = fileURLToPath(new URL('../fixtures/servers/modern-stdio.ts', import.meta.url))
const cleanUps: (() => unknown)[] = []
let harness: Harness
afterEach(async () => {
  await harness.close()
  for (const cleanUp of cleanUps.splice(0)) await cleanUp()
})

/** A server over HTTP on this machine; `headers` are those of its last request. */
const serveHttp = async (legacy: 'stateless' | 'reject') => {
  const seen: { headers: IncomingHttpHeaders } = { headers: {} }
  const handler = createMcpHandler(createModernServer, { legacy })
  const server = createServer(async (request, response) => {
    seen.headers = request.headers
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const answer = await handler.fetch(
      new Request(`http://127.0.0.1${request.url}`, {
        method: request.method ?? 'GET',
        headers: Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
        ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }),
      }),
    )
    response.writeHead(answer.status, Object.fromEntries(answer.headers))
    for await (const chunk of answer.body ?? []) response.write(chunk)
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanUps.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { seen, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp` }
}

const able = (client: Client): Client => {
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { name: 'Ada' } }))
  return client
}
const textOf = async (client: Client, name: string): Promise<string> =>
  (await client.callTool({ name })).content.map((block) => (block.type === 'text' ? block.text : '')).join('')

const AGENTS: [string, ClientOptions][] = [
  ['2025-11-25', { capabilities: { elicitation: {} } }],
  ['2026-07-28', { capabilities: { elicitation: {} }, versionNegotiation: { mode: { pin: '2026-07-28' } } }],
]

describe.each(AGENTS)('an agent of %s', (_era, options) => {
  const use = async (server: Record<string, unknown>): Promise<Client> => {
    harness = await openHarness({ s: server })
    return (await harness.agent(options, able)).client
  }

  test('uses a stdio server of 2026-07-28, questions and resources included', async () => {
    const client = await use(nodeServer(MODERN_STDIO))
    expect(await textOf(client, 's__era')).toBe('modern')
    expect(await textOf(client, 's__greet')).toBe('Hello Ada')
    expect((await client.readResource({ uri: 'note://one' })).contents).toMatchObject([{ uri: 'note://one', text: 'a note' }])
  })

  test('uses a Streamable HTTP server of 2026-07-28', async () => {
    const { url } = await serveHttp('reject')
    const client = await use({ url })
    expect(await textOf(client, 's__era')).toBe('modern')
    expect(await textOf(client, 's__greet')).toBe('Hello Ada')
  })

  test('uses a stdio server of the older protocol', async () => {
    expect(await textOf(await use(nodeServer(FIXTURE_SERVER)), 's__mutable')).toBe('ran')
  })

  test('gets only the capabilities that its servers and the broker have', async () => {
    const client = await use(nodeServer(FIXTURE_SERVER))
    expect(Object.keys(client.getServerCapabilities() ?? {}).sort()).toEqual(['resources', 'tools'])
  })
})

test('a server that says nothing at all to the newer protocol is spoken to in the older', async () => {
  harness = await openHarness({ s: nodeServer(FIXTURE_SERVER, { FIXTURE_DEAF: '1' }) })
  expect(await textOf((await harness.agent()).client, 's__mutable')).toBe('ran')
})

test('an agent that cannot elicit is not asked to, and the server knows it before', async () => {
  harness = await openHarness({ s: nodeServer(MODERN_STDIO) })
  const { client } = await harness.agent()
  const outcome = await client.callTool({ name: 's__greet' }).then((result) => result.isError === true, () => true)
  expect(outcome).toBe(true)
})

describe('a server over HTTP', () => {
  test('gets its secret in a header, and who calls it, signed; neither reaches the agent', async () => {
    const { url, seen } = await serveHttp('reject')
    harness = await openHarness({ s: { url, headers: { Authorization_SECRET: 'agent/remote' } } }, { secrets: { 'agent/remote': 'a-remote-token' } })
    const { client } = await harness.agent()
    expect(await textOf(client, 's__era')).toBe('modern')
    expect(seen.headers.authorization).toBe('Bearer a-remote-token')
    expect(seen.headers['holdfast-agent']).toBe('claude-test')
    expect(seen.headers['holdfast-token']).toBe('a.signed.token')
  })

  test('that wants a sign-in is an error that says how', async () => {
    const remote = createServer((_request, response) => response.writeHead(401).end()).listen(0, '127.0.0.1')
    await once(remote, 'listening')
    cleanUps.push(() => remote.close())
    harness = await openHarness({ s: { url: `http://127.0.0.1:${(remote.address() as AddressInfo).port}/mcp` }, fine: nodeServer(FIXTURE_SERVER) })
    await harness.agent()
    const message = 's answered with status 401: it takes no call without a sign-in (holdfast secret login), or not with the key it is given'
    await expect.poll(() => harness.session.servers()[0], { timeout: 20_000 }).toMatchObject({ state: 'restarting', message })
  })

  test('that cannot be reached is an error of its own, and is tried again', async () => {
    const port = await freePort()
    harness = await openHarness({ s: { url: `http://127.0.0.1:${port}/mcp` }, fine: nodeServer(FIXTURE_SERVER) })
    const { client } = await harness.agent()
    expect(await textOf(client, 'fine__mutable')).toBe('ran')
    expect(harness.session.servers()[0]).toMatchObject({ name: 's', state: 'restarting', message: `s cannot be reached at http://127.0.0.1:${port} (ECONNREFUSED)` })
  })
})
