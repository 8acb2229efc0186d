import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { LedgerEntry } from '../../shared/contract/schemas/ledger.ts'
import { bash, createScriptedWorld, toolResults } from '../support/script.ts'
import { missingForEndToEnd, type World } from '../support/world.ts'

const missing = missingForEndToEnd() ?? (spawnSync('ssh-keygen', ['-?']).error === undefined ? null : 'ssh-keygen')

let world: World | null = null
afterEach(async () => {
  await world?.end()
  world = null
})

const AGENT = 'Claude (tester) <tester@agents.example>'
const start = async (...commands: string[]): Promise<World> => {
  const here = (world = await createScriptedWorld(() => commands.map(bash)))
  writeFileSync(
    join(here.holdfastHome, 'config', 'profiles', 'test.yaml'),
    `agent: tester\nmodel: { key: agent/test, baseUrl: "${here.model.baseUrl}" }\nidentity: { git: { name: Claude (tester), email: tester@agents.example } }\npolicy: { allow: [Bash] }\n`,
  )
  return here
}
const run = (here: World) => here.holdfast(['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.'])
const entries = async (here: World, ...kinds: string[]): Promise<LedgerEntry[]> => {
  const { stdout } = await here.holdfast(['ledger', 'tail', '--json', '--lines', '500'])
  return stdout.trim().split('\n').map((line) => JSON.parse(line) as LedgerEntry).filter(({ kind }) => kinds.includes(kind))
}
const signers = (here: World): string => `gpg.ssh.allowedSignersFile=${join(here.holdfastHome, 'data', 'allowed-signers')}`

describe.skipIf(missing !== null)(`commits of an agent${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  it('carry its identity and session, and verify with plain git, outside and inside; the project’s hooks still run', async () => {
    const here = await start('echo one > one.txt && git add one.txt && git commit -q -m "Add one" && git tag -m one v1 && git log -1 --show-signature')
    mkdirSync(join(here.project, '.git/hooks'), { recursive: true })
    writeFileSync(join(here.project, '.git/hooks/pre-commit'), '#!/bin/sh\necho ran > hook-ran.txt\n')
    chmodSync(join(here.project, '.git/hooks/pre-commit'), 0o755)
    expect((await run(here)).code).toBe(0)
    expect(toolResults(here)[0]).toContain('Good \\"git\\" signature for tester@agents.example')
    expect(here.git('log', '-1', '--format=%an <%ae>|%cn <%ce>|%s')).toBe(`${AGENT}|${AGENT}|Add one\n`)
    const [started] = await entries(here, 'session/started')
    expect(here.git('log', '-1', '--format=%(trailers:key=Holdfast-Session,valueonly)').trim()).toBe(started?.sessionId)
    here.git('-c', signers(here), 'verify-commit', 'HEAD')
    here.git('-c', signers(here), 'verify-tag', 'v1')
    expect(existsSync(join(here.project, 'hook-ran.txt'))).toBe(true)
    const [made] = await entries(here, 'agent/changed')
    expect((await entries(here, 'commit/signed')).map(({ body }) => [body['object'], body['who'], body['subject'], body['agentId']])).toEqual([
      ['commit', AGENT, 'Add one', made?.body['agentId']],
      ['tag', AGENT, 'one', made?.body['agentId']],
    ])
    expect(started?.body['agentId']).toBe(made?.body['agentId'])
  })

  it('are never another’s: who sets a name by variable, setting or option is recorded, and refused or overruled', async () => {
    const here = await start(
      'echo two > two.txt && git add two.txt && GIT_AUTHOR_NAME=Me GIT_AUTHOR_EMAIL=me@example.invalid git commit -q -m forged',
      'git config user.email me@example.invalid; git commit -q -m "as configured"',
      'env -u GIT_COMMITTER_NAME -u GIT_COMMITTER_EMAIL git -c user.name=Me -c user.email=me@example.invalid commit -q --allow-empty -m committer',
      'git commit -q --allow-empty --no-verify -m "no hook" && git commit-tree -S -p HEAD -m "no trailer" "HEAD^{tree}"',
      'GIT_COMMITTER_NAME=Me GIT_COMMITTER_EMAIL=me@example.invalid git -c commit.gpgSign=false commit -q --allow-empty -m "unsigned"',
    )
    expect((await run(here)).code).toBe(0)
    const results = toolResults(here)
    expect(results[0]).toContain('Holdfast signs no such commit: the author is Me <me@example.invalid>')
    expect(results[2]).toContain('Holdfast signs no such commit: the committer is Me <me@example.invalid>')
    expect(results[3]).toContain('does not end with the line')
    expect(here.git('log', '--format=%an <%ae>|%cn <%ce>|%s')).toBe(`${AGENT}|Me <me@example.invalid>|unsigned\n${AGENT}|${AGENT}|no hook\n${AGENT}|${AGENT}|as configured\nMe <me@example.invalid>|Me <me@example.invalid>|Begin\n`)
    const overruled = await entries(here, 'identity/overruled')
    expect(overruled.map(({ body }) => body['by'])).toEqual(['call', 'signer', 'call', 'call', 'signer', 'signer', 'call'])
    expect(overruled[2]?.body['what']).toContain('user.email me@example.invalid')
    const [unsigned, ...more] = await entries(here, 'commit/unsigned')
    expect(more).toEqual([])
    expect(unsigned?.body['commits']).toEqual([{ oid: here.git('rev-parse', 'HEAD').trim(), author: AGENT, committer: 'Me <me@example.invalid>' }])
    const alarms = (await entries(here, 'alarm/raised')).map(({ body }) => String(body['message']))
    expect(alarms).toEqual([expect.stringContaining('tried to commit under another name'), expect.stringContaining('did not sign')])
  }, 120_000)

  it('keep the author of a commit that was there before, so that the user’s work can be amended and rebased', async () => {
    const here = await start('echo more >> README.md && git commit -q -a --amend --no-edit && git log -1 --format="%an|%cn"')
    expect((await run(here)).code).toBe(0)
    expect(toolResults(here)[0]).toContain('Me|Claude (tester)')
    here.git('-c', signers(here), 'verify-commit', 'HEAD')
  })

  it('end with the agent: retired, it starts no more, and what it signed still verifies', async () => {
    const here = await start('git commit -q --allow-empty -m last')
    expect((await run(here)).code).toBe(0)
    expect((await here.holdfast(['agents', 'list'])).stdout).toMatch(/tester +agt_\w+ .* active/)
    expect((await here.holdfast(['agents', 'rotate', 'tester'])).code).toBe(0)
    here.git('-c', signers(here), 'verify-commit', 'HEAD')
    expect((await here.holdfast(['agents', 'retire', 'tester'])).code).toBe(0)
    const refused = await run(here)
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('The agent tester is retired since')])
    here.git('-c', signers(here), 'verify-commit', 'HEAD')
    const { stdout } = await here.holdfast(['ledger', 'verify', '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ ok: true })
  })
})
