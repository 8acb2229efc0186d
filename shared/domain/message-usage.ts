import { z } from 'zod'
import type { Tokens } from '../contract/schemas/usage.ts'
import { addTokens, type PriceTerms, type UsagePart } from './price.ts'

/** What one message of the model was billed for, as far as its answer has said yet. */
export interface MessageUsage {
  readonly messageId: string | null
  /** The model that answered, which may not be the one asked for. */
  readonly model: string
  /** One per sampling that is priced on its own; never empty. */
  readonly parts: readonly UsagePart[]
  readonly terms: PriceTerms
  readonly stopReason: string | null
}

const count = z.number().int().nonnegative().max(1e12)
const counts = {
  input_tokens: count.nullish(),
  output_tokens: count.nullish(),
  cache_read_input_tokens: count.nullish(),
  cache_creation_input_tokens: count.nullish(),
  cache_creation: z
    .object({ ephemeral_5m_input_tokens: count.nullish(), ephemeral_1h_input_tokens: count.nullish() })
    .nullish(),
}
const name = z.string().max(512)
const Iteration = z.object({ type: name.nullish(), model: name.nullish(), ...counts })
const UsageRecord = z.object({
  ...counts,
  iterations: z.array(Iteration).max(10_000).nullish(),
  server_tool_use: z.object({ web_search_requests: count.nullish() }).nullish(),
  service_tier: name.nullish(),
  speed: name.nullish(),
  inference_geo: name.nullish(),
})
type UsageRecord = z.infer<typeof UsageRecord>

const Message = z.object({
  type: z.literal('message'),
  id: name.nullish(),
  model: name.nullish(),
  stop_reason: name.nullish(),
  usage: UsageRecord,
})
const Answer = z.discriminatedUnion('type', [
  Message,
  z.object({ type: z.literal('message_start'), message: Message }),
  z.object({
    type: z.literal('message_delta'),
    delta: z.object({ stop_reason: name.nullish() }).nullish(),
    usage: UsageRecord,
  }),
])

/** Without the split by TTL a cache write is the five-minute kind, which is what the API writes unless asked. */
const toTokens = (usage: Pick<UsageRecord, keyof typeof counts>): Tokens => {
  const split = usage.cache_creation
  const oneHour = split?.ephemeral_1h_input_tokens ?? 0
  const written = usage.cache_creation_input_tokens ?? (split?.ephemeral_5m_input_tokens ?? 0) + oneHour
  return {
    input: usage.input_tokens ?? 0,
    output: usage.output_tokens ?? 0,
    cacheRead: usage.cache_read_input_tokens ?? 0,
    cacheWrite5m: Math.max(0, written - oneHour),
    cacheWrite1h: Math.min(oneHour, written),
  }
}

const isEqual = (a: Tokens, b: Tokens): boolean =>
  a.input === b.input &&
  a.output === b.output &&
  a.cacheRead === b.cacheRead &&
  a.cacheWrite5m === b.cacheWrite5m &&
  a.cacheWrite1h === b.cacheWrite1h

/**
 * The top-level counts are the sum of all `message` iterations; a compaction's and an advisor's come on top of them
 * (API reference, `usage.iterations`). Each iteration is a prompt of its own for long-prompt prices.
 */
const toParts = (model: string, usage: UsageRecord): UsagePart[] => {
  const whole = toTokens(usage)
  const iterations = (usage.iterations ?? []).map((iteration) => ({
    isExtra: iteration.type === 'compaction' || iteration.type === 'advisor_message',
    part: { model: iteration.model ?? model, tokens: toTokens(iteration) },
  }))
  const extra = iterations.filter(({ isExtra }) => isExtra).map(({ part }) => part)
  const sampled = iterations.filter(({ isExtra }) => !isExtra).map(({ part }) => part)
  const [first, ...rest] = sampled
  const explains =
    first !== undefined &&
    isEqual(
      rest.reduce((sum, { tokens }) => addTokens(sum, tokens), first.tokens),
      whole,
    )
  return [...(explains ? sampled : [{ model, tokens: whole }]), ...extra]
}

const toMessageUsage = (message: z.infer<typeof Message>, requestModel: string): MessageUsage => {
  const { usage } = message
  const model = message.model ?? requestModel
  return {
    messageId: message.id ?? null,
    model,
    parts: toParts(model, usage),
    terms: {
      webSearches: usage.server_tool_use?.web_search_requests ?? 0,
      standard:
        (usage.speed ?? 'standard') === 'standard' && (usage.service_tier ?? 'standard') === 'standard',
      usOnly: usage.inference_geo === 'us',
    },
    stopReason: message.stop_reason ?? null,
  }
}

/** Without the name of the model that answered; that of another keeps its own. */
const renamed = (message: z.infer<typeof Message>): z.infer<typeof Message> => ({
  ...message,
  model: null,
  usage: { ...message.usage, iterations: message.usage.iterations?.map((one) => (one.model === message.model ? { ...one, model: null } : one)) },
})

/** What a whole message was billed for; null for what is no message of the Messages API. */
export const usageOfMessage = (value: unknown): MessageUsage | null => {
  const message = Message.safeParse(value)
  return message.success ? toMessageUsage(message.data, '') : null
}

const withoutNulls = <Value extends object>(value: Value): Partial<Value> =>
  Object.fromEntries(
    Object.entries(value).filter(([, part]) => part !== null && part !== undefined),
  ) as Partial<Value>

/**
 * Reads usage out of a Messages API answer: its events' JSON one by one, or the JSON of a whole one. `onUsage` hears
 * every new state, the last one being what is billed. What cannot be understood is passed over.
 */
export const createMessageUsageReader = (params: {
  /** Named when the answer does not say its model. */
  requestModel: string
  /** Whether the answer names the model otherwise than the request, by whose name it is billed: so do clouds. */
  isRenamed?: boolean
  onUsage: (usage: MessageUsage) => void
}): { read(json: unknown): void } => {
  let message: z.infer<typeof Message> | null = null
  return {
    read(json) {
      const answer = Answer.safeParse(json)
      if (!answer.success) return
      if (answer.data.type === 'message') message = answer.data
      else if (answer.data.type === 'message_start') message = answer.data.message
      else if (message !== null) {
        message = {
          ...message,
          stop_reason: answer.data.delta?.stop_reason ?? message.stop_reason,
          usage: { ...message.usage, ...withoutNulls(answer.data.usage) },
        }
      }
      if (message !== null) params.onUsage(toMessageUsage(params.isRenamed === true ? renamed(message) : message, params.requestModel))
    },
  }
}
