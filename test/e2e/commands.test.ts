import { spawnSync } from 'node:child_process'
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, describe, expect, it } from 'vitest'

const CLI = fileURLToPath(new URL('../../build/out/host/cli.mjs', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'hf-'))
const project = join(folder, 'project')
const profiles = join(folder, 'h', 'config', 'profiles')
for (const path of [project, profiles]) mkdirSync(path, { recursive: true, mode: 0o700 })
afterEach(() => rmSync(join(project, 'holdfast.yaml'), { force: true }))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const environment = { PATH: '/usr/bin:/bin', HOME: join(folder, 'home'), HOLDFAST_HOME: join(folder, 'h'), LANG: 'C.UTF-8', ELECTRON_OVERRIDE_DIST_PATH: folder }

const holdfast = (args: readonly string[], input = '') => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], { cwd: project, env: environment, input, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  return { code: status, stdout, stderr }
}

describe('the command line', () => {
  it('ends with 0 after --help and --version, and with 2 after what nobody knows, saying so', () => {
    for (const args of [['--help'], ['policy', 'explain', '--help'], ['run', '--help'], ['--version']]) expect(holdfast(args)).toMatchObject({ code: 0, stderr: '' })
    for (const args of [['sessions', '--bogus'], ['policy', 'nonsense'], ['policy'], []]) {
      const { code, stdout, stderr } = holdfast(args)
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' })
      expect(stderr).toMatch(/^(error: |Usage: )/)
    }
  })
})

describe('classify', () => {
  it('gives each line back with its class and reasons, and names the line that cannot be read', () => {
    const input = ['{"tool":"Bash","input":{"command":"rm -rf build"},"id":1}', '', 'not json', '{"tool":7}', '{"tool":"Read","input":{"file_path":"x"}}'].join('\n')
    const { code, stdout } = holdfast(['classify'], input)
    const lines = stdout.trim().split('\n').map((line) => JSON.parse(line) as unknown)
    expect(lines).toMatchObject([
      { tool: 'Bash', input: { command: 'rm -rf build' }, id: 1, class: 'destructive' },
      { line: 3, error: { message: 'Line 3 is not JSON.' } },
      { line: 4, error: { code: 'bad-params' } },
      { tool: 'Read', class: 'read' },
    ])
    expect(code).toBe(1)
  })

  it('reads a command of a megabyte, and skips a line that is longer than any may be', () => {
    const long = JSON.stringify({ tool: 'Bash', input: { command: `echo ${'x'.repeat(1_000_000)}` } })
    const { code, stdout } = holdfast(['classify'], `${long}\n${'y'.repeat(9 * 1024 * 1024)}\n{"tool":"Bash","input":{"command":"ls"}}\n`)
    const lines = stdout.trim().split('\n').map((line) => JSON.parse(line) as { class?: string; line?: number })
    expect(lines.map((line) => line.class ?? `error at ${line.line}`)).toEqual([lines[0]?.class, 'error at 2', 'read'])
    expect(['read', 'write', 'destructive']).toContain(lines[0]?.class)
    expect(code).toBe(1)
  })

  it('ends quietly when its reader stops early', () => {
    const script = `yes '{"tool":"Bash","input":{"command":"ls"}}' | "$0" "$1" classify | head -n 1`
    const { stderr, stdout } = spawnSync('sh', ['-c', script, process.execPath, CLI], { encoding: 'utf8', env: { PATH: '/usr/bin:/bin', HOLDFAST_HOME: join(folder, 'h') } })
    expect(JSON.parse(stdout)).toMatchObject({ class: 'read' })
    expect(stderr).not.toContain('Error')
  })
})

describe('policy', () => {
  it('explain says what is decided, why, and by which rule of which file, without a host', () => {
    writeFileSync(join(profiles, 'strict.yaml'), 'policy:\n  deny: ["Bash(git push:*)"]\n')
    const { code, stdout } = holdfast(['policy', 'explain', '--profile', 'strict', '--tool', 'Bash', '--input', '{"command":"git push origin main"}', '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      effect: 'deny',
      classification: { class: 'write' },
      rules: [{ rule: 'Bash(git push:*)', effect: 'deny', source: `${join(profiles, 'strict.yaml')}:2`, layer: 'user' }],
    })
    const asked = holdfast(['policy', 'explain', '--tool', 'Bash'], '{"command":"rm -rf build"}')
    expect(asked.stdout).toMatch(/^ASK: Bash in /)
    expect(asked.stdout).toContain('rule      ask destructive actions (built-in)')
    expect(holdfast(['sessions', '--json']).code, 'a host starts only now').toBe(0)
    expect(holdfast(['down']).code).toBe(0)
  })

  it('explain refuses an input that is not JSON', () => {
    const { code, stderr } = holdfast(['policy', 'explain', '--tool', 'Bash', '--input', 'rm'])
    expect(code).toBe(2)
    expect(stderr).toContain('Give an object, such as {"command":"ls"}')
  })

  it('check lists the rules of a good file, and names line and column of a bad one', () => {
    writeFileSync(join(project, 'holdfast.yaml'), 'policy:\n  ask: ["Bash(npm publish:*)"]\n')
    const good = holdfast(['policy', 'check', '--json'])
    expect(JSON.parse(good.stdout)).toMatchObject({ ok: true, origin: 'project', rules: [{ effect: 'ask', rule: 'Bash(npm publish:*)' }] })
    writeFileSync(join(project, 'holdfast.yaml'), 'policy:\n  asks: ["Bash"]\n')
    const bad = holdfast(['policy', 'check'])
    expect(bad.code).toBe(2)
    expect(bad.stderr).toContain('holdfast.yaml:2:3: policy.asks: is not a known key; did you mean ask?')
    rmSync(join(project, 'holdfast.yaml'))
    expect(holdfast(['policy', 'check']).code).toBe(1)
  })

  it('schema prints a JSON Schema that knows every key and no other', () => {
    const schema = JSON.parse(holdfast(['policy', 'schema']).stdout) as { properties: Record<string, unknown>; additionalProperties: unknown; required?: unknown }
    expect(schema.properties).toMatchObject({ agent: { type: 'string' }, policy: { type: 'object' }, limits: { type: 'object' } })
    expect(schema.additionalProperties).toBe(false)
    expect(schema.required).toBeUndefined()
  })
})

describe('doctor', () => {
  const stateOf = (stdout: string, name: string) => (JSON.parse(stdout) as { findings: { name: string; state: string; todo: string | null }[] }).findings.find((finding) => finding.name === name)

  it('looks at everything without a host or a keychain, and starts neither', () => {
    const { code, stdout } = holdfast(['doctor', '--json'])
    const names = (JSON.parse(stdout) as { findings: { name: string }[] }).findings.map(({ name }) => name)
    expect(names).toEqual(['node', 'git', 'container', 'cgroup', 'keychain', 'claude', 'folders', 'disk', 'profiles', 'classification', 'host', 'ledger'])
    expect(stateOf(stdout, 'keychain')).toMatchObject({ state: 'warn', todo: expect.stringContaining('session bus') as string })
    expect(stateOf(stdout, 'claude')).toMatchObject({ state: 'warn' })
    expect(stateOf(stdout, 'host')).toMatchObject({ state: 'ok' })
    expect(code).toBe(0)
  })

  it('fails, with what to do, where no session could be held', () => {
    writeFileSync(join(project, 'holdfast.yaml'), 'agent: [\n')
    // A machine without git: nothing is found where the system keeps its programs.
    const { status, stdout } = spawnSync('bwrap', ['--dev-bind', '/', '/', '--tmpfs', '/usr/bin', process.execPath, CLI, 'doctor'], { cwd: project, encoding: 'utf8', env: environment })
    expect(status).toBe(1)
    expect(stdout).toMatch(/^fail {2}git {8}not found\n +Install git/m)
    expect(stdout).toMatch(/^fail {2}profiles .*\n +.*holdfast\.yaml:/m)
  })

  it('says which folder is open to others, and how to close it', () => {
    spawnSync('chmod', ['755', join(folder, 'h', 'config')])
    const { code, stdout } = holdfast(['doctor', '--json'])
    spawnSync('chmod', ['700', join(folder, 'h', 'config')])
    expect(stateOf(stdout, 'folders')).toMatchObject({ state: 'fail', todo: `Close it: chmod 700 '${join(folder, 'h', 'config')}'` })
    expect(code).toBe(1)
  })
})

describe('up', () => {
  it('takes --shell none, and says why a shell cannot be had and what to do', () => {
    expect(JSON.parse(holdfast(['up', '--shell', 'none', '--json']).stdout)).toMatchObject({ version: expect.any(String) as string })
    expect(holdfast(['down'])).toMatchObject({ code: 0, stdout: 'The host has stopped.\n' })
    expect(holdfast(['down']), 'none is started to be stopped').toMatchObject({ code: 0, stdout: 'No host runs.\n' })
    const electron = holdfast(['up', '--shell', 'electron'])
    expect(electron).toMatchObject({ code: 2, stdout: '' })
    expect(electron.stderr).toMatch(/^holdfast: The app did not start: no Electron binary is here; .* holdfast up --shell browser\n$/)
    expect(holdfast(['up', '--shell', 'gtk']).stderr).toContain('--shell is electron, browser, none, not "gtk"')
  })
})
