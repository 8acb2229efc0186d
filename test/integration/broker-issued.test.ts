import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from '@modelcontextprotocol/client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FIXTURE_SERVER, nodeServer, openHarness } from '../fixtures/servers/broker-session.ts'
import type { Harness } from '../fixtures/servers/broker-session.ts'

let folder: string
let harness: Harness
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-issued-'))
})
afterEach(async () => {
  await harness.close()
  rmSync(folder, { recursive: true, force: true })
})

/** A program of the user's that issues secrets; it gets the session's count of runs in `runs`. */
const issuer = (text: string): void => {
  writeFileSync(join(folder, 'issue'), `#!/bin/sh\necho run >> ${folder}/runs\n${text}\n`)
  chmodSync(join(folder, 'issue'), 0o755)
}
const open = async (env: Record<string, string>, cwd = tmpdir()): Promise<Client> => {
  const environment = { PATH: `${folder}:/usr/bin:/bin`, HOME: folder, CANARY: 'must-not-leave-the-host' }
  harness = await openHarness({ s: nodeServer(FIXTURE_SERVER, env) }, { cwd, deps: { environment } })
  const { client } = await harness.agent()
  await client.listTools()
  return client
}
const pid = async (client: Client): Promise<string> => {
  const { content } = await client.callTool({ name: 's__pid' })
  return content.map((block) => (block.type === 'text' ? block.text : '')).join('')
}
const environOf = (id: string): string[] => readFileSync(`/proc/${id}/environ`, 'utf8').split('\0')

describe.skipIf(process.platform !== 'linux')('a secret that a command issues', () => {
  const cwd = () => mkdtempSync(join(folder, 'project-'))

  test('reaches its server alone; the command knows its user, and nothing of the host’s', async () => {
    issuer('echo "issued-$HOME-${CANARY:-none}-$1"')
    const client = await open({ TOKEN_SECRET: 'exec: issue "two words"' }, cwd())
    expect(environOf(await pid(client))).toContain(`TOKEN=issued-${folder}-none-two words`)
    expect(harness.ledger.filter(({ kind }) => kind === 'secret/resolved')).toEqual([{ kind: 'secret/resolved', body: { secret: 'exec: issue', server: 's', variable: 'TOKEN' } }])
  })

  test('of several parts is issued once', async () => {
    issuer(`echo '{"Credentials":{"AccessKeyId":"the-key-id","SecretAccessKey":"the-secret-key","Expiration":"2100-01-01T00:00:00Z"}}'`)
    const environ = environOf(await pid(await open({ ID_SECRET: 'exec[Credentials.AccessKeyId]: issue', KEY_SECRET: 'exec[Credentials.SecretAccessKey]: issue' }, cwd())))
    expect(environ).toEqual(expect.arrayContaining(['ID=the-key-id', 'KEY=the-secret-key']))
    expect(readFileSync(join(folder, 'runs'), 'utf8')).toBe('run\n')
  })

  test('is renewed before it ends, and the server started anew with it', async () => {
    issuer(`echo "{\\"token\\":\\"token-number-$(wc -l < ${folder}/runs | tr -d ' ')\\",\\"expires_in\\":3}"`)
    const client = await open({ TOKEN_SECRET: 'exec: issue' }, cwd())
    const tokens = new Set<string>()
    // On a slow machine it may be started anew before it was ever there.
    const token = async () => environOf(await pid(client)).find((one) => one.startsWith('TOKEN='))
    const seen = () => token().then((value) => tokens.add(value ?? '').size, () => tokens.size)
    await expect.poll(seen, { timeout: 40_000 }).toBeGreaterThan(1)
    await expect.poll(token, { timeout: 20_000 }).toMatch(/^TOKEN=token-number-\d$/)
  })

  test.each([
    ['fails', 'echo a-secret-on-the-way >&2; exit 3', 'exec: issue', /issue, which is to issue a secret, failed \(exit code 3\)/],
    ['prints nothing', 'exit 0', 'exec: issue', /printed no secret/],
    ['prints what has ended', `echo '{"token":"t","expires_at":"1969-01-01"}'`, 'exec: issue', /printed one that has expired already/],
    ['is not there', 'exit 0', 'exec: no-such-program', /There is no program no-such-program/],
  ])('is missing when the command %s: the server does not start, and says why without what was printed', async (_what, text, reference, message) => {
    issuer(text)
    await open({ TOKEN_SECRET: reference }, cwd())
    const [server] = harness.session.servers()
    expect(server).toMatchObject({ state: 'unavailable', message: expect.stringMatching(message) })
    expect(server?.message).not.toContain('a-secret-on-the-way')
  })

  test('comes from no program that the agent could have put there', async () => {
    issuer('echo from-the-project')
    await open({ TOKEN_SECRET: 'exec: issue' }, folder)
    expect(harness.session.servers()[0]?.message).toContain('There is no program issue')
    await harness.close()
    await open({ TOKEN_SECRET: `exec: ${folder}/issue` }, folder)
    expect(harness.session.servers()[0]?.message).toContain('where the agent itself may write')
  })
})
