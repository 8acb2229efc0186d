import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { PolicyLayer } from '../../shared/contract/schemas/profile.ts'
import type { PolicyEffect } from '../../shared/contract/schemas/tool-call.ts'
import { classifyTool } from '../../shared/domain/classify/classify-tool.ts'
import { BUILT_IN_LAYER, evaluatePolicy } from '../../shared/domain/policy-evaluate.ts'
import { parseRule } from '../../shared/domain/rule-match.ts'
import { sessionLayer } from '../../shared/domain/session-rules.ts'

const cwd = '/home/a/project'

const layer = (origin: PolicyLayer['origin'], rules: Partial<Record<PolicyEffect, readonly string[]>>): PolicyLayer => ({
  origin,
  rules: (['deny', 'ask', 'allow'] as const).flatMap((effect) => (rules[effect] ?? []).map((text, index) => {
    const parsed = parseRule(text)
    if (!parsed.ok) throw new Error(parsed.problem)
    return { rule: parsed.rule, effect, source: `${origin}:${index + 1}` }
  })),
})

const decide = (layers: readonly PolicyLayer[], tool: string, input: unknown) =>
  evaluatePolicy({ policy: { layers }, tool, input, cwd, classification: classifyTool({ tool, input, cwd }) })
const bash = (layers: readonly PolicyLayer[], command: string) => decide(layers, 'Bash', { command }).effect
const EVERYTHING = ['*', 'Bash', 'Bash(*)', 'Edit', 'Write', 'mcp__*']

describe('without a rule', () => {
  test.each([
    ['git status', 'allow'],
    ['mkdir build', 'allow'],
    ['rm -rf build', 'ask'],
    ['echo "unclosed', 'ask'],
  ])('%s: %s, and the decision names the default that made it', (command, effect) => {
    const found = decide([], 'Bash', { command })
    expect(found.effect).toBe(effect)
    expect(found.rules).toEqual([{ rule: `${found.classification.class} actions`, effect, source: 'built-in' }])
  })
})

describe('a program that nothing is known of', () => {
  const asked = { effect: 'ask', rules: [{ rule: 'unknown programs', effect: 'ask', source: 'built-in' }], classification: { class: 'write', unknown: ['frobnicate'] } }

  test.each(['frobnicate --all', 'timeout 5 frobnicate', 'true && frobnicate', 'sh -c "frobnicate x"', '/opt/x/frobnicate', 'echo $(frobnicate)'])('is asked about: %s', (command) => {
    expect(decide([], 'Bash', { command })).toMatchObject(asked)
    expect(decide([layer('project', { allow: ['Bash'] })], 'Bash', { command }).effect).toBe('ask')
  })

  test.each(['./build.sh', `${cwd}/tools/x --all`, 'node server.js', 'python3 -m mine', 'npm test', 'make', 'node_modules/.bin/mine', 'docker compose exec web npm test'])('is no program of the project: %s', (command) => {
    expect(bash([], command)).toBe('allow')
  })

  test('is not asked about where the user allows the call, and is denied where a rule says so', () => {
    expect(bash([layer('user', { allow: ['Bash(frobnicate:*)'] })], 'frobnicate --all')).toBe('allow')
    expect(bash([layer('user', { allow: ['Bash(frobnicate:*)'] })], 'frobnicate --all; other')).toBe('ask')
    expect(bash([layer('user', { allow: ['Bash(frobnicate:*)'], deny: ['Bash(frobnicate:*)'] })], 'frobnicate --all')).toBe('deny')
  })
})

describe('the strictest rule wins', () => {
  test('whatever the order of layers', () => {
    const layers = [layer('user', { allow: ['Bash'] }), layer('project', { deny: ['Bash(git push:*)'], ask: ['Bash(git:*)'] })]
    for (const order of [layers, layers.toReversed()]) {
      expect(bash(order, 'git push')).toBe('deny')
      expect(bash(order, 'git status')).toBe('ask')
      expect(bash(order, 'ls')).toBe('allow')
    }
  })

  test('and the decision lists every rule that matched, with its place', () => {
    const found = decide([layer('user', { deny: ['Bash(git push:*)'], allow: ['Bash'] })], 'Bash', { command: 'git push' })
    expect(found.rules).toEqual([
      { rule: 'Bash(git push:*)', effect: 'deny', source: 'user:1' },
      { rule: 'Bash', effect: 'allow', source: 'user:1' },
    ])
  })

  test('a rule that is added, by whomever, never loosens unless it is a user\'s allow', () => {
    const rank = { allow: 0, ask: 1, deny: 2 }
    const rule = fc.constantFrom('Bash', 'Bash(git:*)', 'Bash(rm -rf build)', 'Bash(git push:*)', '*')
    const rules = fc.record({ deny: fc.array(rule, { maxLength: 2 }), ask: fc.array(rule, { maxLength: 2 }), allow: fc.array(rule, { maxLength: 2 }) })
    const command = fc.constantFrom('git push', 'rm -rf build', 'git status', 'ls', 'rm -rf build && git push', '"')
    fc.assert(fc.property(rules, rules, command, (mine, theirs, line) => {
      const before = bash([layer('user', mine)], line)
      const after = bash([layer('user', mine), layer('project', theirs)], line)
      expect(rank[after]).toBeGreaterThanOrEqual(rank[before])
    }))
  })
})

describe('the built-in layer', () => {
  const open = [layer('user', { allow: [...EVERYTHING, 'Bash(holdfast approve apr_1)', 'Edit(/holdfast.yaml)'] }), layer('project', { allow: EVERYTHING })]

  test.each(['holdfast approve apr_1', 'holdfast deny apr_1', 'holdfast resume s1', 'holdfast undo s1', 'holdfast secret get x',
    '/usr/bin/holdfast approve apr_1', 'sh -c "holdfast approve apr_1"', 'sudo holdfast approve apr_1', 'true; holdfast approve apr_1',
    'hold""fast approve apr_1', '$(which holdfast) approve apr_1 || holdfast approve apr_1'])('denies %s whatever the files allow', (command) => {
    expect(bash(open, command)).toBe('deny')
  })

  test.each(['holdfast.yaml', '.claude/settings.json', '.claude/settings.local.json', '.git/hooks/pre-commit', '.git/config', 'Holdfast.YAML'])(
    'asks about editing %s whatever the files allow', (path) => {
      expect(decide(open, 'Edit', { file_path: path }).effect).toBe('ask')
      expect(decide(open, 'Write', { file_path: `${cwd}/${path}` }).effect).toBe('ask')
    })

  test('holds when a policy carries an empty layer in its name', () => {
    expect(bash([{ origin: 'built-in', rules: [] }, ...open], 'holdfast approve apr_1')).toBe('deny')
    expect(bash([BUILT_IN_LAYER, ...open], 'holdfast approve apr_1')).toBe('deny')
  })

  test('an allow that calls itself built-in lifts nothing', () => {
    expect(bash([layer('built-in', { allow: ['Bash(rm -rf build)'] })], 'rm -rf build')).toBe('ask')
  })
})

describe('what an allow rule lifts', () => {
  test("a user's exact rule: the question about exactly that call", () => {
    const layers = [layer('user', { allow: ['Bash(rm -rf build)'] })]
    expect(bash(layers, 'rm -rf build')).toBe('allow')
    for (const command of ['rm -rf build && rm -rf src', 'rm -rf build src', 'rm -rf ./build', 'sudo rm -rf build', 'rm -rf build; true',
      'rm -rf build $(rm -rf src)', 'rm -rf build > /etc/hosts', 'RM -rf build', 'rm -rf "build']) {
      expect(bash(layers, command), command).toBe('ask')
    }
  })

  test('a rule for many calls lifts no question', () => {
    const layers = [layer('user', { allow: [...EVERYTHING, 'Bash(rm:*)', 'Bash(rm -rf *)', 'Edit(.envrc)'] })]
    expect(bash(layers, 'rm -rf build')).toBe('ask')
    expect(decide(layers, 'mcp__github__delete_repo', {}).effect).toBe('ask')
  })

  test("an organisation's allow lifts no question, and its deny stands whatever the user allows", () => {
    expect(bash([layer('organisation', { allow: ['Bash(rm -rf build)'] })], 'rm -rf build')).toBe('ask')
    expect(bash([layer('organisation', { deny: ['Bash(curl:*)'] }), layer('user', { allow: ['Bash(curl:*)'] })], 'curl x')).toBe('deny')
  })

  test("a project's allow lifts no question, however exact", () => {
    expect(bash([layer('project', { allow: ['Bash(rm -rf build)'] })], 'rm -rf build')).toBe('ask')
    expect(decide([layer('project', { allow: ['mcp__x__delete'] })], 'mcp__x__delete', {}).effect).toBe('ask')
  })

  test('one MCP tool named in full: not the question about a destructive call, unless the rule says that it means those', () => {
    const named = [layer('user', { allow: ['mcp__x__delete', 'mcp__db__query'] })]
    expect(decide(named, 'mcp__x__delete', {}).effect).toBe('ask')
    expect(decide(named, 'mcp__db__query', { sql: 'DROP TABLE users' }).effect).toBe('ask')
    expect(decide(named, 'mcp__db__query', { sql: 'SELECT 1' }).effect).toBe('allow')
    const knowing = [layer('user', { allow: ['mcp__x__delete(destructive)'] })]
    expect(decide(knowing, 'mcp__x__delete', {}).effect).toBe('allow')
    expect(decide(knowing, 'mcp__x__delete_all', {}).effect).toBe('ask')
    expect(decide([...knowing, layer('project', { ask: ['mcp__x'] })], 'mcp__x__delete', {}).effect).toBe('ask')
    expect(decide([layer('project', { allow: ['mcp__x__delete(destructive)'] })], 'mcp__x__delete', {}).effect).toBe('ask')
  })

  test("not a user's own ask, nor a project's", () => {
    for (const origin of ['user', 'project'] as const) {
      expect(bash([layer('user', { allow: ['Bash(rm -rf build)'] }), layer(origin, { ask: ['Bash(rm:*)'] })], 'rm -rf build')).toBe('ask')
    }
  })
})

describe('rules given for one session', () => {
  test('an allow lifts the question for exactly that call, as the user’s own does', () => {
    expect(bash([layer('session', { allow: ['Bash(rm -rf build)'] })], 'rm -rf build')).toBe('allow')
    expect(bash([layer('session', { allow: ['Bash(rm -rf build)'] })], 'rm -rf src')).toBe('ask')
    expect(bash([layer('session', { allow: EVERYTHING })], 'rm -rf build')).toBe('ask')
  })

  test.each(['organisation', 'user', 'project'] as const)('an allow lifts no deny and no question of the %s layer', (origin) => {
    const session = layer('session', { allow: ['Bash(rm -rf build)'] })
    expect(bash([layer(origin, { deny: ['Bash(rm:*)'] }), session], 'rm -rf build')).toBe('deny')
    expect(bash([layer(origin, { ask: ['Bash(rm:*)'] }), session], 'rm -rf build')).toBe('ask')
  })

  test('a deny and an ask hold against an allow of the user', () => {
    const user = layer('user', { allow: ['Bash(npm test)'] })
    expect(bash([user, layer('session', { deny: ['Bash(npm:*)'] })], 'npm test')).toBe('deny')
    expect(bash([user, layer('session', { ask: ['Bash(npm:*)'] })], 'npm test')).toBe('ask')
  })

  test('a rule that is none is refused, saying which and what would be valid', () => {
    expect(() => sessionLayer({ deny: ['Bsh(x)'] })).toThrow('The rule to deny in this session: "Bsh(x)" has parentheses, which Bsh does not take; did you mean Bash?')
  })
})
