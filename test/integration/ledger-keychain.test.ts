import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Client } from '../../shared/contract/client.ts'
import { verifyExport } from '../../shared/core/ledger/verify-export.ts'
import { fromPem } from '../../shared/core/ledger/signing.ts'
import { resolvePaths } from '../../shared/core/paths.ts'
import { readEndpoint } from '../../shared/core/transports/endpoint-file.ts'
import { connectLocal } from '../../shared/core/transports/local-socket-client.ts'
import { jsonLine } from '../../shared/domain/ledger-export.ts'
import { createKeyringSession, missingPrograms, type KeyringSession } from '../fixtures/keyring/session.ts'
import { writeFileSync } from 'node:fs'

const HOST_MAIN = fileURLToPath(new URL('../../shared/host/host-main.ts', import.meta.url))
const missing = process.platform === 'linux' ? missingPrograms() : ['Linux']

let home = ''
let host: ChildProcess | null = null
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hf-'))
})
afterEach(async () => {
  if (host !== null && host.exitCode === null && host.signalCode === null) {
    host.kill('SIGKILL')
    await once(host, 'exit')
  }
  rmSync(home, { recursive: true, force: true })
})

const startHost = async (environment: Record<string, string>): Promise<Client> => {
  host = spawn(process.execPath, [HOST_MAIN], { env: { HOLDFAST_HOME: home, PATH: process.env['PATH'] ?? '', ...environment }, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const [told] = (await once(host, 'message')) as [{ ready?: true }]
  expect(told).toEqual({ ready: true })
  const endpoint = await readEndpoint(resolvePaths({ HOLDFAST_HOME: home }).run)
  if (endpoint === null) throw new Error('the host wrote no endpoint')
  return connectLocal(endpoint, 'test')
}
const stopHost = async (client: Client): Promise<void> => {
  const ended = once(host as ChildProcess, 'exit')
  await client.call('host/stop', {})
  await ended
}

test('a host without a keychain runs with a ledger that is chained, and says why it is unsigned', async () => {
  const client = await startHost({ DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere' })
  await client.call('ledger/seal', {})
  const { ok, signed } = await client.call('ledger/verify', {})
  expect({ ok, signed }).toEqual({ ok: true, signed: { through: 0, seals: 0, publicKey: null, problem: expect.stringMatching(/keychain/) } })
  await stopHost(client)
})

describe.skipIf(missing.length > 0)(`over a real gnome-keyring${missing.length > 0 ? ` (missing: ${missing.join(', ')})` : ''}`, () => {
  let session: KeyringSession
  beforeEach(async () => {
    session = await createKeyringSession()
    await session.startBus()
    await session.startKeyring('password')
  })
  afterEach(() => session.end())

  test('a host seals its ledger when it stops, with a key that only the keychain has, and an export proves itself elsewhere', async () => {
    await stopHost(await startHost(session.environment))
    const client = await startHost(session.environment)
    await client.call('ledger/seal', {})
    const verification = await client.call('ledger/verify', {})
    expect(verification).toMatchObject({ ok: true, entries: 5, signed: { through: 4, seals: 2, problem: null } })
    const { publicKey } = await client.call('ledger/key', {})
    const { entries } = await client.call('ledger/read', { after: 0 })
    const file = join(home, 'export.jsonl')
    writeFileSync(file, entries.map((entry) => `${jsonLine(entry)}\n`).join(''))
    expect(await verifyExport(file, fromPem(publicKey))).toMatchObject({ ok: true, entries: 5, signed: { through: 4 } })
    await stopHost(client)
    const holder = session.client()
    expect(await holder.ask('get', 'ledger-key')).toEqual({ result: null })
    const data = resolvePaths({ HOLDFAST_HOME: home }).data
    for (const name of readdirSync(data)) {
      if (name.startsWith('ledger')) expect(readFileSync(join(data, name)).includes('MC4CAQAwBQYDK2Vw')).toBe(false)
    }
  })
})
