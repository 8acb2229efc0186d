import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Client } from '@modelcontextprotocol/client'
import { afterEach, describe, expect, test } from 'vitest'
import { HoldfastError } from '../../shared/contract/errors.ts'
import type { SecretStore } from '../../shared/core/ports.ts'
import { FIXTURE_SERVER, nodeServer, openHarness, SHIM, TOKEN } from '../fixtures/servers/broker-session.ts'
import type { Harness } from '../fixtures/servers/broker-session.ts'

let harness: Harness
afterEach(() => harness.close())

const textOf = (result: Awaited<ReturnType<Client['callTool']>>): string =>
  result.content.map((block) => (block.type === 'text' ? block.text : '')).join('')
const fixture = (env: Record<string, string>) => nodeServer(FIXTURE_SERVER, env)
const stateOf = (name: string) => harness.session.servers().find((server) => server.name === name)

/** Resolves when a change of the tools has been announced and `holds` is true. */
const toolsChangedUntil = (client: Client, holds: () => boolean): Promise<void> =>
  new Promise((resolve) => {
    client.setNotificationHandler('notifications/tools/list_changed', () => void (holds() && resolve()))
  })

describe('upstream servers', () => {
  test('one that crashes is an error on its tools alone, and comes back as a new process', async () => {
    harness = await openHarness({ weak: fixture({}), steady: fixture({}) })
    const { client } = await harness.agent()
    const before = textOf(await client.callTool({ name: 'weak__pid' }))
    const recovered = toolsChangedUntil(client, () => stateOf('weak')?.state === 'ready')

    const crashed = await client.callTool({ name: 'weak__crash' })
    expect(crashed.isError).toBe(true)
    expect(textOf(crashed)).toContain('may or may not have taken effect')
    expect((await client.callTool({ name: 'steady__counts' })).isError).toBeUndefined()

    await recovered
    const after = textOf(await client.callTool({ name: 'weak__pid' }))
    expect(after).toMatch(/^\d+$/)
    expect(after).not.toBe(before)
  })

  test('one that is slow to start does not hold up the others, and is announced when it is ready', async () => {
    const waiting = Promise.withResolvers<Socket>()
    const gatePath = join(mkdtempSync(join(tmpdir(), 'holdfast-gate-')), 'gate.sock')
    const gate = createServer(waiting.resolve).listen(gatePath)
    harness = await openHarness(
      { slow: fixture({ FIXTURE_GATE: gatePath }), quick: fixture({}) },
      { deps: { timing: { startGraceMs: 0 } } },
    )
    const release = await waiting.promise
    const { client } = await harness.agent()
    if (stateOf('quick')?.state !== 'ready') await toolsChangedUntil(client, () => stateOf('quick')?.state === 'ready')
    expect(stateOf('slow')?.state).toBe('starting')
    expect(textOf(await client.callTool({ name: 'quick__mutable' }))).toBe('ran')
    expect((await client.listTools()).tools.some((tool) => tool.name.startsWith('slow__'))).toBe(false)

    const ready = toolsChangedUntil(client, () => stateOf('slow')?.state === 'ready')
    release.destroy()
    await ready
    expect(textOf(await client.callTool({ name: 'slow__mutable' }))).toBe('ran')
    gate.close()
    rmSync(dirname(gatePath), { recursive: true })
  })

  test.each([
    ['a server over the older SSE', { type: 'sse', url: 'https://mcp.example' }, 'not supported'],
    ['a server in the clear', { url: 'http://mcp.example' }, 'must be https'],
    ['a boundary that cannot be read', fixture({ ALLOWED_REPOS: 'acme' }), 'ALLOWED_REPOS must list repositories as owner/name'],
    ['a secret the keychain does not have', fixture({ KEY_SECRET: 'agent/x' }), 'no item with the name that KEY_SECRET'],
    ['a variable given twice', fixture({ KEY: 'x', KEY_SECRET: 'agent/x' }), 'KEY_SECRET and KEY cannot both be set'],
    ['a reference to a variable', fixture({ KEY: '${HOME}/x' }), 'does not expand'],
  ])('%s is not started and says why; the rest of the session works', async (_what, server, message) => {
    harness = await openHarness({ odd: server, fine: fixture({}) })
    const { client } = await harness.agent()
    expect(textOf(await client.callTool({ name: 'status' }))).toContain(message)
    expect((await client.listTools()).tools.some((tool) => tool.name.startsWith('odd__'))).toBe(false)
    expect((await client.callTool({ name: 'fine__pid' })).isError).toBeUndefined()
    expect(stateOf('odd')).toMatchObject({ state: 'unavailable', tools: 0 })
  })

  test('a keychain that cannot be read makes its server unavailable, with the keychain’s own message', async () => {
    const locked = new HoldfastError('secret-unavailable', 'The keyring is locked.')
    const secrets = { get: () => Promise.reject(locked) } as unknown as SecretStore
    harness = await openHarness({ odd: fixture({ KEY_SECRET: 'agent/x' }) }, { deps: { secrets } })
    await (await harness.agent()).client.listTools()
    expect(stateOf('odd')).toEqual({ name: 'odd', state: 'unavailable', message: 'The keyring is locked.', tools: 0 })
  })

  test('a command that does not exist is a state of that server, with the reason', async () => {
    harness = await openHarness({ odd: { command: '/no/such/command' } })
    await (await harness.agent()).client.listTools()
    expect(stateOf('odd')?.message).toBe('Server odd is not started: there is no program /no/such/command. Install it, or correct the command.')
  })
})

describe('secrets', () => {
  const SECRET = 'correct-horse-battery'

  test.skipIf(process.platform !== 'linux')('reach the environment of their server and of nothing else', async () => {
    harness = await openHarness(
      { holder: fixture({ API_KEY_SECRET: 'agent/api-key' }), other: fixture({}) },
      { secrets: { 'agent/api-key': SECRET } },
    )
    const { client, transport } = await harness.agent()
    const environ = (pid: string | number) => readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
    const holder = environ(textOf(await client.callTool({ name: 'holder__pid' })))
    expect(holder).toContain(`API_KEY=${SECRET}`)
    expect(holder.map((variable) => variable.split('=')[0]).filter(Boolean).sort()).toEqual(['API_KEY', 'HOME', 'PATH'])
    expect(JSON.stringify(environ(textOf(await client.callTool({ name: 'other__pid' }))))).not.toContain(SECRET)
    expect(JSON.stringify(environ(transport.pid ?? 0))).not.toContain(SECRET)
    expect(harness.ledger.filter(({ kind }) => kind === 'secret/resolved')).toEqual([
      { kind: 'secret/resolved', body: { secret: 'agent/api-key', server: 'holder', variable: 'API_KEY' } },
    ])
  })

  test('that are rotated reach their server, and no other, while the session goes on', async () => {
    const secrets: Record<string, string> = { 'agent/api-key': 'the-first-value' }
    harness = await openHarness({ holder: fixture({ API_KEY_SECRET: 'agent/api-key' }), other: fixture({}), late: fixture({ KEY_SECRET: 'agent/late' }) }, { secrets })
    const { client } = await harness.agent()
    await client.listTools()
    const other = textOf(await client.callTool({ name: 'other__pid' }))
    const holder = textOf(await client.callTool({ name: 'holder__pid' }))
    expect(stateOf('late')?.state).toBe('unavailable')

    secrets['agent/api-key'] = 'the-second-value'
    const isNew = async () => !(await client.callTool({ name: 'holder__pid' }).then((result) => [holder].includes(textOf(result)) || result.isError === true))
    harness.broker.secretChanged('agent/api-key')
    await expect.poll(isNew, { timeout: 20_000 }).toBe(true)
    const environ = readFileSync(`/proc/${textOf(await client.callTool({ name: 'holder__pid' }))}/environ`, 'utf8')
    expect(environ).toContain('API_KEY=the-second-value')
    expect(textOf(await client.callTool({ name: 'other__pid' }))).toBe(other)

    secrets['agent/late'] = 'here-at-last'
    harness.broker.secretChanged('agent/late')
    await expect.poll(() => stateOf('late')?.state, { timeout: 20_000 }).toBe('ready')
  })

  test('are taken out of what their server answers, in every spelling', async () => {
    const secrets = { 'agent/api-key': SECRET }
    harness = await openHarness({ holder: fixture({ API_KEY_SECRET: 'agent/api-key' }) }, { secrets })
    const { client } = await harness.agent()
    const answer = JSON.stringify(await client.callTool({ name: 'holder__reveal', arguments: { name: 'API_KEY' } }))
    expect(answer).toContain('[redacted] [redacted] ')
    expect(answer).not.toContain(SECRET)
    expect(answer).not.toContain(Buffer.from(SECRET).toString('hex'))
    expect(answer).not.toContain(Buffer.from(`user:${SECRET}`).toString('base64').slice(8, -4))
  })
})

describe('the session’s socket', () => {
  const ENDED = 'holdfast: the host refused or ended this connection, so no tool call goes through.\n'
  const runShim = (env: Record<string, string>) => {
    const shim = spawn(process.execPath, [SHIM], { env, stdio: ['pipe', 'ignore', 'pipe'] })
    let stderr = ''
    shim.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    return { shim, exit: once(shim, 'close').then(([code]: unknown[]) => ({ code, stderr })) }
  }

  test('is the user’s alone', async () => {
    harness = await openHarness({})
    expect(statSync(harness.socketPath).mode & 0o777).toBe(0o600)
    expect(statSync(dirname(harness.socketPath)).mode & 0o777).toBe(0o700)
  })

  test('refuses a wrong token, tells a person of it once, and the shim fails with one line', async () => {
    harness = await openHarness({})
    for (const token of ['wrong', `${TOKEN} `]) {
      const { exit } = runShim({ HOLDFAST_BROKER_SOCKET: harness.socketPath, HOLDFAST_SESSION_TOKEN: token })
      expect(await exit).toEqual({ code: 1, stderr: ENDED })
    }
    expect(harness.alarms).toEqual(['A connection to the broker was refused: wrong token, or a process outside the session.'])
  })

  test.each([
    ['is not in the session', () => Promise.resolve(false)],
    ['cannot be checked', () => Promise.reject(new Error('no pidfd'))],
  ])('refuses the right token from a process that %s', async (_what, peerCheck) => {
    harness = await openHarness({}, { deps: { peerCheck } })
    const { exit } = runShim({ HOLDFAST_BROKER_SOCKET: harness.socketPath, HOLDFAST_SESSION_TOKEN: TOKEN })
    expect((await exit).code).toBe(1)
  })

  test('closes with the session, and the shim fails with one line', async () => {
    harness = await openHarness({ fixture: fixture({}) })
    const { client, transport } = await harness.agent()
    await client.listTools()
    const lines: string[] = []
    transport.stderr?.on('data', (chunk: Buffer) => lines.push(chunk.toString()))
    const gone = new Promise<void>((resolve) => (client.onclose = resolve))
    await harness.session.close('gently')
    await gone
    expect(lines.join('')).toBe(ENDED)
  })

  test('comes back after a restart of the host: the agent keeps its connection, and is told what became of its calls', async () => {
    harness = await openHarness({ fixture: fixture({}) })
    const { client } = await harness.agent()
    await client.listTools()
    const begun = Promise.withResolvers<void>()
    const under = client.callTool({ name: 'fixture__hang' }, { onprogress: () => begun.resolve() }).catch((error: Error) => error.message)
    await begun.promise
    const changes = Promise.withResolvers<void>()
    client.setNotificationHandler('notifications/tools/list_changed', () => changes.resolve())

    // A host that is killed leaves its socket behind.
    renameSync(harness.socketPath, `${harness.socketPath}.kept`)
    await harness.session.close('at-once')
    renameSync(`${harness.socketPath}.kept`, harness.socketPath)
    expect(await under).toContain('It may or may not have taken effect; it is not repeated')
    await expect(client.callTool({ name: 'fixture__pid' })).rejects.toThrow('Holdfast cannot be reached at the moment, so this did not run')

    await harness.another({ socketPath: harness.socketPath })
    await changes.promise
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain('fixture__pid')
    expect((await client.callTool({ name: 'fixture__pid' })).content).toMatchObject([{ text: expect.stringMatching(/^\d+$/) }])
  })

  test('takes an agent again whose message was too long for it; only what was under way is lost', async () => {
    harness = await openHarness({ fixture: fixture({}) })
    const { client } = await harness.agent()
    await client.listTools()
    const changes = Promise.withResolvers<void>()
    client.setNotificationHandler('notifications/tools/list_changed', () => changes.resolve())
    await expect(client.callTool({ name: 'fixture__reveal', arguments: { name: 'x'.repeat(17_000_000) } })).rejects.toThrow('The connection to Holdfast was lost while this ran')
    await changes.promise
    expect((await client.callTool({ name: 'fixture__pid' })).isError).toBeUndefined()
  })

  test('that does not exist makes the shim fail with one line', async () => {
    harness = await openHarness({})
    const { exit } = runShim({ HOLDFAST_BROKER_SOCKET: `${harness.socketPath}.gone`, HOLDFAST_SESSION_TOKEN: TOKEN })
    const stderr = 'holdfast: the host cannot be reached (ENOENT), so no tool call goes through.\n'
    expect(await exit).toEqual({ code: 1, stderr })
  })

  test('is left cleanly when the agent ends the shim’s input', async () => {
    harness = await openHarness({})
    const { shim, exit } = runShim({ HOLDFAST_BROKER_SOCKET: harness.socketPath, HOLDFAST_SESSION_TOKEN: TOKEN })
    shim.stdin.end()
    expect(await exit).toEqual({ code: 0, stderr: '' })
  })
})
