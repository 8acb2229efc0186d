import { z } from 'zod'
import { findPrice, type PriceTable } from './price.ts'
import { isFields, type Fields } from './json-fields.ts'
import type { RequestBound, Unbounded } from './request-bound.ts'

/** What the gateway reads of a request to OpenAI's Chat Completions or Responses; everything else passes unread. */
export const OpenAiRequest = z.looseObject({
  model: z.string().min(1).max(256),
  stream: z.boolean().nullish(),
  /** Responses; and of Chat Completions the new name and the old. */
  max_output_tokens: z.number().int().positive().max(1e9).nullish(),
  max_completion_tokens: z.number().int().positive().max(1e9).nullish(),
  max_tokens: z.number().int().positive().max(1e9).nullish(),
  n: z.number().int().positive().max(1_000).nullish(),
})
export type OpenAiRequest = z.infer<typeof OpenAiRequest>

/** The largest prompt any model takes. */
const MAX_PROMPT_TOKENS = 1_100_000
/** What the API adds to a prompt by itself. */
const ADDED_TOKENS = 4_096
/** The dearest image is below this many tokens. */
const IMAGE_TOKENS = 10_000
/** Tools that run at the client; any other runs at the provider, and the model again with it. */
const CLIENT_TOOLS = new Set(['function', 'custom', 'local_shell', 'shell', 'apply_patch', 'computer_use_preview', 'computer', 'namespace', 'tool_search'])

const toolsOf = (request: Fields): Fields[] => (Array.isArray(request['tools']) ? (request['tools'] as unknown[]).filter(isFields) : [])

export const CHAT_LIMITS = ['max_completion_tokens', 'max_tokens'] as const
export const RESPONSES_LIMITS = ['max_output_tokens'] as const
type LimitNames = typeof CHAT_LIMITS | typeof RESPONSES_LIMITS

/** The largest of the limits that this API has a name for: which of two a provider keeps to is not known, and one of the other API's it passes over. */
export const outputLimit = (request: OpenAiRequest, names: LimitNames): number | null => {
  const limits = names.flatMap((name) => request[name] ?? [])
  return limits.length === 0 ? null : Math.max(...limits)
}

const unbounded = (request: OpenAiRequest, limit: number | null): string | null => {
  if (limit === null) return 'it sets no limit to its output'
  const remote = toolsOf(request).find(({ type }) => typeof type === 'string' && !CLIENT_TOOLS.has(type))
  if (remote !== undefined) return `the provider runs its tool ${String(remote['type']).slice(0, 64)} by itself`
  if (request['background'] === true) return 'it runs on when nobody listens'
  if (request['prediction'] != null) return 'what is predicted wrongly is billed on top'
  return null
}

const survey = (value: unknown): { images: number; hasReference: boolean } => {
  const found = { images: 0, hasReference: false }
  const stack: unknown[] = [value]
  while (stack.length > 0) {
    const node = stack.pop()
    if (typeof node !== 'object' || node === null) continue
    if (isFields(node)) {
      const { type } = node
      if (type === 'image_url' || type === 'input_image') found.images += 1
      if (type === 'file' || type === 'input_file' || type === 'input_audio' || type === 'item_reference') found.hasReference = true
    }
    for (const part of Object.values(node)) if (typeof part === 'object') stack.push(part)
  }
  return found
}

/** The most that a request can use, or why there is no such figure: see boundRequest, which does the same for the Messages API. */
export const boundOpenAiRequest = (request: OpenAiRequest, names: LimitNames, bodyBytes: number, table: PriceTable): RequestBound | Unbounded => {
  const limit = outputLimit(request, names)
  const reason = unbounded(request, limit)
  if (reason !== null) return { unbounded: reason }
  const found = survey(request)
  // What the provider keeps is part of the prompt, and not of the request.
  const isContinued = request['previous_response_id'] != null || request['conversation'] != null || request['prompt'] != null
  const input = found.hasReference || isContinued ? MAX_PROMPT_TOKENS : Math.min(MAX_PROMPT_TOKENS, bodyBytes + ADDED_TOKENS + found.images * IMAGE_TOKENS)
  const output = (limit ?? 0) * (request.n ?? 1)
  const bound = { model: request.model, tokens: { input, output } }
  const base = findPrice(table, request.model)
  const tier = request['service_tier'] ?? 'default'
  if (base === null || (tier !== 'default' && tier !== 'auto')) return { ...bound, microUsd: null }
  const price = base.longPrompt !== undefined && input > base.longPrompt.aboveInputTokens ? base.longPrompt : base
  return { ...bound, microUsd: { input: Math.ceil(input * Math.max(price.input, price.cacheWrite5m)), output: Math.ceil(output * price.output) } }
}

const REACHING_TOOL = /^(web_search|mcp|code_interpreter)/

/** What of a request would make the provider reach an address that the request or the model names; null when nothing does. */
export const outwardOpenAiPart = (request: unknown): string | null => {
  if (!isFields(request)) return null
  const reaching = toolsOf(request).find(({ type }) => typeof type === 'string' && REACHING_TOOL.test(type))
  if (reaching !== undefined) return `the provider's tool ${String(reaching['type']).slice(0, 64)}`
  if (request['web_search_options'] != null) return "the provider's web search"
  const stack: unknown[] = [request['messages'], request['input']]
  while (stack.length > 0) {
    const node = stack.pop()
    if (typeof node !== 'object' || node === null) continue
    if (isFields(node)) {
      const image = isFields(node['image_url']) ? node['image_url']['url'] : node['image_url']
      if (typeof image === 'string' && !image.startsWith('data:')) return 'an image that the provider would fetch'
      if (typeof node['file_url'] === 'string') return 'a file that the provider would fetch'
    }
    for (const part of Object.values(node)) if (typeof part === 'object') stack.push(part)
  }
  return null
}

/** OpenAI's field for who asks ("Safety identifiers"), and the older one: null where the agent fills either. */
export const openAiAgentField = (json: Fields, agentId: string): Fields | null =>
  json['safety_identifier'] === undefined && json['user'] === undefined ? { safety_identifier: agentId } : null
