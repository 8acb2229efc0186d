import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { McpConfig } from '../../shared/contract/schemas/mcp-config.ts'
import type { BrokerSession } from '../../shared/core/broker/create-broker.ts'
import { createLineTransport } from '../../shared/core/broker/line-transport.ts'
import { randomIds } from '../../shared/core/identifiers.ts'
import { CALL_ID, openHarness, PLAIN_HOLD, TOKEN } from '../fixtures/servers/broker-session.ts'
import type { Harness } from '../fixtures/servers/broker-session.ts'
import { heldBytes } from '../support/memory.ts'

/** 10 sessions with two servers and five connections each: 20 servers, 50 connections. */
const SESSIONS = 10
const CONNECTIONS = 5
const ROUNDS = 100
const ECHO = fileURLToPath(new URL('../fixtures/servers/echo-server.ts', import.meta.url))

let harness: Harness
const sessions: { session: BrokerSession; clients: Client[] }[] = []

beforeAll(async () => {
  // The harness's own gate keeps every call.
  harness = await openHarness({}, { deps: { gate: { request: () => Promise.resolve({ allowed: true, toolCallId: CALL_ID }), finish: () => {} } } })
  const opened = Array.from({ length: SESSIONS }, async (_, index) => {
    const mark = (name: string) => ({ command: process.execPath, args: [ECHO], env: { MARK: `${name}${index}` } })
    const socketPath = join(`${harness.socketPath}.${index}`)
    const servers = McpConfig.parse({ mcpServers: { a: mark('a'), b: mark('b') } })
    const session = await harness.broker.openSession({ proof: () => Promise.resolve(null), sessionId: randomIds.session(), agent: `agent-${index}`, cwd: '/', hold: PLAIN_HOLD, token: TOKEN, servers, socketPath })
    const clients = await Promise.all(
      Array.from({ length: CONNECTIONS }, async () => {
        const socket = connect(socketPath)
        socket.write(`${TOKEN}\n`)
        const client = new Client({ name: 'agent', version: '1.0.0' })
        await client.connect(createLineTransport(socket, socket, () => socket.destroy()))
        return client
      }),
    )
    await Promise.all(clients.map((client) => client.listTools()))
    sessions.push({ session, clients })
  })
  await Promise.all(opened)
})
afterAll(async () => {
  await Promise.all(sessions.map(({ session }) => session.close('at-once')))
  await harness.close()
})

test('50 connections and 20 servers lose no call of 10,000, mix none up, and keep no memory of them', async () => {
  const call = async (client: Client, agent: string, name: string, text: string): Promise<boolean> => {
    const { content } = await client.callTool({ name: `${name}__echo`, arguments: { text } })
    const [block] = content
    // The server says which one it is, whom it works for, and what it was given.
    return block?.type === 'text' && block.text === `${name}${agent.slice('agent-'.length)} ${agent} ${text}`
  }
  const round = async (number: number): Promise<number> => {
    const calls = sessions.flatMap(({ clients }) => clients).flatMap((client, index) => {
      const agent = `agent-${agentOf.get(client)}`
      return ['a', 'b'].map((name) => call(client, agent, name, `${number}-${index}-${'x'.repeat(200)}`))
    })
    return (await Promise.all(calls)).filter(Boolean).length
  }
  const agentOf = new Map<Client, string>()
  for (const { session, clients } of sessions) {
    const { content } = await (clients[0] as Client).callTool({ name: 'status' })
    const { agent } = JSON.parse(content[0]?.type === 'text' ? content[0].text : '{}') as { agent: string }
    for (const client of clients) agentOf.set(client, agent.slice('agent-'.length))
    expect(session.servers().map(({ state }) => state)).toEqual(['ready', 'ready'])
  }

  let right = 0
  for (let number = 0; number < ROUNDS / 2; number += 1) right += await round(number)
  const early = heldBytes()
  for (let number = ROUNDS / 2; number < ROUNDS; number += 1) right += await round(number)
  const late = heldBytes()
  expect(right).toBe(10_000)
  expect(late - early).toBeLessThan(3_000_000)
})
