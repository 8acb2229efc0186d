import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { audit } from '../../shared/core/audit/audit.ts'
import { applyMends, planMends, undoMends } from '../../shared/core/audit/mend.ts'
import { scanSecrets } from '../../shared/core/audit/scan-secrets.ts'
import { AWS_KEY, CLEAN, FAULTY, GITHUB_TOKEN, type Specimen } from '../fixtures/audit-zoo.ts'

let folder = ''
let home = ''
let project = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-audit-'))
  home = join(folder, 'home')
  project = join(folder, 'project')
  for (const path of [home, project]) mkdirSync(path)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const placeOf = ({ home: own, project: theirs }: Specimen): string => (own === undefined ? join(project, theirs ?? '') : join(home, own))
const put = (specimen: Specimen): string => {
  const path = placeOf(specimen)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, specimen.text)
  chmodSync(path, specimen.mode ?? 0o644)
  return path
}
const look = (environment: Record<string, string> = {}) => audit({ home, project, environment, scan: scanSecrets })
const faultsOf = async () => (await look()).findings.map(({ rule, line }) => `${rule}@${line ?? '-'}`).sort()

describe('in a zoo of configurations', () => {
  it('has enough of both', () => {
    expect(FAULTY.length).toBeGreaterThanOrEqual(40)
    expect(CLEAN.length).toBeGreaterThanOrEqual(15)
  })

  it.each(FAULTY)('finds what was planted, and nothing else: $name', async (specimen) => {
    put(specimen)
    expect(await faultsOf()).toEqual([...specimen.faults].sort())
  })

  it.each(CLEAN)('raises no false alarm: $name', async (specimen) => {
    put(specimen)
    expect(await look()).toMatchObject({ findings: [], skipped: [], read: [placeOf(specimen)] })
  })
})

it('prints no secret: not in the report, not in what a fix would show', async () => {
  for (const specimen of new Map(FAULTY.map((each) => [placeOf(each), each])).values()) put(specimen)
  const report = await look({ GITHUB_TOKEN, HOME: home })
  expect(report.findings[0]).toMatchObject({ severity: 'high' })
  expect(report.findings.filter(({ file }) => file === null).map(({ what }) => what)).toEqual(["GITHUB_TOKEN is in this shell's environment"])
  const told = JSON.stringify([report, (await planMends(report.findings, scanSecrets)).map(({ lines }) => lines)])
  for (const secret of [GITHUB_TOKEN, AWS_KEY, 'hunter2', 'correct-horse', 'f00dfeed', 'wJalrX', '0123456789abcdef', 'zq8w7e6r']) expect(told).not.toContain(secret)
})

describe('--fix', () => {
  it('mends what it says it mends and nothing else, so that a second look finds it no more, and its undo brings every byte and permission back', async () => {
    for (const specimen of FAULTY) {
      const path = put(specimen)
      const before = await look()
      const id = await applyMends(await planMends(before.findings, scanSecrets), join(folder, 'backups'), Date.UTC(2026, 0, 1))
      const after = await look()
      expect({ name: specimen.name, faults: after.findings.map(({ rule }) => rule).sort(), skipped: after.skipped })
        .toEqual({ name: specimen.name, faults: before.findings.filter(({ mend }) => mend === null).map(({ rule }) => rule).sort(), skipped: [] })
      expect(await undoMends(join(folder, 'backups'), id)).toMatchObject({ left: [] })
      expect({ text: readFileSync(path, 'utf8'), mode: statSync(path).mode & 0o777 }).toEqual({ text: specimen.text, mode: specimen.mode ?? 0o644 })
      rmSync(path)
    }
  })

  it('keeps comments, and a link stays a link', async () => {
    writeFileSync(join(folder, 'dotfile.json'), '{\n  // mine\n  "chat.tools.autoApprove": true, // fast\n  "a": 1\n}\n')
    mkdirSync(join(home, '.config/Code/User'), { recursive: true })
    symlinkSync(join(folder, 'dotfile.json'), join(home, '.config/Code/User/settings.json'))
    await applyMends(await planMends((await look()).findings, scanSecrets), join(folder, 'backups'), 0)
    expect(readFileSync(join(folder, 'dotfile.json'), 'utf8')).toBe('{\n  // mine\n  // fast\n  "a": 1\n}\n')
    expect(lstatSync(join(home, '.config/Code/User/settings.json')).isSymbolicLink()).toBe(true)
    expect((await look()).findings).toEqual([])
  })

  it('writes nothing when a file changed after it was shown, and its undo leaves a file that changed since', async () => {
    const path = join(home, '.claude/settings.json')
    mkdirSync(dirname(path))
    writeFileSync(path, '{"disableAllHooks":true}')
    const plans = await planMends((await look()).findings, scanSecrets)
    writeFileSync(path, '{"disableAllHooks":true,"model":"x"}')
    await expect(applyMends(plans, join(folder, 'backups'), 0)).rejects.toMatchObject({ code: 'illegal-state' })
    expect(existsSync(join(folder, 'backups'))).toBe(false)
    await applyMends(await planMends((await look()).findings, scanSecrets), join(folder, 'backups'), 0)
    writeFileSync(path, '{"model":"mine"}')
    expect(await undoMends(join(folder, 'backups'), undefined)).toMatchObject({ restored: [], left: [path] })
    expect(readFileSync(path, 'utf8')).toBe('{"model":"mine"}')
    await expect(undoMends(join(folder, 'none'), undefined)).rejects.toMatchObject({ code: 'nothing-to-undo' })
  })
})

it('names and passes over what is huge, broken, a loop, a pipe, no text, or nested too deep, and reads the rest', async () => {
  mkdirSync(join(home, '.claude'))
  mkdirSync(join(home, '.cursor'))
  writeFileSync(join(home, '.claude.json'), '')
  truncateSync(join(home, '.claude.json'), 5 * 1024 * 1024)
  writeFileSync(join(home, '.claude/settings.json'), '{\n  "permissions": {\n    "allow": [\n')
  symlinkSync('mcp.json', join(home, '.cursor/mcp.json'))
  execFileSync('mkfifo', [join(home, '.bashrc')])
  writeFileSync(join(home, '.zshrc'), Buffer.from([0xff, 0xfe, 0]))
  writeFileSync(join(project, '.mcp.json'), '['.repeat(100_000))
  writeFileSync(join(home, '.profile'), "alias c='claude --dangerously-skip-permissions'\n")
  const { findings, skipped } = await look()
  expect(Object.fromEntries(skipped.map(({ file, why }) => [file.slice(folder.length), why]))).toEqual({
    '/home/.claude.json': 'is larger than 4 MiB',
    '/home/.claude/settings.json': 'is not valid JSON (line 4)',
    '/home/.cursor/mcp.json': 'is a loop of links',
    '/home/.bashrc': 'is not a file',
    '/home/.zshrc': 'is not text',
    '/project/.mcp.json': 'is nested too deep',
  })
  expect(findings.map(({ rule }) => rule)).toEqual(['bypass-mode'])
})

it.skipIf(process.platform === 'win32')('names and passes over what may not be read', async () => {
  const path = put({ name: '', home: '.zshrc', text: 'export A=1\n', mode: 0, faults: [] })
  chmodSync(folder, 0o755)
  const isRoot = process.getuid?.() === 0
  // Root reads everything: for a moment this is somebody else.
  if (isRoot) process.seteuid?.(65_534)
  try {
    expect((await look()).skipped).toEqual([{ file: path, why: 'may not be read' }])
  } finally {
    if (isRoot) process.seteuid?.(0)
  }
})
