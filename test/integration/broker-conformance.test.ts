import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { McpConfig } from '../../shared/contract/schemas/mcp-config.ts'
import { randomIds } from '../../shared/core/identifiers.ts'
import { startHttpAdapter } from '../fixtures/conformance/http-adapter.ts'
import { runSuite, SUITES } from '../fixtures/conformance/run-suite.ts'
import { nodeServer, openHarness, PLAIN_HOLD, SHIM, TOKEN } from '../fixtures/servers/broker-session.ts'
import type { BrokerSession } from '../../shared/core/broker/create-broker.ts'
import type { Harness } from '../fixtures/servers/broker-session.ts'

/**
 * The conformance suites of the protocol's authors, against one server, directly and through the broker. What HTTP adds
 * is the same on both ways, and so are the scenarios that only look at it.
 */
const FIXTURE = fileURLToPath(new URL('../fixtures/conformance/server.ts', import.meta.url))
/** A short name: a long one would have the names of its tools cut. */
const SERVER = 'c'

let harness: Harness
beforeAll(async () => {
  harness = await openHarness({})
})
afterAll(() => harness.close())

const startDirect = () => startHttpAdapter(async () => ({ command: process.execPath, args: [FIXTURE], env: {}, prefix: '' }))

let opened = 0
/** The broker behind an address: a session for each kind of agent, as each agent has one of its own. */
const startBrokered = async () => {
  const sessions = new Map<string, Promise<{ socketPath: string; session: BrokerSession }>>()
  const openSession = async () => {
    const socketPath = join(`${harness.socketPath}.${(opened += 1)}`)
    const servers = McpConfig.parse({ mcpServers: { [SERVER]: nodeServer(FIXTURE) } })
    const session = await harness.broker.openSession({ proof: () => Promise.resolve(null), sessionId: randomIds.session(), agent: 'conformance', cwd: '/', hold: PLAIN_HOLD, token: TOKEN, servers, socketPath })
    return { socketPath, session }
  }
  const adapter = await startHttpAdapter(async (capabilities) => {
    const open = sessions.get(capabilities) ?? openSession()
    sessions.set(capabilities, open)
    const { socketPath } = await open
    return { command: process.execPath, args: [SHIM], env: { HOLDFAST_BROKER_SOCKET: socketPath, HOLDFAST_SESSION_TOKEN: TOKEN }, prefix: `${SERVER}__` }
  })
  return {
    url: adapter.url,
    close: async () => {
      await adapter.close()
      await Promise.all([...sessions.values()].map(async (open) => (await open).session.close('at-once')))
    },
  }
}

describe.each(SUITES.map((suite) => [suite.name, suite] as const))('the conformance suite %s', (_name, suite) => {
  test('no scenario passes directly and fails through the broker', async () => {
    const ways = [await startDirect(), await startBrokered()]
    const [alone, through] = await Promise.all(ways.map(({ url }) => runSuite(suite, url)))
    await Promise.all(ways.map((way) => way.close()))
    const rows = [...(alone ?? [])].map(([scenario, own]) => {
      const other = through?.get(scenario)
      return { scenario, direct: own.failed.length === 0 ? 'passes' : 'fails', brokered: other?.failed.length === 0 ? 'passes' : 'fails', checks: own.passed, 'checks through': other?.passed ?? 0 }
    })
    console.table(rows)
    expect(rows.length).toBeGreaterThanOrEqual(30)
    expect(rows.filter((row) => row.direct === 'passes').length).toBeGreaterThanOrEqual(30)
    const lost = [...(alone ?? [])].map(([scenario, { failed }]) => [scenario, through?.get(scenario)?.failed.filter((id) => !failed.includes(id)) ?? ['did not run']])
    expect(lost.filter(([, ids]) => ids?.length !== 0)).toEqual([])
  }, 240_000)
})
