import { fileURLToPath } from 'node:url'
import type { Client } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CALL_ID, nodeServer, openHarness } from '../fixtures/servers/broker-session.ts'
import type { Harness } from '../fixtures/servers/broker-session.ts'

const GITHUB_SERVER = fileURLToPath(new URL('../fixtures/servers/github-server.ts', import.meta.url))
let harness: Harness
let client: Client

beforeAll(async () => {
  // The form of the example that people are given, secret and boundaries included.
  const env = { GITHUB_TOKEN_SECRET: 'agent/github-pat', ALLOWED_REPOS: 'acme/web,acme/api', ALLOWED_ACTIONS: 'read,create_pr,comment' }
  harness = await openHarness(
    { 'github-scoped': nodeServer(GITHUB_SERVER, env), database: { ...nodeServer(GITHUB_SERVER), tools: { search_code: { query: { sql: 'read-only' } } } } },
    {
      secrets: { 'agent/github-pat': 'ghp_not-a-real-token' },
      decide: async ({ outside, input }) => {
        const reason = outside?.(input) ?? null
        return reason === null ? { allowed: true, toolCallId: CALL_ID } : { allowed: false, toolCallId: CALL_ID, reason }
      },
    },
  )
  client = (await harness.agent()).client
})
afterAll(() => harness.close())

const call = async (name: string, args: Record<string, unknown>): Promise<string> => {
  const { content } = await client.callTool({ name, arguments: args })
  return content.map((block) => (block.type === 'text' ? block.text : '')).join('')
}

test('tools outside ALLOWED_ACTIONS, or not listed for their server, do not exist for the agent', async () => {
  const names = (await client.listTools()).tools.map(({ name }) => name).sort()
  expect(names).toEqual([
    'database__search_code',
    'github-scoped__add_issue_comment',
    'github-scoped__create_pull_request',
    'github-scoped__get_file_contents',
    'github-scoped__graphql_query',
    'github-scoped__search_code',
    'status',
  ])
  await expect(call('github-scoped__merge_pull_request', { owner: 'acme', repo: 'web', pullNumber: 1 })).rejects.toThrow('Unknown tool')
})

test('a call to an allowed repository reaches the server', async () => {
  const reached = await call('github-scoped__get_file_contents', { owner: 'acme', repo: 'web', path: 'README.md' })
  expect(reached).toBe('reached {"owner":"acme","repo":"web","path":"README.md"}')
  expect(await call('database__search_code', { query: 'select 1' })).toContain('reached')
})

test.each<[string, Record<string, unknown>]>([
  ['github-scoped__get_file_contents', { owner: 'evil', repo: 'x', path: 'a' }],
  ['github-scoped__get_file_contents', { owner: 'acme', repo: 'web', path: '../../../evil/x/contents/a' }],
  ['github-scoped__get_file_contents', { owner: 'acme', repo: 'web/../../evil/x', path: 'a' }],
  ['github-scoped__create_pull_request', { owner: 'acme', repo: 'web', title: 't', head: 'evil:main', base: 'main' }],
  ['github-scoped__add_issue_comment', { owner: 'acme', repo: 'web.', issue_number: 1, body: 'b' }],
  ['github-scoped__add_issue_comment', { owner: 'acme', repo: 'web', issue_number: '1/../../../evil/x/issues/1', body: 'b' }],
  ['github-scoped__search_code', { query: 'password repo:evil/x' }],
  ['github-scoped__graphql_query', { query: '{ repository(owner: "evil", name: "x") { id } }' }],
  ['github-scoped__search_code', { query: 'password', owner: 'acme', repo: 'web' }],
  ['database__search_code', { query: 'delete from users' }],
])('%s with %j is refused before it reaches the server', async (name, args) => {
  expect(await call(name, args)).not.toContain('reached')
})
