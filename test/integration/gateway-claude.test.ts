import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { scriptedTurns, startStandInModel } from '../../shared/core/demo/stand-in-model.ts'
import { startGateway } from './gateway-fixture.ts'
import { closing } from './gateway-harness.ts'

const claude = new URL('../node_modules/@anthropic-ai/claude-code-linux-x64/claude', import.meta.url).pathname
const run = promisify(execFile)

const createHome = () => {
  const home = mkdtempSync(join(tmpdir(), 'holdfast-gateway-'))
  closing({ close: () => rmSync(home, { recursive: true, force: true }) })
  const cwd = join(home, 'project')
  mkdirSync(cwd)
  writeFileSync(join(cwd, 'a.txt'), 'alpha\n')
  return { home, cwd }
}

const runClaude = (
  baseUrl: string,
  { home, cwd }: { home: string; cwd: string },
  args: readonly string[],
) => {
  const running = run(claude, ['-p', ...args, '--model', 'claude-opus-5-5', '--output-format', 'json'], {
    cwd,
    env: {
      PATH: '/usr/bin:/bin',
      HOME: home,
      ANTHROPIC_BASE_URL: baseUrl,
      ANTHROPIC_AUTH_TOKEN: 'session-token',
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    },
  })
  running.child.stdin?.end()
  return running.catch((error: unknown) => error as { stdout: string })
}

test.skipIf(!existsSync(claude))(
  'the real Claude Code works through the gateway, and usage equals the provider’s own count to the token',
  async () => {
    const place = createHome()
    const model = closing(
      await startStandInModel({
        expectKey: 'sk-ant-api03-canary',
        script: scriptedTurns([
          {
            content: [
              { type: 'text', text: 'I look.' },
              { type: 'tool_use', name: 'Read', input: { file_path: join(place.cwd, 'a.txt') } },
            ],
          },
          {
            content: [
              { type: 'tool_use', name: 'Bash', input: { command: 'echo one', description: 'one' } },
              { type: 'tool_use', name: 'Bash', input: { command: 'echo two', description: 'two' } },
            ],
          },
          { content: [{ type: 'text', text: 'The file says alpha. ✓' }] },
        ]),
      }),
    )
    const gateway = closing(await startGateway({ upstreamBaseUrl: model.baseUrl }))

    const { stdout } = await runClaude(gateway.baseUrl, place, [
      'what does a.txt say?',
      '--allowedTools',
      'Read',
      'Bash(echo:*)',
    ])
    const result = JSON.parse(stdout) as { result: string; is_error: boolean; total_cost_usd: number }
    expect(result).toMatchObject({ result: 'The file says alpha. ✓', is_error: false })
    await gateway.settled()

    const usage = gateway.meter.usage()
    const own = model.usage()
    expect(
      Object.fromEntries(usage.byModel.map(({ model: id, requests, tokens }) => [id, { requests, tokens }])),
    ).toEqual(own)
    const main = own['claude-opus-5-5']
    expect(main?.requests).toBeGreaterThanOrEqual(3)
    expect(main?.tokens.cacheRead).toBeGreaterThan(1000)
    expect((main?.tokens.cacheWrite5m ?? 0) + (main?.tokens.cacheWrite1h ?? 0)).toBeGreaterThan(1000)
    expect(usage).toMatchObject({ billing: 'api-key', hasUnknownPrice: false })
    const roundedUp = usage.costMicroUsd - result.total_cost_usd * 1e6
    expect(roundedUp).toBeGreaterThanOrEqual(-1e-3)
    expect(roundedUp).toBeLessThan(usage.requests)

    const forwarded = model.requests.filter(({ path }) => path.startsWith('/v1/messages'))
    expect(forwarded.every(({ headers }) => headers['x-api-key'] === 'sk-ant-api03-canary')).toBe(true)
    expect(forwarded.some(({ headers }) => headers.authorization !== undefined)).toBe(false)
    const kinds = gateway.entries.map(({ kind }) => kind)
    expect(kinds.filter((kind) => kind === 'model-request/intent')).toHaveLength(model.requests.length)
    expect(kinds.filter((kind) => kind === 'model-request/outcome')).toHaveLength(model.requests.length)
  },
)

test.skipIf(!existsSync(claude))(
  'the real Claude Code stops on a spend cap after one request, and shows why',
  async () => {
    const place = createHome()
    const model = closing(
      await startStandInModel({
        script: scriptedTurns([{ content: [{ type: 'text', text: 'Hello.' }] }]),
      }),
    )
    const gateway = closing(
      await startGateway({
        upstreamBaseUrl: model.baseUrl,
        caps: { microUsd: 10_000, tokens: null },
      }),
    )

    const { stdout } = await runClaude(gateway.baseUrl, place, ['hi'])
    const result = JSON.parse(stdout) as { result: string; is_error: boolean }
    expect(result.is_error).toBe(true)
    expect(result.result).toContain(
      "$0.01 of this session's $0.01 spend cap is left. Raise the cap to go on.",
    )
    expect(gateway.capMessages).toHaveLength(1)
    expect(model.requests.filter(({ path }) => path.startsWith('/v1/messages'))).toEqual([])
  },
)
