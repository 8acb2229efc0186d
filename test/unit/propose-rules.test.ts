import { expect, test } from 'vitest'
import { proposeRules } from '../../shared/domain/propose-rules.ts'

const cwd = '/home/a/project'

test.each([
  ['Bash', { command: 'git push origin main' }, ['Bash(git push origin main)', 'Bash(git push origin main:*)', 'Bash(git push origin:*)', 'Bash(git push:*)']],
  ['Bash', { command: 'rm -rf "my build"' }, ['Bash(rm -rf:*)']],
  ['Bash', { command: 'rm a && rm b' }, []],
  ['Bash', { command: 'rm "unclosed' }, []],
  ['Bash', { command: 'x'.repeat(2_000) }, []],
  ['Network', { host: 'api.example.com', port: 443 }, ['Network(api.example.com:443)', 'Network(api.example.com)', 'Network(*.example.com)']],
  ['Network', { host: '203.0.113.7', port: 443 }, ['Network(203.0.113.7:443)', 'Network(203.0.113.7)']],
  ['Write', { file_path: `${cwd}/.github/workflows/ci.yml` }, ['Write(/.github/workflows/ci.yml)', 'Write(/.github/workflows/**)']],
  ['Edit', { file_path: '/etc/hosts' }, ['Edit(//etc/hosts)', 'Edit(//etc/**)']],
  ['mcp__gh__delete', { id: 1 }, []],
])('rules for always, the narrowest first: %s %j', (tool, input, rules) => {
  expect(proposeRules({ tool, input, cwd })).toEqual(rules)
})
