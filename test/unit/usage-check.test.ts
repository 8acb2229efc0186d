import { describe, expect, test } from 'vitest'
import { readResult, readTelemetry, telemetryEnvironment } from '../../shared/core/agents/claude-code/own-figures.ts'
import { createOwnFigures } from '../../shared/core/supervisor/own-figures.ts'
import { type ComparedUsage, createUsageCheck, figuresOf, type UsageFigures } from '../../shared/domain/usage-check.ts'

const figures = (fields: Partial<UsageFigures> = {}): UsageFigures => ({ requests: 1, input: 1_000, output: 500, cacheRead: 20_000, cacheWrite: 300, microUsd: 40_000, ...fields })

const differences = (own: UsageFigures, passed: UsageFigures, isWhole = true, isOrderly = true): (string | null)[] => {
  const check = createUsageCheck()
  check.passed('c', passed, isWhole)
  check.told('c', 'telemetry', own)
  return check.end(isOrderly).map(({ difference }) => difference)
}

describe('what an agent says it used, beside what passed the gateway,', () => {
  test('agrees within 1 % and differs above, in either direction, in every kind of token and in money', () => {
    expect(differences(figures(), figures())).toEqual([null])
    expect(differences(figures({ output: 505 }), figures())).toEqual([null])
    expect(differences(figures({ output: 506 }), figures())).toEqual(['The agent counts 506 output tokens, and 500 passed Holdfast.'])
    expect(differences(figures({ input: 900 }), figures())).toEqual(['The agent counts 900 input tokens, and 1000 passed Holdfast.'])
    expect(differences(figures({ cacheRead: 0 }), figures())).toEqual(['The agent counts 0 tokens read from the cache, and 20000 passed Holdfast.'])
    expect(differences(figures({ cacheWrite: 304 }), figures())).toEqual(['The agent counts 304 tokens written to the cache, and 300 passed Holdfast.'])
    expect(differences(figures({ microUsd: 40_402 }), figures())).toEqual(['The agent says that it cost $0.0404, and what passed Holdfast cost $0.04 by the price table.'])
    expect(differences(figures({ microUsd: 39_000 }), figures())).toEqual(['The agent says that it cost $0.039, and what passed Holdfast cost $0.04 by the price table.'])
  })

  test('is compared in tokens alone where no price is known', () => {
    expect(differences(figures({ microUsd: 1 }), figures({ microUsd: null }))).toEqual([null])
    expect(differences(figures({ microUsd: 1, input: 2_000 }), figures({ microUsd: null }))).toEqual(['The agent counts 2000 input tokens, and 1000 passed Holdfast.'])
  })

  test('may leave out an answer that broke off, and anything where it did not end in order', () => {
    expect(differences(figures({ input: 0, output: 0, cacheRead: 0, cacheWrite: 0, microUsd: 0 }), figures(), false)).toEqual([null])
    expect(differences(figures({ output: 10 }), figures(), true, false)).toEqual([null])
    expect(differences(figures({ output: 900 }), figures(), true, false)).toEqual(['The agent counts 900 output tokens, and 500 passed Holdfast.'])
  })

  test('is not compared in a conversation that it tells nothing of, and each conversation by itself', () => {
    const check = createUsageCheck()
    check.passed('told', figures(), true)
    check.passed('untold', figures(), true)
    check.told('told', 'telemetry', figures())
    expect(check.end(true)).toEqual([{ source: 'telemetry', own: figures(), passed: figures(), whole: figures(), difference: null }])
    check.told('never passed', 'telemetry', figures())
    expect(check.end(true).at(-1)?.difference).toBe('The agent counts 1000 input tokens, and 0 passed Holdfast.')
  })

  test('adds up request by request in telemetry, and is the sum of all in a result', () => {
    const check = createUsageCheck()
    for (let request = 0; request < 3; request += 1) check.passed('c', figures(), true)
    for (let request = 0; request < 3; request += 1) expect(check.told('c', 'telemetry', figures())).toBeNull()
    check.told('c', 'result', figures({ requests: 0 }))
    check.told('c', 'result', figures({ requests: 0, input: 3_000, output: 1_500, cacheRead: 60_000, cacheWrite: 900, microUsd: 120_000 }))
    expect(check.end(true).map(({ source, difference }) => [source, difference])).toEqual([['telemetry', null], ['result', null]])
  })

  test('is told of while the agent runs once it claims more than passed; what is newest may still be under way', () => {
    const check = createUsageCheck()
    expect(check.told('c', 'telemetry', figures())).toBeNull()
    check.passed('c', figures(), true)
    expect(check.told('c', 'telemetry', figures())).toBeNull()
    expect(check.told('c', 'telemetry', figures())).toBe('The agent counts 2000 input tokens, and 1000 passed Holdfast.')
  })

  test('is an alarm once, with every comparison in the ledger, whatever the ledger does', () => {
    const alarms: string[] = []
    const recorded: ComparedUsage[] = []
    const own = createOwnFigures({
      readResult: readResult(['claude', '-p', 'x', '--output-format', 'json']),
      record: (compared) => {
        recorded.push(compared)
        throw new Error('full')
      },
      raiseAlarm: (message) => alarms.push(message),
    })
    own.passed('c', figuresOf({ input: 10, output: 20, cacheRead: 0, cacheWrite5m: 3, cacheWrite1h: 4 }, 7), true)
    own.told('c', 'telemetry', figures())
    own.told('c', 'telemetry', figures())
    const result = JSON.stringify({ type: 'result', session_id: 'c', total_cost_usd: 0.000007, modelUsage: { m: { inputTokens: 10, outputTokens: 20, cacheReadInputTokens: 0, cacheCreationInputTokens: 7 } } })
    for (const byte of Buffer.from(`{"type":"system"}\n${result}\n`)) own.saw(Buffer.from([byte]))
    own.saw(Buffer.alloc(3_000_000, 'x'))
    own.end(true)
    expect(recorded.map(({ source, difference }) => [source, difference])).toEqual([
      ['telemetry', 'The agent counts 2000 input tokens, and 10 passed Holdfast.'],
      ['result', null],
    ])
    expect(alarms).toEqual(["The agent counts 1000 input tokens, and 10 passed Holdfast. Holdfast's count is the one that holds; where the agent does not lie, some of its requests went another way."])
  })
})

describe('Claude Code’s own figures', () => {
  const attribute = ([key, value]: [string, string | number]) => ({ key, value: typeof value === 'string' ? { stringValue: value } : Number.isInteger(value) ? { intValue: value } : { doubleValue: value } })
  const log = (fields: Record<string, string | number>) => ({ attributes: Object.entries(fields).map(attribute) })
  const request = { 'event.name': 'api_request', 'session.id': 'c', input_tokens: 4, output_tokens: 32, cache_read_tokens: 7, cache_creation_tokens: 12_154, cost_usd: 0.0625 }

  test('are read from its telemetry, request by request, and nothing else of it', () => {
    const body = { resourceLogs: [{ scopeLogs: [{ logRecords: [log({ 'event.name': 'user_prompt', 'session.id': 'c' }), log(request), log({ ...request, 'session.id': 'd' }), log({ ...request, input_tokens: '6' })] }] }] }
    expect(readTelemetry(body)).toEqual([
      { conversation: 'c', figures: { requests: 2, input: 10, output: 64, cacheRead: 14, cacheWrite: 24_308, microUsd: 125_000 } },
      { conversation: 'd', figures: { requests: 1, input: 4, output: 32, cacheRead: 7, cacheWrite: 12_154, microUsd: 62_500 } },
    ])
    expect(() => readTelemetry({ resourceLogs: 'all' })).toThrow('resourceLogs')
  })

  test('are asked for, unless the user sends them elsewhere', () => {
    expect(telemetryEnvironment('http://127.0.0.1:1/session/t', { PATH: '/bin' })).toMatchObject({ CLAUDE_CODE_ENABLE_TELEMETRY: '1', OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://127.0.0.1:1/session/t/hook/telemetry' })
    expect(telemetryEnvironment('http://127.0.0.1:1/session/t', { OTEL_LOGS_EXPORTER: 'console' })).toEqual({})
  })

  test('are read from a result in JSON, where they begin with the session', () => {
    expect(readResult(['claude', '-p', 'x'])).toBeNull()
    expect(readResult(['claude', '-p', 'x', '--output-format=stream-json', '--resume', 'id'])).toBeNull()
    expect(readResult(['claude', '-p', 'x', '--output-format=stream-json'])?.('{"type":"result","modelUsage":7}')).toBeNull()
  })
})
