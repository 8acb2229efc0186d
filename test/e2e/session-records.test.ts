import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { bash, createScriptedWorld, use } from '../support/script.ts'
import { startCollector } from '../support/otlp-collector.ts'
import { KEY, missingForEndToEnd, nextEvent, type World } from '../support/world.ts'

const missing = missingForEndToEnd()

let world: World | null = null
afterEach(async () => {
  await world?.end()
  world = null
})

const writeProfile = (here: World, name: string, policy: string): void =>
  writeFileSync(join(here.holdfastHome, 'config', 'profiles', `${name}.yaml`), `agent: ${name}\nmodel: { key: agent/test, baseUrl: "${here.model.baseUrl}" }\npolicy: ${policy}\n`)

const parsed = (text: string): unknown => JSON.parse(text)

describe.skipIf(missing !== null)(`what is kept of a session${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  it('replay lists the calls, run and refused, that another profile would decide otherwise', async () => {
    const here = (world = await createScriptedWorld((project) => [use('Write', { file_path: join(project, 'made.txt'), content: 'made\n' }), bash('rm -rf build'), use('Read', { file_path: join(project, 'README.md') })]))
    writeProfile(here, 'first', '{ deny: ["Bash(rm:*)"] }')
    writeProfile(here, 'second', '{ ask: ["Write"] }')
    expect((await here.holdfast(['run', '--profile', 'first', '--', 'claude', '-p', 'Do it.'])).code).toBe(0)
    const same = parsed((await here.holdfast(['policy', 'replay', '--profile', 'first', '--json'])).stdout)
    expect(same).toEqual({ calls: 3, same: 3, stricter: 0, laxer: 0, incomplete: 0, differences: [] })
    const { stdout } = await here.holdfast(['policy', 'replay', '--profile', 'second', '--json'])
    expect(parsed(stdout)).toMatchObject({
      ...{ calls: 3, same: 1, stricter: 1, laxer: 1, incomplete: 0 },
      differences: [
        { tool: 'Write', was: 'allow', now: { effect: 'ask', rules: [{ rule: 'Write', source: expect.stringMatching(/second\.yaml:3$/) as string }] } },
        { tool: 'Bash', input: { command: 'rm -rf build' }, was: 'deny', now: { effect: 'ask' } },
      ],
    })
  })

  it('the story of a session tells what its calls changed in files and in git, with the diff where it is asked for; its model requests stand in a file where its profile has them logged', async () => {
    const here = (world = await createScriptedWorld((project) => [use('Write', { file_path: join(project, 'made.txt'), content: 'made here\n' }), bash('git commit -qm more --allow-empty')]))
    writeProfile(here, 'logged', '{ allow: [] }\nrecord: { requests: full }')
    const run = await here.holdfast(['run', '--profile', 'logged', '--', 'claude', '-p', 'Do it.'])
    expect(run.code).toBe(0)
    const { sessions } = parsed((await here.holdfast(['sessions', '--json'])).stdout) as { sessions: { id: string }[] }
    const story = (await here.holdfast(['ledger', 'show', '--session', sessions[0]?.id ?? '', '--diffs'])).stdout
    expect(story).toMatch(/ {2}files: 1 added, 0 modified, 0 deleted \(\+1 -0 lines\): made\.txt\n[^]*\+made here\n/)
    expect(story).toMatch(/ {2}git: main from \w{8} to \w{8}\n/)
    expect(story).toMatch(/in all: 1 added, 0 modified, 0 deleted \(\+1 -0 lines\): made\.txt\n/)
    expect(story).toMatch(/in all, git: main from \w{8} to \w{8}\n/)
    expect(parsed((await here.holdfast(['ledger', 'verify', '--json'])).stdout)).toMatchObject({ ok: true })
    const file = join(here.holdfastHome, 'data', 'model-requests', `${sessions[0]?.id}.jsonl`)
    expect(run.stderr).toContain(`What its model is asked and answers is logged in ${file}`)
    await here.holdfast(['down'])
    const requests = readFileSync(file, 'utf8')
    expect(requests).toContain('made.txt')
    expect(requests).not.toContain(KEY)
  })

  it('a waiting approval can be shown alone, and answered', async () => {
    const here = (world = await createScriptedWorld(() => [bash('rm -rf build')]))
    const client = await here.client()
    const asked = nextEvent(client, 'approval/changed', ({ state }) => state === 'waiting')
    const run = here.start(['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.'])
    run.child.stdin?.end()
    const { id } = await asked
    const shown = await here.holdfast(['approvals', id])
    expect(shown.code).toBe(0)
    expect(shown.stdout).toContain('command: rm -rf build')
    expect((await here.holdfast(['deny', id])).code).toBe(0)
    expect((await here.holdfast(['approvals', id])).code, 'it waits no more').toBe(1)
    expect((await run.finished).code).toBe(0)
    client.close()
  })

  it('checkpoints are made, listed, compared, pinned and restored; run --json keeps standard output for the session alone', async () => {
    const here = (world = await createScriptedWorld(() => []))
    const client = await here.client()
    const running = nextEvent(client, 'session/changed', ({ state }) => state === 'running')
    const run = here.start(['run', '--json', '--', 'sh', '-c', 'echo from the agent; read line'])
    const { id } = await running
    const kept = parsed((await here.holdfast(['checkpoint', 'create', id, '--json'])).stdout)
    expect(kept).toMatchObject({ sessionId: id, reason: 'on-demand', root: here.project, fileCount: 3 })
    const { stdout } = await here.holdfast(['checkpoint', 'list', id, '--json'])
    expect((parsed(stdout) as { checkpoints: { reason: string }[] }).checkpoints.map(({ reason }) => reason)).toEqual(['start', 'on-demand'])
    writeFileSync(join(here.project, 'README.md'), 'mine\n')
    const [start] = (parsed(stdout) as { checkpoints: { id: string }[] }).checkpoints
    expect(parsed((await here.holdfast(['checkpoint', 'diff', id, '--json'])).stdout)).toMatchObject({ diff: { from: start?.id, to: null, changes: [{ path: 'README.md', change: 'modified' }] } })
    const pinned = await here.holdfast(['checkpoint', 'pin', id, start?.id ?? '', '--json'])
    expect(parsed(pinned.stdout)).toMatchObject({ id: start?.id, pinned: true })
    run.child.stdin?.end('go\n')
    const ended = await run.finished
    expect(parsed(ended.stdout)).toMatchObject({ id, state: 'ended', exitCode: 0 })
    expect(ended.stderr).toContain('from the agent')
    const restored = await here.holdfast(['checkpoint', 'restore', id, start?.id ?? '', 'README.md'])
    expect(restored).toMatchObject({ code: 0, stderr: '' })
    expect(restored.stdout).toContain(`To take that back: holdfast undo ${id}`)
    expect(readFileSync(join(here.project, 'README.md'), 'utf8')).toBe('# A project\n')
    expect((await here.holdfast(['undo', id])).code).toBe(0)
    expect(readFileSync(join(here.project, 'README.md'), 'utf8')).toBe('mine\n')
    expect((await here.holdfast(['checkpoint', 'usage'])).stdout).toContain(here.project)
    expect((await here.holdfast(['checkpoint', 'restore', id, 'latest'])).code).toBe(2)
    expect((await here.holdfast(['checkpoint', 'create', 'ses_22222222222b'])).stderr).toContain('Session ses_22222222222b has no checkpoint')
    client.close()
  })

  it('a collector named in ledger.yaml gets a session as it goes, with the keychain’s token, goes on where it was after a restart, and doctor says so', async () => {
    const collector = await startCollector()
    const here = (world = await createScriptedWorld(() => [bash('ls')]))
    await here.holdfast(['secret', 'set', 'team/otel'], { input: 'otel-token-1\n' })
    writeFileSync(join(here.holdfastHome, 'config', 'ledger.yaml'), `otlp:\n  endpoint: http://127.0.0.1:${collector.port}\n  headers: { Authorization_SECRET: team/otel }\n`)
    expect((await here.holdfast(['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.'])).code).toBe(0)
    const told = (): string => JSON.stringify(collector.taken.map(({ body }) => body))
    await collector.until(() => told().includes('holdfast.session.ended') && told().includes('invoke_agent tester'))
    expect(told()).toContain('execute_tool Bash')
    expect(new Set(collector.taken.map(({ headers }) => headers['authorization']))).toEqual(new Set(['Bearer otel-token-1']))
    await here.holdfast(['down'])
    await here.holdfast(['sessions'])
    await collector.until(() => told().split('"holdfast.host.started"').length > 2)
    const sequences = collector.sequences()
    expect([...new Set(sequences)]).toEqual(Array.from({ length: new Set(sequences).size }, (_, n) => n + 1))
    expect(collector.problems).toEqual([])
    expect(told()).not.toContain('otel-token-1')
    const { findings } = parsed((await here.holdfast(['doctor', '--json'])).stdout) as { findings: { name: string; message: string }[] }
    expect(findings.find(({ name }) => name === 'export')?.message).toMatch(/^http:\/\/127\.0\.0\.1:\d+ has \d+ entries of the audit log/)
    await collector.close()
  })

  it('with record off the audit log holds no word of what a person or the model asked for, nor of what came back', async () => {
    const here = (world = await createScriptedWorld((project) => [use('Write', { file_path: join(project, 'made.txt'), content: 'quiet-content\n' }), bash('echo quiet-input | tr a-z A-Z'), bash('wget quiet-refused')]))
    writeFileSync(join(here.holdfastHome, 'config', 'profiles', 'quiet.yaml'), `agent: quiet\nmodel: { key: agent/test, baseUrl: "${here.model.baseUrl}" }\nrecord: { inputs: off, results: off }\npolicy: { deny: ["Bash(wget:*)"] }\n`)
    expect((await here.holdfast(['run', '--profile', 'quiet', '--', 'claude', '-p', 'A quiet-prompt.'])).code).toBe(0)
    const log = (await here.holdfast(['ledger', 'export'])).stdout
    expect(log.match(/"kind":"tool-call\/intent"/g)).toHaveLength(2)
    expect(log.match(/"kind":"tool-call\/decision"/g)).toHaveLength(1)
    expect(log.match(/quiet-\w+/gi)).toBeNull()
  })

  it('doctor says what it finds where everything is there', async () => {
    const here = (world = await createScriptedWorld(() => []))
    const { code, stdout } = await here.holdfast(['doctor', '--json'])
    const { findings } = parsed(stdout) as { findings: { name: string; state: string; message: string }[] }
    const messageOf = (name: string) => findings.find((finding) => finding.name === name)?.message
    expect(findings.filter(({ name, state }) => state !== 'ok' && name !== 'cgroup' && name !== 'disk')).toEqual([])
    expect(messageOf('keychain')).toBe('answers; keeps 1 secret for agents')
    expect(messageOf('claude')).toMatch(/^2\.\d+\.\d+ at .*\/bin\/claude /)
    expect(messageOf('host')).toMatch(/^0\.1\.0, process \d+, 0 sessions since it started$/)
    expect(messageOf('ledger')).toMatch(/^verified: \d+ entries$/)
    expect(code).toBe(0)
  })
})
