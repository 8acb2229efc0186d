import { join } from 'node:path'
import { expect, test } from 'vitest'
import { scriptedTurns, startStandInModel, type StandInRequest } from '../../shared/core/demo/stand-in-model.ts'
import { createPlace, hasClaude, type Place, runClaude } from '../support/bare-claude.ts'
import { startGateway } from './gateway-fixture.ts'
import { closing } from './gateway-harness.ts'

const createHome = (): Place => closing(createPlace())

test.skipIf(!hasClaude)(
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

test.skipIf(!hasClaude)(
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

test.skipIf(!hasClaude)(
  'eight subagents at once that would spend $5 never pass a cap of $1, with hooks, telemetry and transcripts off',
  async () => {
    const place = createHome()
    /** $0.16 each at $20 a million output tokens; four turns by eight subagents come to $5.12. */
    const usage = { input: 0, output: 8_000, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 }
    const isSub = ({ messages }: StandInRequest): boolean => JSON.stringify(messages[0]).includes('I am subagent')
    const model = closing(
      await startStandInModel({
        script: (request) => {
          const answered = request.messages.filter(({ role }) => role === 'assistant').length
          if (isSub(request)) return { content: answered < 3 ? [{ type: 'tool_use', name: 'Bash', input: { command: `echo ${answered}`, description: 'echo' } }] : [{ type: 'text', text: 'Done.' }], usage }
          const name = request.tools?.map((tool) => tool.name).find((tool) => tool === 'Agent' || tool === 'Task')
          if (name === undefined || answered > 0) return { content: [{ type: 'text', text: 'Over.' }], usage: { ...usage, output: 1 } }
          return {
            content: Array.from({ length: 8 }, (_, index) => ({
              type: 'tool_use' as const,
              name,
              input: { description: `part ${index}`, prompt: `I am subagent ${index}.`, subagent_type: 'general-purpose', run_in_background: false },
            })),
            usage: { ...usage, output: 1 },
          }
        },
      }),
    )
    const gateway = closing(await startGateway({ upstreamBaseUrl: model.baseUrl, caps: { microUsd: 1_000_000, tokens: null } }))
    await runClaude(gateway.baseUrl, place, ['Do it in eight parts.', '--allowedTools', 'Bash(echo:*)', 'Agent', 'Task', '--settings', '{"disableAllHooks":true}', '--no-session-persistence'])
    await gateway.settled()
    const subagents = new Set(model.requests.flatMap(({ headers }) => headers['x-claude-code-agent-id'] ?? []))
    expect(subagents.size).toBeGreaterThan(1)
    const billed = Object.values(model.usage()).reduce((sum, { tokens }) => sum + tokens.output, 0) * 20
    expect(billed).toBeLessThanOrEqual(1_000_000)
    expect(billed).toBeGreaterThan(400_000)
    expect(gateway.meter.usage().costMicroUsd).toBe(billed)
    expect(gateway.capMessages.length).toBeGreaterThan(0)
  },
)
