import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CLAUDE = join(ROOT, 'test/node_modules/@anthropic-ai/claude-code-linux-x64/claude')

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hf-'))
  mkdirSync(join(folder, 'bin'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const start = () => {
  const env = { PATH: `${folder}/bin:/usr/bin:/bin`, HOME: folder, HOLDFAST_HOME: join(folder, 'h'), LANG: 'C.UTF-8' }
  const { status, stdout } = spawnSync(process.execPath, [join(ROOT, 'build/out/host/cli.mjs'), 'start'], { env, cwd: folder, encoding: 'utf8' })
  return { status, lines: stdout.split('\n') }
}
const LINES = ['destructive calls: 1 held, 1 denied', 'working tree: restored, and the undo brought the changes back']

it('the guided session holds one destructive call, kills and puts back where no Claude Code is installed', () => {
  const { status, lines } = start()
  expect(lines).toEqual(expect.arrayContaining(['Agent: a scripted stand-in (Claude Code is not installed here), through the same gateway, hooks and broker.', ...LINES]))
  expect(status).toBe(0)
})

it.skipIf(!existsSync(CLAUDE))('and where one is', () => {
  symlinkSync(CLAUDE, join(folder, 'bin', 'claude'))
  const { status, lines } = start()
  expect(lines).toEqual(expect.arrayContaining([expect.stringMatching(/^Agent: Claude Code \d/), ...LINES]))
  expect(status).toBe(0)
})
