import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Client } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseMcpConfig } from '../../shared/contract/schemas/mcp-config.ts'
import { CALL_ID, openHarness } from '../fixtures/servers/broker-session.ts'
import type { Harness } from '../fixtures/servers/broker-session.ts'
import { hasPostgres, startPostgres, type Postgres } from '../fixtures/postgres/start.ts'

/** The file people are given, to the letter. */
const EXAMPLE = fileURLToPath(new URL('../fixtures/onboarding/mcp.json', import.meta.url))
const GITHUB_SERVER = fileURLToPath(new URL('../fixtures/servers/github-server.ts', import.meta.url))
const DATABASE_SERVER = fileURLToPath(import.meta.resolve('postgres-mcp-server'))
const PASSWORD = 'a-password-of-agent_ro'
const PROGRAMS: Record<string, string> = { 'a-postgres-mcp-server': DATABASE_SERVER, 'a-github-mcp-server': GITHUB_SERVER }

const secrets = { 'agent/db-readonly': PASSWORD, 'agent/github-pat': 'ghp_not-a-real-token' }
let folder: string
let postgres: Postgres
let harness: Harness
let client: Client

/** Stands in for npm and its registry: the packages the example names are the ones that are installed here. */
const writePrograms = (): void => {
  const script = (name: string, text: string): void => {
    writeFileSync(join(folder, 'bin', name), `#!/bin/sh\n${text}\n`)
    chmodSync(join(folder, 'bin', name), 0o755)
  }
  mkdirSync(join(folder, 'bin'))
  script('npm', '[ "$1" = config ] && echo https://registry.example/ && exit\nprintf \'{"name":"%s","version":"1.2.0","dist.integrity":"sha512-abc"}\' "$3"')
  const cases = Object.entries(PROGRAMS).map(([name, file]) => `${name}@1.2.0) exec ${process.execPath} ${file} "$3";;`)
  script('npx', `case "$2" in\n${cases.join('\n')}\nesac\nexit 1`)
}

/** The processes of this machine that have a text in their environment. */
const holdersOf = (text: string): string[] =>
  readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, 'latin1').includes(text)
    } catch {
      return false
    }
  })
const argumentsOf = (pid: string): string => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')

const call = async (name: string, args: Record<string, unknown>): Promise<string> => {
  const { content } = await client.callTool({ name, arguments: args })
  return content.map((block) => (block.type === 'text' ? block.text : '')).join('')
}
const query = (sql: string): Promise<string> => call('database-readonly__query', { sql })

describe.skipIf(!hasPostgres)(`the example .mcp.json, with a real PostgreSQL${hasPostgres ? '' : ' (missing: postgresql)'}`, () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-example-'))
    writePrograms()
    postgres = await startPostgres()
    await postgres.run(`create table orders (id int, item text); insert into orders values (1, 'anchor'), (2, 'rope');
      create role agent_ro login password '${PASSWORD}'; grant select on orders to agent_ro; create table salaries (name text)`)
    const { mcpServers } = parseMcpConfig(EXAMPLE, readFileSync(EXAMPLE, 'utf8'))
    const database = mcpServers['database-readonly']
    if (database?.type !== 'stdio') throw new Error('the example has another form')
    // Where the database is, and that its server leaves writing to the role.
    Object.assign(database.env, { DB_HOST: '127.0.0.1', DB_PORT: String(postgres.port), DB_SSL: 'false', READ_ONLY: 'false' })
    harness = await openHarness(mcpServers, {
      secrets,
      deps: { environment: { PATH: `${join(folder, 'bin')}:${dirname(process.execPath)}:/usr/bin:/bin`, HOME: folder } },
      decide: async ({ outside, input }) => {
        const reason = outside?.(input) ?? null
        return reason === null ? { allowed: true, toolCallId: CALL_ID } : { allowed: false, toolCallId: CALL_ID, reason }
      },
    })
    client = (await harness.agent()).client
  })
  afterAll(async () => {
    await harness?.close()
    await postgres?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  test('reads the database through the real server', async () => {
    expect(harness.session.servers().map(({ name, state }) => [name, state])).toEqual([['database-readonly', 'ready'], ['github-scoped', 'ready']])
    expect(JSON.parse(await query('select id, item from orders order by id')).rows).toEqual([{ id: 1, item: 'anchor' }, { id: 2, item: 'rope' }])
    expect(JSON.parse(await query('select current_user as who')).rows).toEqual([{ who: 'agent_ro' }])
  })

  test('the role cannot write, nor read what was not given to it, whatever the server lets through', async () => {
    for (const sql of ["insert into orders values (3, 'x')", 'select * from salaries', 'with gone as (delete from orders where id = 1 returning id) select * from gone']) {
      expect(await query(sql)).toContain('PERMISSION_DENIED')
    }
    expect(await postgres.run('select count(*) from orders')).toBe('2')
  })

  test.skipIf(process.platform !== 'linux')('only the database server’s process ever has the password', async () => {
    const holders = holdersOf(PASSWORD)
    expect(holders.map(argumentsOf)).toEqual([expect.stringContaining(DATABASE_SERVER)])
    expect(holdersOf('ghp_not-a-real-token').map(argumentsOf)).toEqual([expect.stringContaining(GITHUB_SERVER)])
    expect(await query(`select '${PASSWORD}' as told`)).not.toContain(PASSWORD)
    expect(JSON.stringify(harness.ledger)).not.toContain(PASSWORD)
  })

  test('a new password, in the database and in the keychain, is taken up while the session goes on', async () => {
    await postgres.run("alter role agent_ro password 'its-next-password'; select pg_terminate_backend(pid) from pg_stat_activity where usename = 'agent_ro'")
    expect(await query('select 1 as one')).toContain('DATABASE_ERROR')
    secrets['agent/db-readonly'] = 'its-next-password'
    harness.broker.secretChanged('agent/db-readonly')
    await expect.poll(() => query('select 1 as one'), { timeout: 20_000 }).toContain('"one": 1')
    expect(holdersOf(PASSWORD)).toEqual([])
  })

  test('the GitHub server reaches the two repositories, with the three actions, and nothing else', async () => {
    expect(await call('github-scoped__get_file_contents', { owner: 'acme', repo: 'web', path: 'README.md' })).toContain('reached')
    expect((await client.listTools()).tools.map(({ name }) => name)).not.toContain('github-scoped__merge_pull_request')
    const elsewhere: Record<string, unknown>[] = [
      { owner: 'evil', repo: 'x' },
      { owner: 'acme', repo: 'secrets' },
      { owner: 'acme', repo: 'https://github.com/evil/x' },
      { owner: 'acme', repo: 'web/../../evil/x' },
      { owner: 'ACME', repo: 'SECRETS' },
      { owner: 'acme', repo: 'web.' },
      { owner: 'аcme', repo: 'web' },
      { owner: 'acme', repo: 'wеb' },
      { owner: 'acme', repo: '{ repository(owner: "evil", name: "x") { id } }' },
    ]
    for (const target of elsewhere) expect(await call('github-scoped__get_file_contents', { ...target, path: 'a' }), JSON.stringify(target)).not.toContain('reached')
    expect(await call('github-scoped__graphql_query', { query: '{ repository(owner: "evil", name: "x") { id } }' })).not.toContain('reached')
  })
})
