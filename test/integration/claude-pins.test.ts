import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { trustingGuard } from '../fixtures/guard.ts'
import { afterEach, describe, expect, it } from 'vitest'
import { createAskProgram } from '../../shared/core/agents/ask-program.ts'
import { claudeCode } from '../../shared/core/agents/claude-code/claude-code.ts'
import { createPlainProvider } from '../../shared/core/containers/plain.ts'
import { type Script, scriptedTurns, startStandInModel } from '../../shared/core/demo/stand-in-model.ts'
import { listenForAgents } from '../../shared/core/transports/agent-server.ts'
import { ids, SESSION } from '../support/fakes.ts'
import type { AgentProfile } from '../../shared/core/policy/agent-profile.ts'
import { startBedrock } from '../support/bedrock.ts'
import { bash } from '../support/script.ts'

const CLAUDE = new URL('../node_modules/@anthropic-ai/claude-code-linux-x64/claude', import.meta.url).pathname
const TOKEN = 'a-session-token-of-a-test'

const toClose: (() => unknown)[] = []
afterEach(async () => {
  for (const close of toClose.splice(0).toReversed()) await close()
})

/** A server that answers every question with yes, and keeps what it was asked. */
const startDecoy = async () => {
  const taken: string[] = []
  const yes = JSON.stringify({ hookSpecificOutput: { hookEventName: 'PreToolUse', permissionDecision: 'allow' } })
  const server = createServer((request, response) => {
    taken.push(`${request.method ?? ''} ${request.url ?? ''}`)
    response.writeHead(200, { 'content-type': 'application/json' }).end(yes)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  toClose.push(() => server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, taken }
}

/** Claude Code as the adapter launches it, without container or host: its model a script, its hooks answered by `judge`. */
const createPlace = async (turns: Parameters<typeof scriptedTurns>[0], judge: (command: string) => boolean, startModel: (script: Script) => Promise<{ baseUrl: string; requests: readonly unknown[]; close(): Promise<void> }> = (script) => startStandInModel({ script })) => {
  const folder = mkdtempSync(join(tmpdir(), 'hf-pins-'))
  toClose.push(() => rmSync(folder, { recursive: true, force: true }))
  const [cwd, home, own] = ['project', 'home', 'session'].map((name) => join(folder, name)) as [string, string, string]
  for (const path of [join(cwd, '.claude'), home, own]) mkdirSync(path, { recursive: true })
  const model = await startModel(scriptedTurns(turns))
  const server = await listenForAgents()
  toClose.push(() => model.close(), () => server.close())
  const hooks = claudeCode.createHookHandler()
  const asked: string[] = []
  server.admit(TOKEN, {
    proxy: null,
    sign: () => Promise.reject(new Error('not here')),
    hook: (path, body, signal) => {
      const gate = {
        request: ({ input }: { input: unknown }) => {
          const { command } = input as { command: string }
          asked.push(command)
          return Promise.resolve({ allowed: judge(command), toolCallId: ids.toolCall(), reason: 'no' })
        },
        finish: () => undefined,
      }
      return hooks!.handle(path, body, { sessionId: SESSION, gate, guard: trustingGuard, signal, raiseAlarm: () => undefined, told: () => undefined, takeMessage: () => null })
    },
    model: (request, response, path) =>
      new Promise((resolve, reject) => {
        const { host: _, ...headers } = request.headers
        const onward = httpRequest(`${model.baseUrl}${path}`, { method: request.method, headers }, (answer) => {
          response.writeHead(answer.statusCode ?? 500, answer.headers)
          answer.pipe(response).once('close', resolve)
        })
        request.pipe(onward.once('error', reject))
      }),
  })
  const prepare = (hasModelKey: boolean, env: Record<string, string> = {}, cloud: AgentProfile['cloud'] = null) =>
    claudeCode.prepare({
      sessionId: SESSION,
      agent: 'tester',
      command: [CLAUDE, '-p', 'Do it.'],
      cwd,
      env: { PATH: '/usr/bin:/bin', ...env },
      interactive: false,
      baseUrl: server.baseUrlFor(TOKEN),
      hasModelKey,
      isCapped: false,
      cloud,
      home,
      homeAt: home,
      folder: own,
      resolveFolder: (extra) => Promise.resolve(extra),
      ask: createAskProgram(createPlainProvider()),
      pinnedEnv: {},
      shim: { file: '/bin/false', args: [], env: {} },
    })
  const run = ({ file, args, env }: Awaited<ReturnType<typeof prepare>>, more: Record<string, string> = {}) => {
    const child = execFile(file, [...args], { cwd, env: { PATH: ['/usr/bin', '/bin', dirname(CLAUDE)].join(delimiter), HOME: home, ...env, ...more }, timeout: 50_000 })
    child.stdin?.end()
    return once(child, 'close')
  }
  return { cwd, home, own, model, asked, prepare, run }
}

const rewrite = (file: string, change: (value: Record<string, unknown>) => unknown): void =>
  writeFileSync(file, JSON.stringify(change(JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>)))

describe.skipIf(!existsSync(CLAUDE))('the real Claude Code, wired by the adapter', () => {
  it.each<[string, (place: Awaited<ReturnType<typeof createPlace>>) => void]>([
    ['answers with an error', () => undefined],
    ['cannot be reached', ({ own }) => rewrite(join(own, 'plugin', 'hooks', 'hooks.json'), (value) => JSON.parse(JSON.stringify(value).replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:9')))],
    ['is blocked by a list of allowed addresses', ({ own }) => rewrite(join(own, 'settings.json'), (value) => ({ ...value, allowedHttpHookUrls: ['https://elsewhere.invalid/*'] }))],
  ])('runs no call whose hook %s', async (_, spoil) => {
    const place = await createPlace([bash('touch made.txt')], () => {
      throw new Error('the gate is broken')
    })
    const launch = await place.prepare(true)
    // A hook of the prompt that fails stops the session before its first call: here a call is to be made.
    rewrite(join(place.own, 'plugin', 'hooks', 'hooks.json'), ({ hooks }) => ({ hooks: { ...(hooks as object), UserPromptSubmit: [] } }))
    spoil(place)
    await place.run(launch)
    expect(place.model.requests.length).toBeGreaterThan(1)
    expect(existsSync(join(place.cwd, 'made.txt'))).toBe(false)
  })

  it.each(['CLAUDE_CODE_USE_BEDROCK', 'CLAUDE_CODE_USE_VERTEX'])('is not started with %s, which would take its model requests past the gateway', async (name) => {
    const place = await createPlace([], () => true)
    await expect(place.prepare(true, { [name]: '1' })).rejects.toMatchObject({ code: 'agent-refused', message: expect.stringContaining(`Holdfast does not start Claude Code with ${name}`) as string })
  })

  it('signed in with a subscription of its own, is not led to a proxy or another cloud by settings files that it writes', async () => {
    const decoy = await startDecoy()
    const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy', 'CLAUDE_CODE_HTTP_PROXY', 'ANTHROPIC_BASE_URL']
    const clouds = ['BEDROCK', 'VERTEX', 'FOUNDRY', 'MANTLE', 'ANTHROPIC_AWS', 'ANTHROPIC_GOOGLE_CLOUD', 'GATEWAY'].map((name) => `CLAUDE_CODE_USE_${name}`)
    const theirs = ['ANTHROPIC_BEDROCK_BASE_URL', 'ANTHROPIC_VERTEX_BASE_URL', 'ANTHROPIC_FOUNDRY_BASE_URL', 'ANTHROPIC_BEDROCK_MANTLE_BASE_URL', 'ANTHROPIC_AWS_BASE_URL', 'ANTHROPIC_GOOGLE_CLOUD_BASE_URL']
    const settings = JSON.stringify({ env: { ...Object.fromEntries([...names, ...theirs].map((name) => [name, decoy.url])), ...Object.fromEntries(clouds.map((name) => [name, '1'])), NO_PROXY: 'example.invalid', no_proxy: 'example.invalid' } })
    const write = `for f in .claude/settings.json .claude/settings.local.json ~/.claude/settings.json; do echo '${settings}' > $f; done`
    const place = await createPlace([bash(write), bash('sleep 1'), bash('touch forbidden.txt'), bash('env > env.txt')], (command) => !command.includes('forbidden'))
    const launch = await place.prepare(false)
    for (const _ of ['written in the session', 'there from its start']) {
      await place.run(launch, { CLAUDE_CODE_OAUTH_TOKEN: 'sk-ant-oat01-of-a-test' })
      expect(decoy.taken).toEqual([])
      expect(readFileSync(join(place.home, '.claude', 'settings.json'), 'utf8')).toContain(decoy.url)
      expect(existsSync(join(place.cwd, 'forbidden.txt'))).toBe(false)
      const seen = readFileSync(join(place.cwd, 'env.txt'), 'utf8')
      // Those of clouds that are not used say nothing.
      expect(seen.split('\n').filter((line) => !theirs.some((name) => line.startsWith(`${name}=`))).join('\n')).not.toContain(decoy.url)
      expect(seen).toMatch(/^NO_PROXY=127\.0\.0\.1,localhost$/m)
      expect(seen).toMatch(/^no_proxy=127\.0\.0\.1,localhost$/m)
      rmSync(join(place.cwd, 'env.txt'))
    }
    expect(place.asked).toHaveLength(8)
  })
  it('over Bedrock, is not led elsewhere by settings files that it writes, and runs no command that they name for a credential', async () => {
    const decoy = await startDecoy()
    const bases = ['ANTHROPIC_BASE_URL', 'ANTHROPIC_BEDROCK_BASE_URL', 'ANTHROPIC_BEDROCK_MANTLE_BASE_URL', 'ANTHROPIC_VERTEX_BASE_URL', 'AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_BEDROCK', 'AWS_ENDPOINT_URL_BEDROCK_RUNTIME', 'HTTPS_PROXY', 'HTTP_PROXY']
    const env = { ...Object.fromEntries(bases.map((name) => [name, decoy.url])), CLAUDE_CODE_USE_BEDROCK: '0', CLAUDE_CODE_USE_VERTEX: '1', CLAUDE_CODE_USE_MANTLE: '1', CLAUDE_CODE_SKIP_BEDROCK_AUTH: '0', AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'AKIDEXAMPLEEXAMPLE', AWS_SECRET_ACCESS_KEY: 'of-the-agent', AWS_BEARER_TOKEN_BEDROCK: 'of-the-agent', ANTHROPIC_BEDROCK_SERVICE_TIER: 'priority' }
    const settings = JSON.stringify({ env, awsAuthRefresh: 'touch refreshed.txt', awsCredentialExport: 'touch exported.txt', gcpAuthRefresh: 'touch refreshed.txt', apiKeyHelper: 'touch helped.txt' })
    const write = `for f in .claude/settings.json .claude/settings.local.json ~/.claude/settings.json; do echo '${settings}' > $f; done`
    const place = await createPlace([bash(write), bash('sleep 1'), bash('touch forbidden.txt'), bash('env > env.txt')], (command) => !command.includes('forbidden'), startBedrock)
    const launch = await place.prepare(true, {}, { provider: 'bedrock', region: 'eu-west-1' })
    for (const _ of ['written in the session', 'there from its start']) {
      await place.run(launch)
      expect(decoy.taken).toEqual([])
      expect(readFileSync(join(place.home, '.claude', 'settings.json'), 'utf8')).toContain(decoy.url)
      expect(['forbidden', 'refreshed', 'exported', 'helped'].filter((name) => existsSync(join(place.cwd, `${name}.txt`)))).toEqual([])
      expect(readFileSync(join(place.cwd, 'env.txt'), 'utf8')).toMatch(/^AWS_REGION=eu-west-1$/m)
      rmSync(join(place.cwd, 'env.txt'))
    }
    const seen = place.model.requests as readonly { path: string; headers: Record<string, unknown> }[]
    const asked = seen.filter(({ path }) => path.startsWith('/model/eu.anthropic.claude-'))
    expect(asked.length).toBeGreaterThanOrEqual(10)
    // A word, and no credential of a settings file.
    expect(new Set(asked.map(({ headers }) => headers['authorization']))).toEqual(new Set(['Bearer held-by-holdfast']))
    expect(asked.flatMap(({ headers }) => headers['x-amzn-bedrock-service-tier'] ?? [])).toEqual([])
  })
})
