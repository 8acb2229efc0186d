import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'
import { missingPrograms } from '../fixtures/keyring/session.ts'
import { startInTerminal, type TerminalProgram } from '../support/terminal.ts'
import { createWorld } from '../support/world.ts'

const CLI = fileURLToPath(new URL('../../build/out/host/cli.mjs', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'hf-'))
const [home, project] = [join(folder, 'home'), join(folder, 'project')]
for (const path of [join(home, '.claude'), project]) mkdirSync(path, { recursive: true })
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const SETTINGS = '{\n  "permissions": {\n    "allow": ["Read", "Bash"],\n    "defaultMode": "bypassPermissions"\n  }\n}\n'
const holdfast = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
    cwd: project, encoding: 'utf8', input: '', env: { PATH: '/usr/bin:/bin', HOME: home, HOLDFAST_HOME: join(folder, 'h'), LANG: 'C.UTF-8' },
  })
  return { code: status, stdout, stderr }
}

it('says what is wrong, where, why and how to mend it; mends it only at a word, and undoes that', () => {
  const file = join(home, '.claude/settings.json')
  writeFileSync(file, SETTINGS)
  const found = holdfast('audit')
  expect(found).toMatchObject({ code: 1, stderr: '' })
  expect(found.stdout).toMatch(/^ {8}\S+settings\.json:3 {2}\([0-9a-f]{8}\)$/m)
  expect(found.stdout.replaceAll(/ {2}\([0-9a-f]{8}\)$/gm, '')).toContain(`high    the rule Bash lets through what could be anything\n        ${file}:3\n        why: what an agent reads can make it run that, unasked (privilege escalation)\n        fix: remove the rule, or name the whole command  [--fix does it]`)
  expect(holdfast('audit', '--fix')).toMatchObject({ code: 2, stdout: '' })
  expect(readFileSync(file, 'utf8')).toBe(SETTINGS)
  const fixed = holdfast('audit', '--fix', '--yes')
  expect(fixed.stdout).toContain('- 4:     "defaultMode": "bypassPermissions"')
  expect(readFileSync(file, 'utf8')).toBe('{\n  "permissions": {\n    "allow": ["Read"]\n  }\n}\n')
  expect(holdfast('audit')).toMatchObject({ code: 0, stdout: '1 file read: nothing found. Nothing was changed.\n' })
  expect(holdfast('audit', '--undo').stdout).toBe(`put back  ${file}\n`)
  expect(readFileSync(file, 'utf8')).toBe(SETTINGS)
  expect(JSON.parse(holdfast('audit', '--json').stdout)).toMatchObject({ findings: [{ rule: 'wide-allow', line: 3, fixable: true }, { rule: 'bypass-mode', line: 4 }], accepted: [], logins: [], read: [file], skipped: [] })
})

it('tells apart what is found, what a person accepted with a reason, and the logins that are theirs', () => {
  const file = join(home, '.bashrc')
  writeFileSync(file, 'export A_TOKEN=correct-horse && x\n', { mode: 0o600 })
  mkdirSync(join(home, '.aws'))
  writeFileSync(join(home, '.aws/credentials'), `[default]\naws_access_key_id = AKIA${'Q3EGPLEX5MRLE7AA'}\n`, { mode: 0o600 })
  rmSync(join(home, '.claude/settings.json'))
  const told = () => JSON.parse(holdfast('audit', '--json').stdout) as Record<'findings' | 'accepted' | 'logins', { id: string; rule: string; reason?: string }[]>
  const [finding] = told().findings
  expect(told()).toMatchObject({ findings: [{ rule: 'secret-in-environment', fixable: false }], accepted: [], logins: [{ rule: 'personal-credential' }] })
  expect(holdfast('audit', '--accept', finding?.id ?? '')).toMatchObject({ code: 2 })
  expect(holdfast('audit', '--accept', finding?.id ?? '', '--reason', 'a test account')).toMatchObject({ code: 0 })
  expect(told()).toMatchObject({ findings: [], accepted: [{ rule: 'secret-in-environment', reason: 'a test account' }], logins: [{ rule: 'personal-credential' }] })
  const clean = holdfast('audit')
  expect(clean).toMatchObject({ code: 0 })
  expect(clean.stdout).toContain('2 files read: nothing found; 1 accepted by you; 1 login of your own in plain text. Nothing was changed.\n')
  expect(holdfast('audit', '--withdraw', finding?.id ?? '')).toMatchObject({ code: 0 })
  expect(holdfast('audit')).toMatchObject({ code: 1 })
  writeFileSync(join(home, '.bashrc'), '')
})

const missing = process.platform === 'linux' ? missingPrograms() : ['Linux']

it.skipIf(missing.length > 0)(`moves what is in plain text into a real keychain, asks at a terminal about each file, and puts all back from what it sealed${missing.length > 0 ? ` (missing: ${missing.join(', ')})` : ''}`, async () => {
  const world = await createWorld(() => Promise.reject(new Error('no model is asked here')))
  let terminal: TerminalProgram | null = null
  try {
    const [shell, servers, kept] = [join(world.home, '.zshrc'), join(world.project, '.mcp.json'), join(world.project, '.env')]
    const before = ['export GITHUB_TOKEN=correct-horse-1\n', '{ "mcpServers": { "db": { "command": "db", "env": { "DB_PASSWORD": "correct-horse-2" } } } }\n', 'API_TOKEN=correct-horse-3\n']
    const now = () => [shell, servers, kept].map((file) => readFileSync(file, 'utf8'))
    for (const [index, file] of [shell, servers, kept].entries()) writeFileSync(file, before[index] ?? '', { mode: 0o600 })
    terminal = startInTerminal(`hf-audit-${process.pid}`, [process.execPath, CLI, 'audit', '--fix'], { env: world.environment, cwd: world.project })
    for (const [answer, words] of [['y', 'agent/github-token'], ['y', 'agent/db-db-password'], ['n', 'agent/api-token']] as const) {
      await terminal.shows(new RegExp(`keeps ${words}\\s+Change this file\\? \\[y/N\\]\\s*$`))
      terminal.type(answer)
      terminal.press('Enter')
    }
    const screen = await terminal.shows('ended with 1')
    expect(screen).not.toContain('correct-horse')
    expect(now()).toEqual([': # GITHUB_TOKEN is kept in the keychain as agent/github-token\n', '{ "mcpServers": { "db": { "command": "db", "env": { "DB_PASSWORD_SECRET": "agent/db-db-password" } } } }\n', before[2]])
    const { secrets } = JSON.parse((await world.holdfast(['secret', 'list', '--json'])).stdout) as { secrets: { name: string }[] }
    expect(secrets.map(({ name }) => name)).toEqual(['agent/db-db-password', 'agent/github-token', 'agent/test'])
    expect(spawnSync('grep', ['-rlE', 'correct-horse-[12]', world.folder], { encoding: 'utf8' }).stdout).toBe('')
    expect(await world.holdfast(['audit', '--undo'])).toMatchObject({ code: 0, stdout: expect.stringContaining('The keychain has agent/github-token still: holdfast secret remove agent/github-token') })
    expect(now()).toEqual(before)
    // Without a host that keeps it, a secret stays where it is, and the reason is told.
    const elsewhere = { env: { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent', HOLDFAST_HOME: join(world.folder, 'other') } }
    const refused = await world.holdfast(['audit', '--fix', '--yes', '--json'], elsewhere)
    expect(await world.holdfast(['down'], elsewhere)).toMatchObject({ code: 0, stdout: 'The host has stopped.\n' })
    expect(JSON.parse(refused.stdout)).toMatchObject({ id: null, changes: [], left: [{ stays: expect.stringContaining('its secret has nowhere to go.') }, {}, {}] })
    expect(now()).toEqual(before)
  } finally {
    terminal?.end()
    await world.end()
  }
})
