import { spawnSync } from 'node:child_process'
import { createPublicKey, verify } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { HoldfastError } from '../../shared/contract/errors.ts'
import { SessionId } from '../../shared/contract/ids.ts'
import { createAgentIdentities, type AgentIdentities } from '../../shared/core/identity/agent-identities.ts'
import { randomIds } from '../../shared/core/identifiers.ts'
import type { SecretStore } from '../../shared/core/ports.ts'
import { createMemorySecrets } from '../../shared/core/demo/memory-secrets.ts'
import { createMemoryLedger } from '../support/fakes.ts'

const EMAIL = 'tester@agents.example'
const SESSION = SessionId.parse('ses_222222222222')
const isMissing = spawnSync('ssh-keygen', ['-?']).error !== undefined

let folder: string
let now: number
let ledger: ReturnType<typeof createMemoryLedger>
let keys: SecretStore
let identities: AgentIdentities
const open = (): AgentIdentities =>
  createAgentIdentities({ file: join(folder, 'agents.json'), allowedSignersFile: join(folder, 'allowed-signers'), keys, clock: { now: () => now }, ids: randomIds, ledger })
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-identity-'))
  now = Date.UTC(2026, 10, 23, 12, 0, 0)
  ledger = createMemoryLedger()
  keys = createMemorySecrets({ now: () => now }, {})
  identities = open()
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** What the real ssh-keygen says of a signature, as git asks it. */
const verifies = (payload: string, signature: string, at: number): boolean => {
  writeFileSync(join(folder, 'sig'), signature)
  const time = new Date(at).toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')
  return spawnSync('ssh-keygen', ['-Y', 'verify', '-f', join(folder, 'allowed-signers'), '-I', EMAIL, '-n', 'git', '-s', join(folder, 'sig'), `-Overify-time=${time}Z`], { input: payload }).status === 0
}

test.skipIf(isMissing)('what is signed verifies with ssh-keygen and the kept allowed-signers file, unchanged alone, and after the key is rotated too', async () => {
  const { identity } = await identities.use('tester', EMAIL)
  const payload = 'tree x\n'.repeat(1_000)
  const first = await identities.signForGit(identity.id, Buffer.from(payload))
  expect(verifies(payload, first, now)).toBe(true)
  expect(verifies(`${payload}!`, first, now)).toBe(false)
  const signedAt = now
  now += 60_000
  await identities.rotate('tester')
  const second = await identities.signForGit(identity.id, Buffer.from(payload))
  expect(second).not.toBe(first)
  expect([verifies(payload, first, signedAt), verifies(payload, second, now)]).toEqual([true, true])
  now += 60_000
  expect(verifies(payload, first, now)).toBe(false)
  await identities.retire('tester')
  expect([verifies(payload, first, signedAt), verifies(payload, second, now - 60_000), verifies(payload, second, now + 60_000)]).toEqual([true, true, false])
})

test('an agent has one id and key from its first use on, kept over a restart, and no other agent’s', async () => {
  const { identity } = await identities.use('tester', EMAIL)
  const { identity: other } = await identities.use('other', EMAIL)
  identities = open()
  expect((await identities.use('tester', EMAIL)).identity).toEqual(identity)
  expect(other.id).not.toBe(identity.id)
  expect(other.keys[0]?.publicKey).not.toBe(identity.keys[0]?.publicKey)
  expect(identity.id).toMatch(/^agt_/)
  expect(ledger.entries.map(({ kind, body }) => [kind, (body as { change: string }).change])).toEqual([['agent/changed', 'made'], ['agent/changed', 'made']])
})

test('a retired agent neither starts nor signs, also after a restart, and its keys stay listed', async () => {
  const { identity } = await identities.use('tester', EMAIL)
  await identities.retire('tester')
  for (const here of [identities, open()]) {
    await expect(here.use('tester', EMAIL)).rejects.toMatchObject({ code: 'agent-refused', message: expect.stringContaining('is retired since 2026-11-23') as string })
    await expect(here.signForGit(identity.id, Buffer.from('x'))).rejects.toBeInstanceOf(HoldfastError)
    await expect(here.rotate('tester')).rejects.toMatchObject({ code: 'agent-refused' })
    expect(here.list()).toMatchObject([{ agent: 'tester', retiredAt: now, keys: [{ publicKey: identity.keys[0]?.publicKey }] }])
  }
  expect(await keys.list()).toEqual([])
  await expect(identities.retire('nobody')).rejects.toMatchObject({ code: 'not-found' })
})

test('the list of agents unreadable means that none starts', async () => {
  await identities.use('tester', EMAIL)
  writeFileSync(join(folder, 'agents.json'), '[{"agent":')
  await expect(open().use('other', EMAIL)).rejects.toMatchObject({ code: 'agent-refused' })
})

test('without a keychain an agent has its id and no key, and says why; with one again it gets its key', async () => {
  const working = keys
  const locked = () => Promise.reject(new HoldfastError('secret-unavailable', 'The keychain is locked.'))
  keys = { get: locked, set: locked, remove: locked, list: locked }
  const { identity, keyProblem } = await open().use('tester', EMAIL)
  expect([identity.keys, keyProblem]).toEqual([[], 'The keychain is locked.'])
  keys = working
  const again = await open().use('tester', EMAIL)
  expect([again.identity.id, again.identity.keys.length, again.keyProblem]).toEqual([identity.id, 1, null])
})

test('a key that the keychain holds in another agent’s place signs nothing', async () => {
  const { identity } = await identities.use('tester', EMAIL)
  const { identity: other } = await identities.use('other', EMAIL)
  await keys.set(`agent-key-${identity.id}`, (await keys.get(`agent-key-${other.id}`)) ?? '')
  await expect(identities.signForGit(identity.id, Buffer.from('x'))).rejects.toMatchObject({ code: 'secret-unavailable' })
})

test('a session’s token says who it is, for ten minutes, and is checked with the agent’s public key', async () => {
  const { identity } = await identities.use('tester', EMAIL)
  const [head = '', body = '', signature = ''] = ((await identities.token(identity.id, SESSION)) ?? '').split('.')
  const x = Buffer.from(identity.keys[0]?.publicKey.split(' ')[1] ?? '', 'base64').subarray(-32).toString('base64url')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  expect(verify(null, Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))).toBe(true)
  expect(JSON.parse(Buffer.from(body, 'base64url').toString())).toEqual({ iss: 'holdfast', sub: identity.id, agent: 'tester', sid: SESSION, iat: now / 1000, exp: now / 1000 + 600 })
})

test('an address that would be a pattern does not stand in the allowed-signers file', async () => {
  await identities.use('tester', 'a*b@example.invalid')
  const text = readFileSync(join(folder, 'allowed-signers'), 'utf8')
  expect(text).toMatch(/^agt_\w+ namespaces="git" ssh-ed25519 \S+ tester\n$/)
})
