import { connect } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { SecretStore } from '../../shared/core/ports.ts'
import { checkLed, signIn } from '../../shared/core/secrets/sign-in.ts'
import { openHarness } from '../fixtures/servers/broker-session.ts'
import type { Harness } from '../fixtures/servers/broker-session.ts'
import { startOauthServer } from '../fixtures/servers/oauth-server.ts'

const ITEM = 'agent/tracker'
const HOUR = 3_600
let server: Awaited<ReturnType<typeof startOauthServer>>
let harness: Harness | null = null
afterEach(async () => {
  await harness?.close()
  harness = null
  server.close()
})

/** A person whose browser follows where it is led. */
const browse = (page: URL): void => void fetch(page).then((response) => response.text())
const login = (): Promise<string> => signIn({ url: server.url, now: () => 0, show: browse })
/** One session with the server, which has the sign-in; the time is `at`. */
const open = async (kept: Map<string, string>, { at = 0, url = server.url } = {}): Promise<Harness> => {
  const secrets = { get: async (name: string) => kept.get(name) ?? null, set: async (name: string, value: string) => void kept.set(name, value) } as unknown as SecretStore
  harness = await openHarness({ tracker: { url, headers: { Authorization_SECRET: `oauth: ${ITEM}` } } }, { deps: { secrets, clock: { now: () => at } } })
  return harness
}
const greet = async (): Promise<string> => {
  const { client } = await (harness as Harness).agent()
  return (await client.listTools()).tools.map(({ name }) => name).join(' ')
}
const accessIn = (text: string): string => (JSON.parse(text) as { tokens: { access_token: string } }).tokens.access_token

describe('a sign-in at a server over HTTP', () => {
  test('is by PKCE, comes back to this machine alone, and a stranger’s answer is passed over', async () => {
    server = await startOauthServer(HOUR)
    const strangers: number[] = []
    const kept = await signIn({
      url: server.url,
      now: () => 0,
      show: (page) =>
        void (async () => {
          const back = new URL(page.searchParams.get('redirect_uri') ?? '')
          strangers.push((await fetch(`${back.href}?code=stolen&state=guessed`)).status, (await fetch(`${back.href}?code=stolen`)).status)
          browse(page)
        })(),
    })
    expect(strangers).toEqual([404, 404])
    expect(server.log.registered[0]?.redirect_uris?.[0]).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/callback$/)
    expect(server.log.authorizations[0]?.searchParams.get('code_challenge_method')).toBe('S256')
    expect(server.log.authorizations[0]?.searchParams.get('resource')).toBe(server.url)
    expect(JSON.parse(kept)).toMatchObject({ url: server.url, tokens: { access_token: server.log.tokens[0] }, expiresAt: HOUR * 1_000 })
  })

  test('gives the server its token; the agent and the ledger never have it', async () => {
    server = await startOauthServer(HOUR)
    const { ledger } = await open(new Map([[ITEM, await login()]]))
    const seen = await greet()
    expect(seen).toContain('tracker__')
    expect(server.log.calls.every((token) => token === server.log.tokens[0])).toBe(true)
    expect(ledger).toContainEqual({ kind: 'secret/resolved', body: { secret: ITEM, server: 'tracker', variable: 'Authorization' } })
    for (const token of server.log.tokens) expect(JSON.stringify(ledger) + seen).not.toContain(token)
  })

  test('is renewed before its token ends, and what renews it next is kept', async () => {
    server = await startOauthServer(HOUR)
    const kept = new Map([[ITEM, await login()]])
    const first = accessIn(kept.get(ITEM) ?? '')
    await open(kept, { at: (HOUR - 30) * 1_000 })
    expect(await greet()).toContain('tracker__')
    expect(accessIn(kept.get(ITEM) ?? '')).not.toBe(first)
    expect(server.log.calls).not.toContain(first)
    expect(JSON.parse(kept.get(ITEM) ?? '')).toMatchObject({ tokens: { refresh_token: server.log.tokens[3] }, expiresAt: (2 * HOUR - 30) * 1_000 })
  })

  test('is renewed when the server takes its token no longer', async () => {
    server = await startOauthServer(HOUR)
    const kept = new Map([[ITEM, await login()]])
    const first = accessIn(kept.get(ITEM) ?? '')
    server.revoke('access')
    await open(kept)
    const { client } = await (harness as Harness).agent()
    await expect.poll(async () => (await client.listTools()).tools.map(({ name }) => name).join(' '), { timeout: 20_000 }).toContain('tracker__')
    expect(accessIn(kept.get(ITEM) ?? '')).not.toBe(first)
  })

  test('that has ended says how to sign in again, and nothing starts', async () => {
    server = await startOauthServer(HOUR)
    const kept = new Map([[ITEM, await login()]])
    server.revoke('refresh')
    await open(kept, { at: HOUR * 1_000 })
    await (harness as Harness).session.started
    expect((harness as Harness).session.servers()).toMatchObject([{ state: 'unavailable', message: `The sign-in ${ITEM} has ended. Sign in again: holdfast secret login ${ITEM} ${server.url}` }])
  })

  test.each([
    ['is for another server, which never gets it', (value: string) => value, 'http://127.0.0.1:9/mcp', /is for another server/],
    ['is none', () => 'a-plain-token', undefined, /agent\/tracker is no sign-in/],
    ['is missing', () => null, undefined, /the keychain has no item/],
  ])('that %s: the server is not reached, and says why', async (_what, change, url, message) => {
    server = await startOauthServer(HOUR)
    const value = change(await login())
    const { session } = await open(new Map(value === null ? [] : [[ITEM, value]]), url === undefined ? {} : { url })
    await session.started
    expect(session.servers()).toMatchObject([{ state: 'unavailable', message: expect.stringMatching(message) }])
    expect(server.log.calls).toEqual([])
  })

  test.each([
    ['a page without https', { authorization_endpoint: 'http://sign-in.example/authorize' }, /leads to http:\/\/sign-in\.example to sign in/],
    ['a program of this machine', { authorization_endpoint: 'vscode://open/authorize' }, /leads to vscode:\/\/open to sign in/],
    ['where tokens come from, without https', { token_endpoint: 'http://tokens.example/token' }, /non-https token endpoint/],
    ['where one registers, without https', { registration_endpoint: 'http://tokens.example/register' }, /leads to http:\/\/tokens\.example to sign in/],
  ])('follows no server to %s', async (_what, lies, message) => {
    server = await startOauthServer(HOUR, lies)
    const shown: URL[] = []
    const show = (page: URL): void => {
      shown.push(page)
      browse(page)
    }
    await expect(signIn({ url: server.url, now: () => 0, show })).rejects.toThrow(message)
    expect(shown.every(({ origin }) => origin === new URL(server.url).origin)).toBe(true)
  })

  test.each(['https://localhost./token', 'https://app.localhost/token', 'https://0.0.0.0/token', 'https://[::1]/token', 'https://[::ffff:127.0.0.1]/token', 'https://2130706433/token', 'https://192.168.0.1/token'])(
    'follows no server elsewhere to this machine or its network, however that is spelled: %s',
    (to) => {
      expect(() => checkLed(new URL('https://tracker.example/mcp'), new URL(to))).toThrow('not on this machine or its network')
      expect(checkLed(new URL('https://10.0.0.5/mcp'), new URL(to))).toBeUndefined()
    },
  )

  test('is not ended by a stranger who asks for what is no address', async () => {
    server = await startOauthServer(HOUR)
    const show = (page: URL): void => {
      const { port } = new URL(page.searchParams.get('redirect_uri') ?? '')
      const stranger = connect(Number(port), '127.0.0.1', () => stranger.write('GET // HTTP/1.1\r\nHost: x\r\n\r\n'))
      stranger.once('data', (answer) => {
        expect(String(answer)).toContain('404')
        stranger.destroy()
        browse(page)
      })
    }
    expect(JSON.parse(await signIn({ url: server.url, now: () => 0, show }))).toMatchObject({ url: server.url })
  })

  test('reads no answer without end', async () => {
    server = await startOauthServer(HOUR, { issuer: 'x'.repeat(2 * 1024 * 1024) })
    await expect(login()).rejects.toThrow('sent more than 1048576 bytes')
  })

  test('goes to no address that can be read on the way', async () => {
    server = await startOauthServer(HOUR)
    await expect(signIn({ url: 'http://example.com/mcp', now: () => 0, show: browse })).rejects.toThrow('must be https')
  })
})
