import { z } from 'zod'
import { addFigures, type UsageFigures } from '../../../domain/usage-check.ts'

/** What Claude Code says of one conversation. */
export interface ToldFigures {
  readonly conversation: string
  readonly figures: UsageFigures
}

/**
 * Has it tell of its requests, and of no prompt or text, as OpenTelemetry logs over HTTP
 * (https://code.claude.com/docs/en/monitoring-usage): with the hooks. Who passes settings of their own for this keeps them.
 */
export const telemetryEnvironment = (baseUrl: string, env: Readonly<Record<string, string>>): Record<string, string> => {
  const isTheirs = Object.keys(env).some((name) => name.startsWith('OTEL_') || name === 'CLAUDE_CODE_ENABLE_TELEMETRY')
  if (isTheirs) return {}
  return {
    CLAUDE_CODE_ENABLE_TELEMETRY: '1',
    OTEL_LOGS_EXPORTER: 'otlp',
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: 'http/json',
    OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: `${baseUrl}/hook/telemetry`,
  }
}

const count = z.coerce.number().nonnegative().max(1e12)
const Value = z.object({ stringValue: z.string().optional(), intValue: z.union([z.string(), z.number()]).optional(), doubleValue: z.number().optional() })
const Attributes = z.array(z.object({ key: z.string(), value: Value })).max(1_000)
const Logs = z.object({
  resourceLogs: z.array(z.object({ scopeLogs: z.array(z.object({ logRecords: z.array(z.object({ attributes: Attributes })).max(10_000) })).max(100) })).max(100),
})
const ApiRequest = z.object({
  'event.name': z.literal('api_request'),
  'session.id': z.string().min(1).max(256),
  input_tokens: count,
  output_tokens: count,
  cache_read_tokens: count,
  cache_creation_tokens: count,
  cost_usd: count,
})

const readAttributes = (attributes: z.infer<typeof Attributes>): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue ?? value.doubleValue]))

/** The requests that an export tells of, summed up by conversation. Throws ZodError on what is no export. */
export const readTelemetry = (body: unknown): readonly ToldFigures[] => {
  const sums = new Map<string, UsageFigures>()
  for (const { attributes } of Logs.parse(body).resourceLogs.flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords }) => logRecords))) {
    const request = ApiRequest.safeParse(readAttributes(attributes))
    if (!request.success) continue
    const { 'session.id': conversation, input_tokens: input, output_tokens: output, cache_read_tokens: cacheRead, cache_creation_tokens: cacheWrite, cost_usd: usd } = request.data
    const figures = { requests: 1, input, output, cacheRead, cacheWrite, microUsd: usd * 1e6 }
    const sum = sums.get(conversation)
    sums.set(conversation, sum === undefined ? figures : addFigures(sum, figures))
  }
  return [...sums].map(([conversation, figures]) => ({ conversation, figures }))
}

const Result = z.object({
  type: z.literal('result'),
  session_id: z.string().min(1).max(256),
  total_cost_usd: count,
  modelUsage: z.record(z.string(), z.object({ inputTokens: count, outputTokens: count, cacheReadInputTokens: count, cacheCreationInputTokens: count })),
})

/** With these the figures go on from those of an earlier session, which did not pass here. */
const GOES_ON = /^(--continue|-c|--resume|-r|--fork-session)(=|$)/
const WITH_RESULT = /^(--output-format=)?(stream-)?json$/

/** Reads the result message of `-p --output-format json` or `stream-json`, whose figures are of the whole conversation so far. */
export const readResult = (command: readonly string[]): ((line: string) => ToldFigures | null) | null => {
  if (command.some((part) => GOES_ON.test(part)) || !command.some((part) => WITH_RESULT.test(part))) return null
  return (line) => {
    if (!line.includes('"modelUsage"')) return null
    try {
      const { session_id: conversation, total_cost_usd: usd, modelUsage } = Result.parse(JSON.parse(line))
      const models = Object.values(modelUsage)
      const sum = (of: (model: (typeof models)[number]) => number): number => models.reduce((total, model) => total + of(model), 0)
      const figures = {
        requests: 0,
        input: sum(({ inputTokens }) => inputTokens),
        output: sum(({ outputTokens }) => outputTokens),
        cacheRead: sum(({ cacheReadInputTokens }) => cacheReadInputTokens),
        cacheWrite: sum(({ cacheCreationInputTokens }) => cacheCreationInputTokens),
        microUsd: usd * 1e6,
      }
      return { conversation, figures }
    } catch {
      return null
    }
  }
}
