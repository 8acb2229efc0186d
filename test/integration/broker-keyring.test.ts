import { existsSync, readFileSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { HoldfastError } from '../../shared/contract/errors.ts'
import type { SecretStore } from '../../shared/core/ports.ts'
import { createKeyringSession, missingPrograms } from '../fixtures/keyring/session.ts'
import type { KeychainClient, KeyringSession } from '../fixtures/keyring/session.ts'
import { FIXTURE_SERVER, nodeServer, openHarness } from '../fixtures/servers/broker-session.ts'
import type { Harness } from '../fixtures/servers/broker-session.ts'

const missing = process.platform === 'linux' ? missingPrograms() : ['Linux']
const ITEM = 'agent/key'
let keyring: KeyringSession
let harness: Harness | null = null
afterEach(async () => {
  await harness?.close()
  harness = null
  await keyring.end()
})

/** The real keychain, in the process that has that bus. */
const storeOf = (client: KeychainClient) =>
  ({
    get: async (name: string, agent: string) => {
      const answer = (await client.ask('get', name, agent)) as { result?: string | null; message?: string }
      if (answer.message !== undefined) throw new HoldfastError('secret-unavailable', answer.message)
      return answer.result ?? null
    },
  }) as unknown as SecretStore
const begin = async (env: Record<string, string> = {}): Promise<KeychainClient> => {
  keyring = await createKeyringSession()
  await keyring.startBus()
  await keyring.startKeyring('password')
  const client = keyring.client(env)
  expect(await client.ask('set', ITEM, 'first-value', { expiresAt: 1_000_000 })).toEqual({ result: null })
  return client
}
const open = async (client: KeychainClient): Promise<Harness> => {
  harness = await openHarness({ s: nodeServer(FIXTURE_SERVER, { KEY_SECRET: ITEM }) }, { deps: { secrets: storeOf(client) } })
  await harness.session.started
  return harness
}
const startAnew = (): void => harness?.broker.secretChanged(ITEM)
const state = () => harness?.session.servers()[0]

describe.skipIf(missing.length > 0)(`a server's secret in a real gnome-keyring${missing.length > 0 ? ` (missing: ${missing.join(', ')})` : ''}`, () => {
  test('is set, used, rotated while the server runs, and when it has expired the server starts no more', async () => {
    const client = await begin()
    const { agent } = await open(client)
    const { client: mcp } = await agent()
    const environ = async (): Promise<string[]> => {
      const { content } = await mcp.callTool({ name: 's__pid' })
      return readFileSync(`/proc/${content[0]?.type === 'text' ? content[0].text : ''}/environ`, 'utf8').split('\0')
    }
    expect(await environ()).toContain('KEY=first-value')
    await client.ask('set', ITEM, 'second-value', { expiresAt: 1_000_000 })
    startAnew()
    await expect.poll(() => environ().catch(() => []), { timeout: 20_000 }).toContain('KEY=second-value')

    const [pid] = [(await mcp.callTool({ name: 's__pid' })).content[0]].map((block) => (block?.type === 'text' ? block.text : ''))
    await client.ask('wait', '2000000')
    startAnew()
    await expect.poll(() => state()?.message, { timeout: 20_000 }).toMatch(/^agent\/key expired on 1970-01-01\. Give it a new value: holdfast secret rotate agent\/key$/)
    expect(state()?.state).toBe('unavailable')
    expect(existsSync(`/proc/${pid}`)).toBe(false)
  })

  test.each([
    ['locked', {}, (session: KeyringSession) => session.lock(), /^The keychain is locked, and without a display/],
    ['dismissed', { DISPLAY: ':0' }, (session: KeyringSession) => session.lock(), /its question for the password was dismissed/],
    ['no provider', {}, (session: KeyringSession) => session.stopKeyring(), /^No keychain runs on this session bus/],
    ['no bus', {}, (session: KeyringSession) => session.stopBus(), /^There is no session bus/],
  ])('%s: nothing starts, and the server says which it is', async (_what, env, spoil, message) => {
    const client = await begin(env)
    await spoil(keyring)
    await open(client)
    expect(state()).toMatchObject({ state: 'unavailable', message: expect.stringMatching(message) })
    expect(harness?.ledger.map(({ kind }) => kind)).not.toContain('secret/resolved')
  })
})
