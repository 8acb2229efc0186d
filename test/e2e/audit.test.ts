import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'

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
  expect(found.stdout).toContain(`high    the rule Bash lets through what could be anything\n        ${file}:3\n        why: what an agent reads can make it run that, unasked (privilege escalation)\n        fix: remove the rule, or name the whole command  [--fix does it]`)
  expect(holdfast('audit', '--fix')).toMatchObject({ code: 2, stdout: '' })
  expect(readFileSync(file, 'utf8')).toBe(SETTINGS)
  const fixed = holdfast('audit', '--fix', '--yes')
  expect(fixed.stdout).toContain('- 4:     "defaultMode": "bypassPermissions"')
  expect(readFileSync(file, 'utf8')).toBe('{\n  "permissions": {\n    "allow": ["Read"]\n  }\n}\n')
  expect(holdfast('audit')).toMatchObject({ code: 0, stdout: '1 file read: nothing found. Nothing was changed.\n' })
  expect(holdfast('audit', '--undo').stdout).toBe(`put back  ${file}\n`)
  expect(readFileSync(file, 'utf8')).toBe(SETTINGS)
  expect(JSON.parse(holdfast('audit', '--json').stdout)).toMatchObject({ findings: [{ rule: 'wide-allow', line: 3 }, { rule: 'bypass-mode', line: 4 }], read: [file], skipped: [] })
})
