import { afterEach, describe, expect, test } from 'vitest'
import { createKeyringSession, missingPrograms, type KeyringSession } from '../fixtures/keyring/session.ts'

const missing = process.platform === 'linux' ? missingPrograms() : ['Linux']

const refusal = (message: RegExp) => ({ code: 'secret-unavailable', message: expect.stringMatching(message) })

describe.skipIf(missing.length > 0)(
  `the keychain, over a real gnome-keyring${missing.length > 0 ? ` (missing: ${missing.join(', ')})` : ''}`,
  () => {
    let session: KeyringSession

    const startSession = async (...parts: ('bus' | 'keyring')[]) => {
      session = await createKeyringSession()
      if (parts.includes('bus')) await session.startBus()
      if (parts.includes('keyring')) await session.startKeyring('password')
      return session
    }

    afterEach(() => session.end())

    test('keeps, gives, lists and removes a secret, for another process too', async () => {
      const client = (await startSession('bus', 'keyring')).client()
      expect(await client.ask('set', 'agent/github-pat', 'ghp_ü\n"€')).toEqual({ result: null })
      expect(await client.ask('set', 'agent/anthropic', 'sk')).toEqual({ result: null })
      expect(await client.ask('get', 'agent/github-pat')).toEqual({ result: 'ghp_ü\n"€' })
      expect(await session.client().ask('get', 'agent/github-pat')).toEqual({ result: 'ghp_ü\n"€' })
      expect(await session.client().ask('list')).toEqual({
        result: [
          { name: 'agent/anthropic', createdAt: 1_002 },
          { name: 'agent/github-pat', createdAt: 1_001 },
        ],
      })
      expect(await client.ask('remove', 'agent/github-pat')).toEqual({ result: true })
      expect(await client.ask('get', 'agent/github-pat')).toEqual({ result: null })
      expect(await client.ask('list')).toEqual({ result: [{ name: 'agent/anthropic', createdAt: 1_002 }] })
    })

    test('a new value takes the place and the age of the old one', async () => {
      const client = (await startSession('bus', 'keyring')).client()
      await client.ask('set', 'a', 'old')
      await client.ask('set', 'a', 'new')
      expect(await client.ask('get', 'a')).toEqual({ result: 'new' })
      expect(await client.ask('list')).toEqual({ result: [{ name: 'a', createdAt: 1_002 }] })
    })

    test('knows of each whose it is, how far it goes, who used it last, and gives an expired one to no agent', async () => {
      const client = (await startSession('bus', 'keyring')).client()
      await client.ask('set', 'agent/github-pat', 'one', { owner: 'acme-bot', scope: 'acme/web: contents', expiresAt: 5_000 })
      expect(await client.ask('get', 'agent/github-pat', 'claude-web')).toEqual({ result: 'one' })
      const info = { name: 'agent/github-pat', owner: 'acme-bot', scope: 'acme/web: contents' }
      expect(await client.ask('list')).toMatchObject({ result: [{ ...info, createdAt: 1_001, expiresAt: 5_000, usedBy: 'claude-web' }] })
      await client.ask('wait', '5000')
      expect(await client.ask('get', 'agent/github-pat', 'claude-web')).toEqual(refusal(/^agent\/github-pat expired on 1970-01-01\. Give it a new value: holdfast secret rotate agent\/github-pat$/))
      await client.ask('set', 'agent/github-pat', 'two')
      expect(await client.ask('get', 'agent/github-pat', 'claude-web')).toEqual({ result: 'two' })
      const { result } = (await client.ask('list')) as { result: object[] }
      expect(result).toMatchObject([info])
      expect(result[0]).not.toHaveProperty('expiresAt')
    })

    test('reads the names and ages that an earlier version kept', async () => {
      const client = (await startSession('bus', 'keyring')).client()
      await client.ask('set', '.index', '{"agent/old":7}')
      await client.ask('set', 'agent/new', 'value')
      expect(await client.ask('list')).toMatchObject({ result: expect.arrayContaining([{ name: 'agent/new', createdAt: 1_002 }, { name: 'agent/old', createdAt: 7 }]) })
    })

    test('has nothing: null, an empty list, nothing removed', async () => {
      const client = (await startSession('bus', 'keyring')).client()
      expect(await client.ask('get', 'a')).toEqual({ result: null })
      expect(await client.ask('list')).toEqual({ result: [] })
      expect(await client.ask('remove', 'a')).toEqual({ result: false })
    })

    test('outlives a restart of the keyring daemon', async () => {
      const client = (await startSession('bus', 'keyring')).client()
      await client.ask('set', 'a', 'kept')
      await session.stopKeyring()
      expect(await client.ask('get', 'a')).toEqual(refusal(/^No keychain runs/))
      await session.startKeyring('password')
      expect(await client.ask('get', 'a')).toEqual({ result: 'kept' })
    })

    test('outlives a restart of the bus', async () => {
      const client = (await startSession('bus', 'keyring')).client()
      await client.ask('set', 'a', 'kept')
      await session.stopKeyring()
      await session.stopBus()
      expect(await client.ask('get', 'a')).toEqual(refusal(/^There is no session bus/))
      await session.startBus()
      await session.startKeyring('password')
      expect(await client.ask('get', 'a')).toEqual({ result: 'kept' })
    })

    test('locked, and no display to ask on: says so every time, and never that a secret is missing', async () => {
      const client = (await startSession('bus', 'keyring')).client()
      await client.ask('set', 'a', 'kept')
      await session.lock()
      const locked = refusal(/^The keychain is locked, and without a display .* Unlock it/)
      expect(await client.ask('get', 'a')).toEqual(locked)
      expect(await client.ask('set', 'a', 'canary-value')).toEqual(locked)
      expect(await client.ask('remove', 'a')).toEqual(locked)
      expect(await client.ask('list')).toEqual(locked)
      await session.stopKeyring()
      await session.startKeyring('password')
      expect(await client.ask('get', 'a')).toEqual({ result: 'kept' })
    })

    test('locked, and its question was dismissed: says so', async () => {
      await startSession('bus', 'keyring')
      await session.client().ask('set', 'a', 'kept')
      await session.lock()
      expect(await session.client({ DISPLAY: ':0' }).ask('get', 'a')).toEqual(
        refusal(/question for the password was dismissed/),
      )
    })

    test('no provider on the bus: says so, and keeps the value nowhere', async () => {
      const client = (await startSession('bus')).client()
      expect(await client.ask('set', 'a', 'value')).toEqual(refusal(/^No keychain runs on this session bus/))
      await session.startKeyring('password')
      expect(await client.ask('get', 'a')).toEqual({ result: null })
    })

    test('a provider without a keyring: says how to create one', async () => {
      const client = (await startSession('bus')).client()
      await session.startKeyring('')
      expect(await client.ask('set', 'a', 'value')).toEqual(refusal(/has no default keyring/))
    })

    test.each([
      ['none named', { DBUS_SESSION_BUS_ADDRESS: '' }],
      ['none named, with a display to start one on', { DBUS_SESSION_BUS_ADDRESS: '', DISPLAY: ':99' }],
      ['one named that is gone', {}],
    ])('no bus (%s): says so, starts none, and keeps the value nowhere', async (_case, env) => {
      const client = (await startSession()).client(env)
      expect(await client.ask('set', 'a', 'value')).toEqual(refusal(/^There is no session bus/))
      expect(await client.ask('get', 'a')).toEqual(refusal(/^There is no session bus/))
    })
  },
)
