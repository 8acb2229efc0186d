import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { readPermissions } from '../../shared/core/onboarding/read-permissions.ts'
import { parseProfileText } from '../../shared/domain/profile-text.ts'
import { readBoundaries } from '../../shared/domain/onboarding/boundaries.ts'
import { importPolicy, type PermissionEntry, policyText } from '../../shared/domain/onboarding/import-policy.ts'

const FACTS = { packageManager: 'npm', scripts: ['deploy:prod', 'test'], servers: ['database-readonly'] }
const entry = (kind: string, text: string, isUsers = true): PermissionEntry => ({ kind, text, source: isUsers ? '~/.claude/settings.json:3' : '.claude/settings.json:3', isUsers })

describe('permissions of Claude Code', () => {
  test('become rules with where they come from; only the user\u2019s own file allows anything', () => {
    const { rules, leftOut } = importPolicy(
      [entry('allow', 'Bash(npm test:*)'), entry('allow', 'Bash(rm:*)', false), entry('deny', 'Read(./.env)', false), entry('deny', 'Read(./.env)'), entry('ask', 'Bash(git push:*)')],
      [],
      FACTS,
    )
    expect(rules).toEqual([
      { effect: 'deny', rule: 'Read(./.env)', sources: ['.claude/settings.json:3', '~/.claude/settings.json:3'] },
      { effect: 'ask', rule: 'Bash(git push:*)', sources: ['~/.claude/settings.json:3'] },
      { effect: 'allow', rule: 'Bash(npm test:*)', sources: ['~/.claude/settings.json:3'] },
    ])
    expect(leftOut).toEqual([{ text: 'Bash(rm:*)', source: '.claude/settings.json:3', why: 'a project allows nothing by itself: write it into your profile if you mean it' }])
  })

  test('that are no rule are shown with the reason', () => {
    const { rules, leftOut } = importPolicy([entry('allow', 'bash(ls)'), entry('defaultMode', 'bypassPermissions'), entry('additionalDirectories', '../docs'), entry('novel', 'x')], [], FACTS)
    expect(rules).toEqual([])
    expect(leftOut.map(({ why }) => why)).toEqual([
      expect.stringContaining('did you mean Bash?'),
      expect.stringContaining('no mode that lets everything pass'),
      expect.stringContaining('--add-dir'),
      'Holdfast has no such setting',
    ])
  })

  test('are read from the three files, with their lines, comments and all; a project\u2019s link is followed by nobody', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-import-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const [home, cwd] = [join(folder, 'claude'), join(folder, 'project')]
    for (const path of [home, join(cwd, '.claude')]) mkdirSync(path, { recursive: true })
    writeFileSync(join(folder, 'dotfile'), '{\n  // mine\n  "permissions": {\n    "allow": ["Read"],\n    "deny": [\n      "WebFetch",\n    ]\n  }\n}')
    symlinkSync(join(folder, 'dotfile'), join(home, 'settings.json'))
    writeFileSync(join(cwd, '.claude', 'settings.local.json'), '{ "permissions": { "ask": ["Bash(git push:*)"], "defaultMode": "plan" } }')
    expect(await readPermissions(cwd, home)).toEqual([
      { kind: 'allow', text: 'Read', source: `${join(home, 'settings.json')}:4`, isUsers: true },
      { kind: 'deny', text: 'WebFetch', source: `${join(home, 'settings.json')}:6`, isUsers: true },
      { kind: 'ask', text: 'Bash(git push:*)', source: '.claude/settings.local.json:1', isUsers: false },
      { kind: 'defaultMode', text: 'plan', source: '.claude/settings.local.json:1', isUsers: false },
    ])
    symlinkSync(join(folder, 'dotfile'), join(cwd, '.claude', 'settings.json'))
    await expect(readPermissions(cwd, home)).rejects.toThrow('symbolic link')
  })
})

test('the boundaries of the example become questions, and what needs no rule or has none is shown', () => {
  const text = readFileSync(new URL('../fixtures/onboarding/CLAUDE.md', import.meta.url), 'utf8')
  const imported = importPolicy([entry('allow', 'Read')], readBoundaries('CLAUDE.md', `${text}\n## Forbidden\n- offending the muses\n`), FACTS)
  expect(imported.rules).toContainEqual({ effect: 'ask', rule: 'Bash(git push --force:*)', sources: [expect.stringMatching(/^CLAUDE\.md:\d+$/)] })
  expect(imported.rules.filter(({ effect }) => effect === 'allow')).toEqual([{ effect: 'allow', rule: 'Read', sources: ['~/.claude/settings.json:3'] }])
  expect(imported.leftOut).toContainEqual({ text: 'offending the muses', source: expect.stringMatching(/^CLAUDE\.md:\d+$/), why: 'nothing here knows which calls that means: write a rule for them' })
  const { layer } = parseProfileText('profile.yaml', 'user', policyText(imported))
  expect(layer.rules.map(({ effect, rule }) => [effect, rule.text])).toEqual(imported.rules.map(({ effect, rule }) => [effect, rule]))
  expect(policyText(imported)).toMatch(/# CLAUDE\.md:\d+: offending the muses: nothing here knows/)
})

test('nothing to import is said so', () => {
  expect(policyText(importPolicy([], [], FACTS))).toBe('# No rule was found to import.\n')
})
