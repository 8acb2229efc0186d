import { z } from 'zod'
import type { MessageUsage } from './message-usage.ts'

const count = z.number().int().nonnegative().max(1e12)
const details = z.object({ cached_tokens: count.nullish(), cache_write_tokens: count.nullish() }).nullish()
const name = z.string().max(512)

const ChatChunk = z.object({
  object: z.enum(['chat.completion', 'chat.completion.chunk']),
  id: name.nullish(),
  model: name.nullish(),
  service_tier: name.nullish(),
  choices: z.array(z.object({ finish_reason: name.nullish() })).max(1_000).nullish(),
  usage: z.object({ prompt_tokens: count, completion_tokens: count, prompt_tokens_details: details }).nullish(),
})

const Response = z.object({
  object: z.literal('response'),
  id: name.nullish(),
  model: name.nullish(),
  status: name.nullish(),
  service_tier: name.nullish(),
  usage: z.object({ input_tokens: count, output_tokens: count, input_tokens_details: details }).nullish(),
})
const ResponseEvent = z.object({ response: Response })

interface Counted {
  readonly id: string | null | undefined
  readonly model: string | null | undefined
  readonly tier: string | null | undefined
  readonly input: number
  readonly output: number
  readonly details: z.infer<typeof details>
  readonly stopReason: string
}

/** What was read from a cache or written to one is part of the input, and billed on its own. */
const usageOf = ({ id, model, tier, input, output, details: parts, stopReason }: Counted, requestModel: string): MessageUsage => {
  const cacheRead = Math.min(input, parts?.cached_tokens ?? 0)
  const cacheWrite5m = Math.min(input - cacheRead, parts?.cache_write_tokens ?? 0)
  return {
    messageId: id ?? null,
    model: model ?? requestModel,
    parts: [{ model: model ?? requestModel, tokens: { input: input - cacheRead - cacheWrite5m, output, cacheRead, cacheWrite5m, cacheWrite1h: 0 } }],
    terms: { webSearches: 0, standard: tier == null || tier === 'default' || tier === 'auto', usOnly: false },
    stopReason,
  }
}

/** Reads usage out of Chat Completions, streamed (the last chunk has it) or whole. What cannot be understood is passed over. */
export const createChatUsageReader = (requestModel: string, onUsage: (usage: MessageUsage) => void): { read(json: unknown): void } => {
  let stopReason = 'stop'
  return {
    read(json) {
      const chunk = ChatChunk.safeParse(json)
      if (!chunk.success) return
      const { id, model, service_tier: tier, usage, choices } = chunk.data
      stopReason = choices?.find(({ finish_reason: reason }) => reason != null)?.finish_reason ?? stopReason
      if (usage == null) return
      onUsage(usageOf({ id, model, tier, input: usage.prompt_tokens, output: usage.completion_tokens, details: usage.prompt_tokens_details, stopReason }, requestModel))
    },
  }
}

/** Reads usage out of Responses: its last event has the whole response, as an answer that is not streamed is. */
export const createResponseUsageReader = (requestModel: string, onUsage: (usage: MessageUsage) => void): { read(json: unknown): void } => ({
  read(json) {
    const whole = Response.safeParse(json)
    const event = ResponseEvent.safeParse(json)
    const response = whole.success ? whole.data : event.success ? event.data.response : null
    const usage = response?.usage
    if (response === null || usage == null) return
    const { id, model, service_tier: tier, status } = response
    onUsage(usageOf({ id, model, tier, input: usage.input_tokens, output: usage.output_tokens, details: usage.input_tokens_details, stopReason: status ?? 'completed' }, requestModel))
  },
})
