import { describe, expect, test } from 'vitest'
import type { PolicyEffect } from '../../shared/contract/schemas/tool-call.ts'
import { createSubject, isExactFor, matchesRule, parseRule } from '../../shared/domain/rule-match.ts'

const cwd = '/home/a/project'
const ruleOf = (text: string) => {
  const parsed = parseRule(text)
  if (!parsed.ok) throw new Error(parsed.problem)
  return parsed.rule
}
const matches = (rule: string, effect: PolicyEffect, tool: string, input: unknown) =>
  matchesRule(ruleOf(rule), createSubject(tool, input, cwd, '/home/a'), effect)
const bash = (rule: string, effect: PolicyEffect, command: string) => matches(rule, effect, 'Bash', { command })

describe('reading a rule', () => {
  test.each(['Bash', 'Bash(git push:*)', 'Bash(rm -rf build)', 'Read(./secrets/**)', 'WebFetch(domain:example.com)', 'mcp__github',
    'mcp__github__get_issue', 'mcp__*', '*', 'Agent(Explore)', 'Bash(*)'])('%s is one', (text) => {
    expect(parseRule(text).ok).toBe(true)
  })

  test.each([
    ['bash(ls)', 'did you mean Bash?'],
    ['Bsh', 'did you mean Bash?'],
    ['Bash(', 'is not a rule'],
    ['Bash()', 'empty parentheses'],
    ['rm -rf', 'is not a rule'],
    ['', 'is not a rule'],
    ['mcp__github(x)', 'parentheses, which mcp__github does not take'],
    ['mcp__github(destructive)', 'only mcp__server__tool(destructive), under allow'],
    ['mcp__github__*(destructive)', 'only mcp__server__tool(destructive), under allow'],
    ['mcp__github__x(sql)', 'only mcp__server__tool(destructive), under allow'],
    ['WebFetch(example.com)', 'WebFetch(domain:example.com)'],
    [`Bash(${'*'.repeat(12)})`, 'more than 11 stars'],
  ])('%s is none, and is told what would be: %s', (text, hint) => {
    const parsed = parseRule(text)
    expect(parsed.ok ? '' : parsed.problem).toContain(hint)
  })
})

describe('an allow rule for Bash', () => {
  test.each([
    ['Bash(npm test:*)', 'npm test'],
    ['Bash(npm test:*)', 'npm test -- --watch'],
    ['Bash(npm test:*)', 'npm test && npm test --silent'],
    ['Bash(git log *)', 'git log --oneline'],
  ])('%s covers %s', (rule, command) => {
    expect(bash(rule, 'allow', command)).toBe(true)
  })

  test.each([
    ['Bash(npm test:*)', 'npm testing'],
    ['Bash(npm test:*)', 'npm test && rm -rf src'],
    ['Bash(npm test:*)', 'npm test; rm -rf src'],
    ['Bash(npm test:*)', 'npm test | sh'],
    ['Bash(npm test:*)', 'npm test & rm -rf src'],
    ['Bash(npm test:*)', 'npm test\nrm -rf src'],
    ['Bash(npm test:*)', 'npm test $(rm -rf src)'],
    ['Bash(npm test:*)', 'npm test <(rm -rf src)'],
    ['Bash(npm test:*)', './npm test'],
    ['Bash(npm test:*)', 'npm test "unclosed'],
    ['Bash(npm test:*)', 'echo "npm test'],
    ['Bash(npm test:*)', ''],
    ['Bash(npm test:*)', '# npm test'],
    ['Bash(rm -rf build)', 'rm -rf build && rm -rf src'],
    ['Bash(rm -rf build)', 'sudo rm -rf build'],
    ['Bash(git log *)', 'git log x; rm y'],
  ])('%s does not cover %s', (rule, command) => {
    expect(bash(rule, 'allow', command)).toBe(false)
  })
})

describe('a deny or ask rule for Bash', () => {
  test.each(['git push', 'git push origin main', 'true && git push', 'git -C sub push', '/usr/bin/git push', 'sudo git push', 'sh -c "git push"',
    `bash -lc 'sh -c "git push"'`, 'env A=b git push', 'echo $(git push)', 'xargs git push', 'f() { git push; }; f', `eval 'git push'`,
    'g""it push', 'git \\\n push', 'if true; then git push; fi', 'timeout 5 git push', 'nohup git push &', `ssh host 'git push'`,
    'p=push; git $p'])('Bash(git push:*) finds %s', (command) => {
    for (const effect of ['deny', 'ask'] as const) expect(bash('Bash(git push:*)', effect, command)).toBe(true)
  })

  test.each(['git pull', 'git pushx', 'echo "git push"', 'git log --grep push', 'grep -rn "git push" .'])(
    'Bash(git push:*) leaves %s', (command) => {
      expect(bash('Bash(git push:*)', 'deny', command)).toBe(false)
    })

  test('and it matches the line as written when that cannot be parsed', () => {
    expect(bash('Bash(git push:*)', 'deny', 'git push "unclosed')).toBe(true)
  })
})

describe('rules for paths', () => {
  const edits = (rule: string, effect: PolicyEffect, path: string) => matches(rule, effect, 'Edit', { file_path: path })

  test.each([
    ['Edit(src/**)', 'src/a/b.ts'],
    ['Edit(/src)', `${cwd}/src/a.ts`],
    ['Edit(.env)', 'deep/.env'],
    ['Edit(//etc/hosts)', '/etc/hosts'],
    ['Edit(~/.ssh)', '/home/a/.ssh/config'],
    ['Edit(*.pem)', 'a/b.pem'],
    ['Edit(src/**)', 'lib/../src/a.ts'],
  ])('%s matches %s', (rule, path) => {
    expect(edits(rule, 'deny', path)).toBe(true)
  })

  test.each([
    ['Edit(src/**)', 'src/../secret.ts'],
    ['Edit(src/*.ts)', 'src/a/b.ts'],
    ['Edit(/src)', 'lib/src/a.ts'],
    ['Edit(a.ts)', 'aXts'],
  ])('%s does not match %s', (rule, path) => {
    expect(edits(rule, 'deny', path)).toBe(false)
  })

  test('Edit stands for every tool that writes a file', () => {
    expect(matches('Edit(.env)', 'deny', 'Write', { file_path: '.env' })).toBe(true)
    expect(matches('Edit(.env)', 'deny', 'NotebookEdit', { notebook_path: '.env' })).toBe(true)
    expect(matches('Edit(.env)', 'deny', 'Read', { file_path: '.env' })).toBe(false)
  })

  test('Read with a path stands for every tool that reads one', () => {
    expect(matches('Read(secrets/**)', 'deny', 'Grep', { pattern: 'x', path: 'secrets/a' })).toBe(true)
    expect(matches('Read', 'deny', 'Grep', { pattern: 'x' })).toBe(false)
  })

  test('the case of letters hides a path from no deny, and opens none to an allow', () => {
    expect(edits('Edit(.env)', 'deny', '.ENV')).toBe(true)
    expect(edits('Edit(.env)', 'allow', '.ENV')).toBe(false)
  })
})

describe('rules for other tools', () => {
  test.each([
    ['mcp__github', 'mcp__github__get_issue', true],
    ['mcp__github', 'mcp__github2__get_issue', false],
    ['mcp__github__get_issue', 'mcp__github__get_issue', true],
    ['mcp__github__get_issue', 'mcp__github__get_issues', false],
    ['mcp__*', 'mcp__x__y', true],
    ['*', 'Bash', true],
    ['Bash', 'BashOutput', false],
  ])('%s and %s: %s', (rule, tool, expected) => {
    expect(matches(rule, 'allow', tool, {})).toBe(expected)
  })

  test.each([
    ['https://example.com/x', true, true],
    ['https://user@EXAMPLE.com:8443/', true, true],
    ['https://a.example.com/', false, true],
    ['https://example.com.evil.org/', false, false],
    ['https://evil.org/example.com', false, false],
    ['https://evil.org\\@example.com/', false, false],
    ['https:\\\\example.com\\x', true, true],
    ['https://example.com./', true, true],
    ['not an address', false, false],
  ])('WebFetch(domain:example.com) and %s: allow %s, deny %s', (url, allows, denies) => {
    expect(matches('WebFetch(domain:example.com)', 'allow', 'WebFetch', { url })).toBe(allows)
    expect(matches('WebFetch(domain:example.com)', 'deny', 'WebFetch', { url })).toBe(denies)
  })
})

test.each([
  ['Bash(rm -rf build)', 'Bash', { command: 'rm -rf build' }, true],
  ['Bash(rm -rf build)', 'Bash', { command: 'rm -rf build && rm -rf src' }, false],
  ['Bash(rm -rf build:*)', 'Bash', { command: 'rm -rf build' }, false],
  ['Bash(rm *)', 'Bash', { command: 'rm *' }, false],
  ['Bash', 'Bash', { command: 'rm -rf build' }, false],
  ['Edit(/.envrc)', 'Edit', { file_path: '.envrc' }, true],
  ['Edit(/.envrc)', 'Edit', { file_path: 'sub/.envrc' }, false],
  ['mcp__github__delete_repo', 'mcp__github__delete_repo', {}, false],
  ['mcp__github__delete_repo(destructive)', 'mcp__github__delete_repo', {}, true],
  ['mcp__github__delete_repo(destructive)', 'mcp__github__delete_repos', {}, false],
  ['mcp__github', 'mcp__github__delete_repo', {}, false],
])('%s names exactly the call %s %j: %s', (rule, tool, input, expected) => {
  expect(isExactFor(ruleOf(rule), createSubject(tool, input, cwd))).toBe(expected)
})
