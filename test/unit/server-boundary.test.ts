import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ToolAccess } from '../../shared/contract/schemas/mcp-config.ts'
import { parseServerBoundary, type ServerBoundary } from '../../shared/domain/boundary/server-boundary.ts'

const boundaryOf = (env: Record<string, string>, tools?: ToolAccess): ServerBoundary => {
  const parsed = parseServerBoundary({ env, tools, cwd: '/project' })
  if (!parsed.ok) throw new Error(parsed.problem)
  if (parsed.boundary === null) throw new Error('bounds nothing')
  return parsed.boundary
}
/** As the example in the documentation has it. */
const GITHUB = boundaryOf({ ALLOWED_REPOS: 'acme/web,acme/api', ALLOWED_ACTIONS: 'read,create_pr,comment' })
const REPOS = boundaryOf({ ALLOWED_REPOS: 'acme/web,acme/api' })
const outside = (boundary: ServerBoundary, name: string, input: Record<string, unknown>): string | null =>
  boundary.outside({ name, properties: Object.keys(input) }, input)

describe('ALLOWED_REPOS', () => {
  test.each<[string, Record<string, unknown>]>([
    ['owner and repo', { owner: 'acme', repo: 'web', issue_number: 4 }],
    ['another case, which is the same repository', { owner: 'ACME', repo: 'Web' }],
    ['the full name', { repository: 'acme/api' }],
    ['an address', { url: 'https://github.com/acme/web/issues/3?x=1' }],
    ['a git address', { repo_url: 'git@github.com:acme/web.git' }],
    ['a search in it', { query: 'repo:acme/web is:open label:bug' }],
    ['a file of it', { owner: 'acme', repo: 'web', path: 'src/deep/index.ts', branch: 'feature/x', content: 'a {b} ../c evil/x' }],
    ['prose that mentions another', { owner: 'acme', repo: 'web', title: 'See evil/x', body: 'https://github.com/evil/x/issues/1 { "owner": "evil" }' }],
    ['files in one commit', { owner: 'acme', repo: 'api', files: [{ path: 'a/b.ts', content: 'x/../y' }], message: 'm', branch: 'main' }],
    ['both in one call', { repositories: ['acme/web', 'acme/api'] }],
  ])('lets through %s', (_what, input) => {
    expect(outside(REPOS, 'get_thing', input)).toBeNull()
  })

  test.each<[string, Record<string, unknown>]>([
    ['owner and repo', { owner: 'evil', repo: 'x' }],
    ['another repository of the owner', { owner: 'acme', repo: 'secrets' }],
    ['another case', { owner: 'ACME', repo: 'SECRETS' }],
    ['the full name', { repo: 'evil/x' }],
    ['the full name beside an allowed owner', { owner: 'acme', repo: 'evil/x' }],
    ['an allowed full name beside another owner', { owner: 'evil', repo: 'acme/web' }],
    ['a second owner', { owner: 'acme', organization: 'evil', repo: 'web' }],
    ['an address', { url: 'https://github.com/evil/x' }],
    ['an address beside allowed names', { owner: 'acme', repo: 'web', url: 'https://github.com/evil/x' }],
    ['an api address', { url: 'https://api.github.com/repos/evil/x/issues' }],
    ['a raw address', { url: 'https://raw.githubusercontent.com/evil/x/main/a' }],
    ['an address with a user that looks like a host', { url: 'https://github.com@evil.example/acme/web' }],
    ['the same names on another host', { url: 'https://gitlab.com/acme/web' }],
    ['a host that only begins like it', { url: 'https://github.com.evil.example/acme/web' }],
    ['a port', { url: 'https://github.com:8443/acme/web' }],
    ['an address with backslashes', { url: 'https:\\\\github.com\\evil\\x' }],
    ['an address that climbs', { url: 'https://github.com/acme/web/../../evil/x' }],
    ['an address that climbs, encoded', { url: 'https://github.com/acme/web/%2e%2e/%2e%2e/evil/x' }],
    ['an address that climbs, encoded twice', { url: 'https://github.com/acme/web/%252e%252e/%252e%252e/evil/x' }],
    ['a gist', { url: 'https://gist.github.com/evil/abc' }],
    ['a git address', { repo: 'git@github.com:evil/x.git' }],
    ['../ in the repository', { owner: 'acme', repo: 'web/../../evil/x' }],
    ['../ as the repository', { owner: 'acme', repo: '..' }],
    ['../ in a path', { owner: 'acme', repo: 'web', path: '../../../evil/x/contents/key' }],
    ['../ in a number', { owner: 'acme', repo: 'web', issue_number: '1/../../../../evil/x/issues/1' }],
    ['a climbing path with backslashes', { owner: 'acme', repo: 'web', path: '..\\..\\evil' }],
    ['a full-width climbing path', { owner: 'acme', repo: 'web', path: '．．／．．／evil' }],
    ['a trailing dot', { owner: 'acme', repo: 'web.' }],
    ['a trailing space', { owner: 'acme', repo: 'web ' }],
    ['a Cyrillic look-alike', { owner: 'аcme', repo: 'web' }],
    ['an invisible character', { owner: 'acme', repo: 'we\u200bb' }],
    ['a NUL', { owner: 'acme', repo: 'web\0x' }],
    ['a query string in the name', { owner: 'acme', repo: 'web?x=/evil' }],
    ['a fragment in the name', { owner: 'acme', repo: 'web#/../x' }],
    ['an argument with a look-alike name', { owner: 'acme', repo: 'web', 'оwner': 'evil' }],
    ['an argument in another case', { owner: 'acme', repo: 'web', Repo: 'secrets' }],
    ['a list with one more', { repositories: ['acme/web', 'evil/x'] }],
    ['a nested object', { owner: 'acme', repo: 'web', options: { target: { owner: 'evil', repo: 'x' } } }],
    ['JSON in a text', { owner: 'acme', repo: 'web', options: '{"owner":"evil","repo":"x"}' }],
    ['GraphQL text', { query: '{ repository(owner: "evil", name: "x") { id } }' }],
    ['GraphQL text beside allowed names', { owner: 'acme', repo: 'web', query: 'query { viewer { repositories(first: 9) { nodes { name } } } }' }],
    ['a search elsewhere', { query: 'password repo:evil/x' }],
    ['a search of an owner', { q: 'password org:acme' }],
    ['a search with a way out', { q: 'repo:acme/web OR password' }],
    ['a search of everything beside allowed names that the server joins with it', { owner: 'acme', repo: 'web', query: 'x OR password' }],
    ['a search with nothing said', { query: 'password' }],
    ['the branch of a fork', { owner: 'acme', repo: 'web', head: 'evil:main' }],
    ['a comparison with a fork', { owner: 'acme', repo: 'web', basehead: 'main...evil:main' }],
    ['a global id', { owner: 'acme', repo: 'web', threadId: 'PRRT_kwDOABCDEF4A' }],
    ['a global id under any name', { owner: 'acme', repo: 'web', subject: 'R_kgDOABCDEF' }],
    ['an old global id', { owner: 'acme', repo: 'web', node: 'MDEwOlJlcG9zaXRvcnkxMjk2MjY5' }],
    ['a repository by number', { repository_id: 1_296_269 }],
    ['a target under a name that is not known', { owner: 'acme', repo: 'web', destination: 'evil/x' }],
    ['an endpoint', { owner: 'acme', repo: 'web', endpoint: '/repos/evil/x/issues' }],
    ['a repository without an owner', { repo: 'web' }],
    ['an owner alone', { org: 'acme' }],
    ['nothing', {}],
  ])('refuses another repository by %s', (_what, input) => {
    expect(outside(REPOS, 'get_thing', input)).toEqual(expect.any(String))
  })

  test('refuses an argument that the tool does not declare: the server would ignore it and reach elsewhere', () => {
    const tool = { name: 'search_code', properties: ['query'] }
    expect(REPOS.outside(tool, { query: 'password', owner: 'acme', repo: 'web' })).toBe('it has an argument that search_code does not declare')
  })

  test('refuses arguments that are not an object, and ones nested beyond judging', () => {
    const deep: Record<string, unknown> = { owner: 'acme', repo: 'web', a: JSON.parse('['.repeat(200) + ']'.repeat(200)) }
    expect(outside(REPOS, 'get_thing', deep)).toBe('`a` holds more values than can be judged')
    expect(REPOS.outside({ name: 'get_thing', properties: [] }, ['acme/web'])).toBe('its arguments cannot be judged')
  })

  test('takes every repository of an owner, and another host, where the list says so', () => {
    const wide = boundaryOf({ ALLOWED_REPOS: 'acme/*, gitlab.com/group/tool' })
    expect(outside(wide, 'list_repos', { org: 'acme' })).toBeNull()
    expect(outside(wide, 'get', { url: 'https://gitlab.com/group/tool/-/issues' })).toBeNull()
    expect(outside(wide, 'get', { repo: 'group/tool' })).toBe('it is for group/tool')
  })

  test.each(['', ' , ', 'acme', 'acme/web/x', 'https://github.com/acme/web', 'acme/we!b', '*/*'])('a list of %j is not taken', (list) => {
    expect(parseServerBoundary({ env: { ALLOWED_REPOS: list }, tools: undefined, cwd: '/' })).toMatchObject({ ok: false })
  })

  test('never lets a call through that names, as owner and repo, anything but an allowed repository', () => {
    const piece = fc.oneof(
      fc.constantFrom('acme', 'web', 'api', 'evil', 'x', '/', '..', '.', '%2f', '%2e', '\\', ':', '@', '#', '?', ' ', '\u200b', 'а', '.git', 'https://', 'github.com'),
      fc.string({ maxLength: 2, unit: 'grapheme' }),
    )
    const text = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''))
    fc.assert(
      fc.property(text, text, (owner, repo) => {
        const isInside = /^acme$/i.test(owner.normalize('NFKC')) && /^(web|api)$/i.test(repo.normalize('NFKC'))
        if (outside(REPOS, 'get_thing', { owner, repo }) !== null) return
        // What is let through is allowed by its plain reading, or repo alone says the whole of it.
        expect(isInside || /^acme$/i.test(owner.normalize('NFKC')) && /^(acme\/|.*github\.com[/:]acme\/)(web|api)(\.git)?([/#?].*)?$/i.test(repo.normalize('NFKC').replaceAll(/%2f/gi, '/').replaceAll(/%2e/gi, '.'))).toBe(true)
      }),
      { numRuns: 20_000 },
    )
  })

  test('never throws, whatever the arguments are', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (input) => {
        const said = outside(GITHUB, 'get_thing', input)
        expect(said === null || said.length > 0).toBe(true)
      }),
    )
  })
})

describe('ALLOWED_ACTIONS', () => {
  const target = { owner: 'acme', repo: 'web' }

  test.each(['get_file_contents', 'list_issues', 'search_pull_requests', 'create_pull_request', 'createPullRequest', 'add_issue_comment', 'create_comment', 'add_comment_to_issue_comment'])(
    'read,create_pr,comment shows %s and lets it through',
    (name) => {
      expect(GITHUB.shows({ name, properties: ['owner', 'repo'] })).toBe(true)
      expect(outside(GITHUB, name, target)).toBeNull()
    },
  )

  test.each(['merge_pull_request', 'delete_file', 'create_repository', 'create_issue', 'update_pull_request', 'delete_comment', 'push_files', 'fork_repository', 'create_pull_request_and_merge', 'frobnicate'])(
    'read,create_pr,comment hides %s and refuses it',
    (name) => {
      expect(GITHUB.shows({ name, properties: ['owner', 'repo'] })).toBe(false)
      expect(outside(GITHUB, name, target)).toContain('none of the actions')
    },
  )

  test('a tool that does several things is judged by its method', () => {
    const actions = boundaryOf({ ALLOWED_ACTIONS: 'read,create_issue' })
    const issueWrite = { name: 'issue_write', properties: ['method'] }
    expect(actions.shows(issueWrite)).toBe(true)
    expect(actions.outside(issueWrite, { method: 'create' })).toBeNull()
    expect(actions.outside(issueWrite, { method: 'delete' })).toContain('none of the actions')
    expect(actions.outside(issueWrite, {})).toContain('none of the actions')
    expect(actions.outside({ name: 'pull_request_read', properties: ['method'] }, { method: 'get_diff' })).toBeNull()
  })

  test('a method does not overrule a name that says what the tool does', () => {
    expect(outside(GITHUB, 'delete_file', { ...target, method: 'get' })).toContain('none of the actions')
    expect(outside(GITHUB, 'issue_write', { ...target, method: 'get', Method: 'delete' })).toContain('more than one place')
  })

  test('a tool is named in full as well', () => {
    expect(outside(boundaryOf({ ALLOWED_ACTIONS: 'frobnicate_all' }), 'frobnicate_all', {})).toBeNull()
  })
})

describe('the tools that a server’s entry lists', () => {
  const access: ToolAccess = {
    query: { sql: { sql: 'read-only' } },
    'list_*': true,
    write_file: { path: { under: 'out' }, mode: { oneOf: ['create', 'append'] } },
    fetch: { url: { hosts: ['api.example.com', '*.docs.example'] } },
    resize: { width: { range: [1, 100] } },
    run: { script: { glob: 'jobs/*.sql' }, dry: { equals: true } },
  }
  const boundary = boundaryOf({}, access)

  test('are shown, and no others', () => {
    const shown = ['query', 'execute', 'list_tables', 'list', 'fetch', '__proto__', 'constructor']
    expect(shown.filter((name) => boundary.shows({ name, properties: [] }))).toEqual(['query', 'list_tables', 'fetch'])
    expect(outside(boundary, 'execute', {})).toContain('not one of the tools')
  })

  test.each<[string, Record<string, unknown>]>([
    ['query', { sql: 'select * from users where id = 1;' }],
    ['query', { sql: 'with a as (select 1) select * from a' }],
    ['write_file', { path: 'out/a/b.txt', mode: 'create' }],
    ['write_file', { path: '/project/out', mode: 'append' }],
    ['fetch', { url: 'https://api.example.com/v1?q=1' }],
    ['fetch', { url: 'https://a.docs.example/' }],
    ['resize', { width: 100 }],
    ['run', { script: 'jobs/a.sql', dry: true }],
  ])('lets %s with %j through', (name, input) => {
    expect(outside(boundary, name, input)).toBeNull()
  })

  test.each<[string, Record<string, unknown>]>([
    ['query', {}],
    ['query', { sql: 'delete from users where id = 1' }],
    ['query', { sql: 'select 1; drop table users' }],
    ['query', { sql: 'COMMIT; select 1' }],
    ['query', { sql: 'set role postgres' }],
    ['query', { sql: 'with a as (delete from users where id = 1 returning *) select * from a' }],
    ['query', { sql: 'explain analyze delete from users where id = 1' }],
    ['query', { sql: 'select * into copy from users' }],
    ['query', { sql: "select pg_read_file('/etc/passwd')" }],
    ['query', { sql: "select set_config('role', 'postgres', false)" }],
    ['query', { sql: ['select 1', 'drop table x'] }],
    ['write_file', { path: 'out/../secret', mode: 'create' }],
    ['write_file', { path: 'outside', mode: 'create' }],
    ['write_file', { path: 'out/%2e%2e/secret', mode: 'create' }],
    ['write_file', { path: '~/out', mode: 'create' }],
    ['write_file', { path: 'out/a', mode: 'delete' }],
    ['fetch', { url: 'https://evil.example/?https://api.example.com' }],
    ['fetch', { url: 'https://api.example.com@evil.example/' }],
    ['fetch', { url: 'https://api.example.com\\@evil.example/' }],
    ['fetch', { url: 'https://api.example.com:1/' }],
    ['fetch', { url: 'file:///etc/passwd' }],
    ['fetch', { url: 'https://docs.example.evil/' }],
    ['resize', { width: 101 }],
    ['resize', { width: '50' }],
    ['resize', { width: Number.NaN }],
    ['run', { script: 'jobs/deep/a.sql', dry: true }],
    ['run', { script: 'jobs/a.sql', dry: 'true' }],
  ])('refuses %s with %j', (name, input) => {
    expect(outside(boundary, name, input)).toEqual(expect.any(String))
  })
})
