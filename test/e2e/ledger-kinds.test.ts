import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bodyOf, type LEDGER_BODIES } from '../../shared/contract/schemas/ledger-bodies.ts'
import type { LedgerEntry, LedgerKind } from '../../shared/contract/schemas/ledger.ts'
import { bash, createScriptedWorld, use } from '../support/script.ts'
import { missingForEndToEnd, nextEvent, type World } from '../support/world.ts'

const missing = missingForEndToEnd()
const EVERYTHING = fileURLToPath(new URL('../node_modules/@modelcontextprotocol/server-everything/dist/index.js', import.meta.url))
const SECRET = 'ledger-canary-7f3a9c51d2e84b60'

type Body<Kind extends LedgerKind> = (typeof LEDGER_BODIES)[Kind]['_output']

/** What one day of the real Claude Code leaves in the ledger. */
describe.skipIf(missing !== null)(`the ledger of two sessions${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  let here: World
  let server: Server
  let port = 0
  let entries: LedgerEntry[] = []
  let first = ''
  let second = ''

  const of = <Kind extends LedgerKind>(kind: Kind, sessionId?: string): Body<Kind>[] =>
    entries.filter((entry) => sessionId === undefined || entry.sessionId === sessionId).flatMap((entry) => bodyOf(entry, kind) ?? []) as Body<Kind>[]
  /** Of the first session's call of a tool, its id. */
  const callOf = (says: string): string => of('tool-call/intent', first).find(({ tool, input }) => `${tool} ${JSON.stringify(input)}`.includes(says))?.toolCallId ?? ''

  const runAgent = async (): Promise<void> => {
    await here.holdfast(['up'])
    const client = await here.client()
    const question = nextEvent(client, 'approval/changed', ({ state }) => state === 'waiting')
    const session = here.start(['run', '--profile', 'day', '--', 'claude', '-p', 'Do it.'])
    session.child.stdin?.end()
    const { id, sessionId } = await question
    first = sessionId
    expect((await here.holdfast(['pause', sessionId])).code).toBe(0)
    expect((await here.holdfast(['resume', sessionId])).code).toBe(0)
    expect((await here.holdfast(['approve', id, '--scope', 'session'])).code).toBe(0)
    const { code, stderr } = await session.finished
    expect({ code, stderr }).toMatchObject({ code: 0 })
    client.close()
  }

  const runAndKill = async (): Promise<void> => {
    const client = await here.client()
    const ready = nextEvent(client, 'session/changed', ({ state }) => state === 'running')
    const session = here.start(['run', '--', 'sh', '-c', 'rm README.md; echo gone; read line'])
    second = (await ready).id
    while (!session.printed().stdout.includes('gone')) await once(session.child.stdout ?? session.child, 'data')
    expect((await here.holdfast(['kill', second])).code).toBe(0)
    await session.finished
    expect((await here.holdfast(['undo', second])).code).toBe(0)
    client.close()
  }

  beforeAll(async () => {
    server = createServer((_request, response) => response.end('hello\n')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
    here = await createScriptedWorld((project) => [
      use('Write', { file_path: join(project, 'made.txt'), content: 'made\n' }),
      bash('git add made.txt && git commit -qm More'),
      bash('git push -q origin main'),
      bash(`curl -s --noproxy '' http://127.0.0.1:${port}/`),
      bash("curl -s --noproxy '' http://refused.example/"),
      use('mcp__holdfast__env__get-env', {}),
      { content: Array.from({ length: 10 }, (_, n) => ({ type: 'tool_use' as const, name: 'Bash', input: { command: `wget x${n}`, description: 'a step' } })) },
      bash('rm -rf build'),
    ])
    mkdirSync(join(here.project, '.remote.git'))
    here.git('init', '--quiet', '--bare', '.remote.git')
    writeFileSync(join(here.project, '.git', 'info', 'exclude'), '.remote.git\n')
    here.git('remote', 'add', 'origin', './.remote.git')
    here.git('push', '--quiet', '--set-upstream', 'origin', 'main')
    await here.holdfast(['secret', 'set', 'agent/env'], { input: SECRET })
    writeFileSync(
      join(here.holdfastHome, 'config', 'profiles', 'day.yaml'),
      `agent: tester
model: { key: agent/test, baseUrl: "${here.model.baseUrl}" }
limits: { spendUsd: 5 }
network: allowlist
servers: { env: { command: "${process.execPath}", args: ["${EVERYTHING}"], env: { CANARY_SECRET: agent/env } } }
policy:
  allow: [Write, "Bash(curl:*)", "Bash(git:*)", "mcp__env", "Network(127.0.0.1:${port})"]
  deny: ["Bash(wget:*)", "Network(refused.example)"]
`,
    )
    await runAgent()
    const profile = join(here.holdfastHome, 'config', 'profiles', 'test.yaml')
    writeFileSync(profile, `${readFileSync(profile, 'utf8')}# changed\n`)
    await runAndKill()
    await here.holdfast(['down'])
    const { stdout } = await here.holdfast(['ledger', 'export'])
    entries = stdout.trim().split('\n').map((line) => JSON.parse(line) as LedgerEntry)
  }, 300_000)
  afterAll(async () => {
    server.close()
    await here.end()
  })

  it('says how the sessions started, paused, went on, ended and were killed, and what policy was in force', () => {
    expect(of('session/started', first)).toMatchObject([{ agent: 'tester', adapter: 'claude-code', cwd: here.project, modelKey: 'agent/test', profileHash: expect.stringMatching(/^[0-9a-f]{64}$/) as string }])
    expect(JSON.stringify(of('session/started', first)[0]?.profile)).toContain('Bash(wget:*)')
    expect(of('session/paused', first)).toEqual([{ reason: expect.any(String) as string }])
    expect(of('session/resumed', first)).toHaveLength(1)
    expect(of('session/ended', first)).toMatchObject([{ exitCode: 0, signal: null, leftBehind: 0, agent: 'tester' }])
    expect(of('session/killed', second)).toMatchObject([{ survivors: [], restoreProblem: null, processesKilled: expect.any(Number) as number, durationMs: expect.any(Number) as number }])
  })

  it('says of each call what was asked, why it might, who said so, how, and after how long', () => {
    expect(of('tool-call/intent', first).map(({ tool, approvedBy }) => [tool, approvedBy])).toEqual([
      ['Write', null],
      ...[1, 2, 3, 4].map(() => ['Bash', null]),
      ['mcp__env__get-env', null],
      ['Bash', 'person'],
    ])
    const { decision } = of('tool-call/intent', first)[1] ?? {}
    expect(decision?.effect).toBe('allow')
    expect(decision?.rules[0]).toMatchObject({ rule: 'Bash(git:*)', source: expect.stringMatching(/day\.yaml:7$/) as string })
    const refused = of('tool-call/decision', first).filter(({ tool }) => tool === 'Bash')
    expect(refused).toHaveLength(10)
    expect(refused[0]).toMatchObject({ input: { command: 'wget x0' }, decision: { effect: 'deny', rules: [{ rule: 'Bash(wget:*)' }] } })
    const [asked] = of('approval/requested', first)
    expect(asked).toMatchObject({ tool: 'Bash', toolCallId: callOf('rm -rf'), bindingHash: expect.stringMatching(/^[0-9a-f]{64}$/) as string })
    expect(of('approval/decided', first)).toMatchObject([{ approvalId: asked?.approvalId, state: 'approved', scope: 'session', waitedMs: expect.any(Number) as number, via: expect.any(String) as string }])
    expect(of('grant/made', first)).toMatchObject([{ scope: 'session', tool: 'Bash' }])
  })

  it('says what came of each call: how long it took, its hash and size, and how many secrets were taken out', () => {
    const outcomes = new Map(of('tool-call/outcome', first).map((body) => [body.toolCallId as string, body]))
    expect([...outcomes.keys()].toSorted()).toEqual(of('tool-call/intent', first).map(({ toolCallId }) => toolCallId as string).toSorted())
    expect(outcomes.get(callOf('Write'))).toMatchObject({ ok: true, durationMs: expect.any(Number) as number, result: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string, bytes: expect.any(Number) as number } })
    expect(outcomes.get(callOf('get-env'))).toMatchObject({ ok: true, redacted: 1 })
  })

  it('says of each model request what it used and cost, and of each call what the model said before it', () => {
    const answered = of('model-request/outcome', first).filter(({ tokens }) => tokens !== undefined)
    expect(answered.length).toBeGreaterThanOrEqual(8)
    expect(answered[0]).toMatchObject({
      model: expect.any(String) as string,
      tokens: { input: expect.any(Number) as number, output: expect.any(Number) as number },
      costMicroUsd: expect.any(Number) as number,
      priceSource: expect.any(String) as string,
      latencyMs: expect.any(Number) as number,
      stopReason: expect.any(String) as string,
      provider: 'anthropic',
    })
    const asked = new Set(entries.filter(({ kind }) => kind === 'model-request/intent').map(({ sequence }) => sequence))
    expect(answered.filter(({ intent }) => !asked.has(intent))).toEqual([])
    const written = of('tool-call/intent', first)[0]
    expect(of('tool-call/proposed', first).find(({ toolUseId }) => toolUseId === written?.toolUseId)?.words).toMatchObject({ text: 'I use Write.' })
  })

  it('says what each call and the whole session changed in files, with the diff in the checkpoint store', async () => {
    const changes = of('file/changed', first)
    const made = changes.find(({ toolCallIds }) => toolCallIds.some((id) => id === callOf('Write')))
    expect(made).toMatchObject({ counts: { added: 1, linesAdded: 1 }, files: [{ path: 'made.txt', change: 'added' }] })
    expect(changes.find(({ toolCallIds }) => toolCallIds.length === 0)).toMatchObject({ counts: { added: 1, deleted: 1 } })
    const { stdout } = await here.holdfast(['ledger', 'show', '--session', first, '--diffs'])
    expect(stdout).toContain('+made')
  })

  it('says what moved in git and what was pushed', () => {
    const moves = of('git/moved', first)
    const moved = (says: string) => moves.filter(({ toolCallIds }) => toolCallIds.some((id) => id === callOf(says))).flatMap(({ refs }) => refs)
    expect(moved('commit -qm')).toMatchObject([{ ref: 'refs/heads/main', pushed: false }])
    expect(moved('push -q')).toMatchObject([{ ref: 'refs/remotes/origin/main', pushed: true, to: moved('commit -qm')[0]?.to }])
    expect(of('commit/signed', first)).toMatchObject([{ object: 'commit', subject: 'More' }])
  })

  it('says which hosts were reached and refused, which secrets were used by name alone, and no value anywhere', () => {
    expect(of('network/reached', first)).toEqual([{ host: '127.0.0.1', port }])
    expect(of('network/refused', first)).toMatchObject([{ host: 'refused.example', port: 80 }])
    expect(of('secret/resolved', first)).toEqual([{ secret: 'agent/env', server: 'env', variable: 'CANARY' }])
    expect(of('secret/changed')).toContainEqual({ secret: 'agent/env', change: 'set' })
    expect(JSON.stringify(entries)).not.toContain(SECRET)
  })

  it('says when states were kept, put back and taken back', () => {
    expect(of('checkpoint/created', second).map(({ reason }) => reason)).toEqual(expect.arrayContaining(['start']))
    expect(of('checkpoint/restored', second).map(({ undo }) => undo ?? false)).toEqual([false, true])
  })

  it('says that a profile changed, with its text, and what was alarming', () => {
    expect(of('configuration/changed').filter(({ file }) => file.endsWith('test.yaml')).at(-1)).toMatchObject({ sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string, text: expect.stringMatching(/# changed\n$/) as string })
    expect(of('alarm/raised', first)).toMatchObject([{ rule: 'denials' }])
  })

  it('fits its schemas, is sealed at each session’s end, and proves itself', async () => {
    expect(entries.filter((entry) => bodyOf(entry, entry.kind) === null)).toEqual([])
    expect(of('ledger/sealed').length).toBeGreaterThanOrEqual(2)
    const verification = JSON.parse((await here.holdfast(['ledger', 'verify', '--json'])).stdout) as { ok: boolean; signed: { through: number } }
    expect(verification).toMatchObject({ ok: true })
    expect(verification.signed.through).toBeGreaterThan(100)
  })
})
