import fc from 'fast-check'
import { parse, stringify } from 'smol-toml'
import { expect, it } from 'vitest'
import { editToml } from '../../shared/domain/audit/edit-toml.ts'

const FILE = `# mine
model = "x"   # the model
approval_policy = "never" # fast
sandbox_mode = 'danger-full-access'
note = """
approval_policy = "never"
"""

[mcp_servers.gh] # issues
command = "npx"
args = [
  "-y",
  "gh-mcp", # unpinned
  "--fast",
]
env = { GITHUB_TOKEN = "abc", HOST = "x" }

[mcp_servers.gh.headers]
"X-Key" = "never"

[projects."/home"]
trust_level = "trusted"
`

it.each([
  ['a value, and not the same words in a string or behind another key', { kind: 'set', path: ['approval_policy'], value: 'on-request' }, 'approval_policy = "never" # fast', 'approval_policy = "on-request" # fast'],
  ['a value between single quotes', { kind: 'set', path: ['sandbox_mode'], value: 'workspace-write' }, "'danger-full-access'", '"workspace-write"'],
  ['a value below a quoted table', { kind: 'set', path: ['projects', '/home', 'trust_level'], value: 'untrusted' }, '"trusted"', '"untrusted"'],
  ['a name and its value, in an inline table', { kind: 'rename', path: ['mcp_servers', 'gh', 'env', 'GITHUB_TOKEN'], to: 'GITHUB_TOKEN_SECRET', value: 'agent/gh' }, 'GITHUB_TOKEN = "abc"', 'GITHUB_TOKEN_SECRET = "agent/gh"'],
  ['a name between quotes', { kind: 'rename', path: ['mcp_servers', 'gh', 'headers', 'X-Key'], to: 'X-Key_SECRET', value: 'agent/gh' }, '"X-Key" = "never"', 'X-Key_SECRET = "agent/gh"'],
  ['one of a list over several lines', { kind: 'set', path: ['mcp_servers', 'gh', 'args', 1], value: 'gh-mcp@1.2.3' }, '"gh-mcp"', '"gh-mcp@1.2.3"'],
  ['one of a list, gone', { kind: 'remove', path: ['mcp_servers', 'gh', 'args', 2] }, '  "--fast",\n', ''],
  ['a line, gone', { kind: 'remove', path: ['model'] }, 'model = "x"   # the model\n', ''],
  ['one of an inline table, gone', { kind: 'remove', path: ['mcp_servers', 'gh', 'env', 'GITHUB_TOKEN'] }, 'GITHUB_TOKEN = "abc", ', ''],
] as const)('changes %s', (_name, change, old, fresh) => {
  expect(editToml(FILE, change)).toBe(FILE.replace(old, () => fresh))
})

it('takes out a table with what is below it', () => {
  expect(editToml(FILE, { kind: 'remove', path: ['mcp_servers', 'gh'] })).toBe(FILE.slice(0, FILE.indexOf('[mcp_servers.gh]')) + FILE.slice(FILE.indexOf('[projects')))
})

it('changes nothing that it cannot prove', () => {
  expect(editToml(FILE, { kind: 'set', path: ['nothing'], value: 'x' })).toBeNull()
  expect(editToml('a = """\nx\n"""\n', { kind: 'set', path: ['a'], value: 'y' })).toBeNull()
  expect(editToml('broken = [', { kind: 'remove', path: ['broken'] })).toBeNull()
})

it('of any file, changes the one setting and no other', () => {
  const key = fc.stringMatching(/^[a-z-]{1,4}$/)
  const table = fc.dictionary(key, fc.oneof(fc.constantFrom('never', 'a"b', "it's"), fc.integer(), fc.boolean(), fc.array(fc.constantFrom('never', 'x'))), { minKeys: 1, noNullPrototype: true })
  fc.assert(fc.property(fc.dictionary(key, table, { minKeys: 1, noNullPrototype: true }), fc.nat(), fc.nat(), (file, one, other) => {
    const outer = Object.keys(file)[one % Object.keys(file).length] ?? ''
    const inner = Object.keys(file[outer] ?? {})[other % Object.keys(file[outer] ?? {}).length] ?? ''
    const changed = editToml(stringify(file), { kind: 'set', path: [outer, inner], value: 'on-request' })
    if (Array.isArray(file[outer]?.[inner])) return
    expect(parse(changed ?? '')).toEqual({ ...file, [outer]: { ...file[outer], [inner]: 'on-request' } })
  }))
})
