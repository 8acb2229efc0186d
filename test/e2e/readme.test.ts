import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'
import { parse } from 'yaml'
import { LedgerSettings } from '../../shared/contract/schemas/ledger-settings.ts'

const CLI = fileURLToPath(new URL('../../build/out/host/cli.mjs', import.meta.url))
const README = readFileSync(fileURLToPath(new URL('../../README.md', import.meta.url)), 'utf8')
const folder = mkdtempSync(join(tmpdir(), 'hf-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Texts of the code blocks that begin with this: ```` ```console run ````. */
const blocks = (info: string): string[] => [...README.matchAll(new RegExp(`^\`\`\`${info}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, text = '']) => text)

const shell = (script: string) =>
  spawnSync('sh', ['-c', `holdfast() { ${JSON.stringify(process.execPath)} ${JSON.stringify(CLI)} "$@"; }\n${script}`], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: '/usr/bin:/bin', HOME: folder, HOLDFAST_HOME: join(folder, 'h'), LANG: 'C.UTF-8' },
  })

const commandsOf = (block: string): { command: string; output: string }[] =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map((part) => ({ command: part.slice(0, part.indexOf('\n')), output: part.slice(part.indexOf('\n') + 1) }))

/** `…` stands for anything on that line. */
const patternOf = (output: string): RegExp =>
  new RegExp(`^${output.split('…').map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`)

const samples = blocks('console run').flatMap(commandsOf)

it('has samples to run', () => {
  expect(samples.length).toBeGreaterThan(2)
})

it.each(samples)('$command prints what the README shows', ({ command, output }) => {
  writeFileSync(join(folder, 'holdfast.yaml'), 'policy:\n  ask: ["Bash(npm publish:*)"]\n')
  const { stdout, stderr } = shell(command)
  expect(stderr).toBe('')
  expect(stdout).toMatch(patternOf(output))
})

it('every profile in it is valid', () => {
  mkdirSync(join(folder, 'profiles'), { recursive: true })
  const profiles = blocks('yaml')
  expect(profiles.length).toBeGreaterThan(0)
  profiles.forEach((profile, index) => {
    const file = join(folder, 'profiles', `${index}.yaml`)
    writeFileSync(file, profile)
    expect(shell(`holdfast policy check ${file}`)).toMatchObject({ status: 0, stderr: '' })
  })
})

it('its settings of the audit log are ones that Holdfast reads', () => {
  expect(blocks('yml').map((block) => LedgerSettings.safeParse(parse(block)).error)).toEqual([undefined])
})
