import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { classifyTool, KNOWN_TOOLS } from '../../shared/domain/classify/classify-tool.ts'

const cwd = '/home/a/project'
const home = '/home/a'
const classOf = (tool: string, input: unknown = {}) => classifyTool({ tool, input, cwd, home }).class

describe("Claude Code's built-in tools", () => {
  test.each([
    ['Read', { file_path: '/etc/passwd' }, 'read'],
    ['Glob', { pattern: '**/*.ts' }, 'read'],
    ['Grep', { pattern: 'rm -rf' }, 'read'],
    ['WebFetch', { url: 'https://example.com', prompt: 'delete' }, 'read'],
    ['WebSearch', { query: 'DROP TABLE' }, 'read'],
    ['TodoWrite', { todos: [] }, 'read'],
    ['BashOutput', { bash_id: '1' }, 'read'],
    ['ToolSearch', { query: 'select:Bash' }, 'read'],
    ['AskUserQuestion', { questions: [] }, 'read'],
    ['ExitPlanMode', { plan: 'rm -rf /' }, 'read'],
    ['Agent', { subagent_type: 'general', prompt: 'rm -rf /' }, 'write'],
    ['Task', { subagent_type: 'general', prompt: 'x' }, 'write'],
    ['Skill', { skill: 'release' }, 'write'],
    ['KillShell', { shell_id: '1' }, 'write'],
    ['Write', { file_path: `${cwd}/src/a.ts`, content: 'rm -rf /' }, 'write'],
    ['Write', { file_path: 'src/a.ts', content: '' }, 'write'],
    ['Edit', { file_path: `${cwd}/src/a.ts`, old_string: 'a', new_string: 'b' }, 'write'],
    ['MultiEdit', { file_path: `${cwd}/src/a.ts`, edits: [] }, 'write'],
    ['NotebookEdit', { notebook_path: `${cwd}/a.ipynb`, new_source: '' }, 'write'],
    ['Write', { file_path: '/tmp/scratch.txt', content: '' }, 'write'],
    ['Bash', { command: 'git status' }, 'read'],
    ['Bash', { command: 'mkdir build' }, 'write'],
    ['Bash', { command: 'sudo rm -rf /' }, 'destructive'],
  ])('%s %j is %s', (tool, input, expected) => {
    expect(classOf(tool, input)).toBe(expected)
  })

  test.each([
    '/home/a/other/a.ts', '../other/a.ts', `${cwd}/../other/a.ts`, '/etc/hosts', '/usr/bin/git', '/dev/sda',
    '~/.bashrc', '/home/a/.bashrc', '/home/a/.zshrc', '~/.ssh/authorized_keys', '~/.config/holdfast/profiles/default.yaml',
    `${cwd}/.git/hooks/pre-commit`, '.git/hooks/pre-commit', './src/../.git/config', '.GIT/hooks/pre-commit', '.husky/pre-push',
    `${cwd}/.claude/settings.json`, '.claude/settings.local.json', '.mcp.json', 'holdfast.yaml', '.github/workflows/ci.yml',
    '.gitlab-ci.yml', '.envrc', 'certs/server.key', '.npmrc',
  ])('writing and editing %s is destructive, with the path in the reason', (path) => {
    for (const tool of ['Write', 'Edit', 'MultiEdit']) {
      const found = classifyTool({ tool, input: { file_path: path }, cwd, home })
      expect(found.class, tool).toBe('destructive')
      expect(found.reasons.join(), tool).toContain(path)
    }
    expect(classOf('NotebookEdit', { notebook_path: path })).toBe('destructive')
  })
})

describe('an input that is not as its tool takes it is destructive', () => {
  test.each([
    ['Bash', {}],
    ['Bash', { command: ['ls'] }],
    ['Bash', null],
    ['Bash', 'ls'],
    ['Write', {}],
    ['Write', { file_path: '' }],
    ['Edit', { file_path: 7 }],
    ['Edit', { path: 'a.ts' }],
    ['NotebookEdit', { file_path: 'a.ipynb' }],
  ])('%s %j', (tool, input) => {
    expect(classOf(tool, input)).toBe('destructive')
  })
})

test.each(['', 'read', 'Reader', 'BASH', 'constructor', '__proto__', 'toString', 'PowerShell', 'mcp', 'Read '])(
  'a tool that is not known is destructive: "%s"', (tool) => {
    expect(classOf(tool)).toBe('destructive')
  })

describe('tools of MCP servers', () => {
  test.each([
    ['mcp__holdfast__status', {}, 'read'],
    ['mcp__github__get_issue', {}, 'read'],
    ['mcp__github__listPullRequests', {}, 'read'],
    ['mcp__files__search-files', {}, 'read'],
    ['mcp__crm__list_deleted_users', {}, 'read'],
    ['mcp__github__create_issue', {}, 'write'],
    ['mcp__mail__sendMessage', {}, 'write'],
    ['mcp__github__merge_pull_request', {}, 'destructive'],
    ['mcp__github__delete_repository', {}, 'destructive'],
    ['mcp__http__request', { method: 'DELETE', url: 'https://api.example/x' }, 'destructive'],
    ['mcp__http__fetch', { method: 'GET', url: 'https://api.example/delete' }, 'read'],
    ['mcp__crm__deleteUserById', {}, 'destructive'],
    ['mcp__crm__DELETE-user', {}, 'destructive'],
    ['mcp__crm__get_and_delete_user', {}, 'destructive'],
    ['mcp__crm__update_role', {}, 'destructive'],
    ['mcp__deploy__deploy', {}, 'destructive'],
    ['mcp__x__frobnicate', {}, 'destructive'],
    ['mcp__x', {}, 'destructive'],
    ['mcp__x__', {}, 'destructive'],
    ['mcp__delete__get_item', {}, 'read'],
    ['mcp__pg__query', { sql: 'SELECT 1' }, 'read'],
    ['mcp__pg__query', { sql: 'DROP TABLE users' }, 'destructive'],
    ['mcp__pg__query', { sql: '/* read only */ DELETE FROM users' }, 'destructive'],
    ['mcp__pg__query', { sql: 'WITH d AS (DELETE FROM users RETURNING *) SELECT * FROM d' }, 'destructive'],
    ['mcp__pg__query', { query: 'SELECT 1; TRUNCATE users' }, 'destructive'],
    ['mcp__shell__run_command', { command: 'ls' }, 'write'],
    ['mcp__shell__run_command', { command: 'rm -rf src' }, 'destructive'],
    ['mcp__shell__exec', { cmd: ['rm', '-rf', 'src'] }, 'destructive'],
    ['mcp__shell__run', {}, 'destructive'],
  ])('%s %j is %s', (tool, input, expected) => {
    expect(classOf(tool, input)).toBe(expected)
  })
})

test('every tool that is known by name is judged by it', () => {
  for (const tool of KNOWN_TOOLS.filter((name) => !['Network', 'Spend'].includes(name))) {
    expect(classifyTool({ tool, input: { command: 'ls', file_path: 'a', notebook_path: 'a' } }).class, tool).not.toBe('destructive')
  }
})

test('any name and input is judged without a throw', () => {
  const name = fc.oneof(fc.string(), fc.constantFrom(...KNOWN_TOOLS), fc.string().map((text) => `mcp__a__${text}`))
  fc.assert(fc.property(name, fc.anything(), (tool, input) => {
    expect(classifyTool({ tool, input, cwd, home }).reasons.length).toBeGreaterThan(0)
  }), { numRuns: 2_000 })
})
