import { z } from 'zod'
import { findPrice, type PriceTable } from './price.ts'

/** The most a model request can use: what is held back from a cap until its real usage is known. */
export interface RequestBound {
  readonly model: string
  readonly tokens: { readonly input: number; readonly output: number }
  /** null where the price is not known. */
  readonly microUsd: { readonly input: number; readonly output: number } | null
}

/** Why a request's use has no bound, for a person. */
export interface Unbounded {
  readonly unbounded: string
}

/** What the gateway reads of a Messages request; everything else passes unread. */
export const MessagesRequest = z.looseObject({
  model: z.string().min(1).max(256),
  max_tokens: z.number().int().positive().max(1e9).optional(),
  stream: z.boolean().nullish(),
})
export type MessagesRequest = z.infer<typeof MessagesRequest>

/** The largest prompt any model takes. */
const MAX_PROMPT_TOKENS = 1_000_000
/** What the API adds to a prompt by itself, for tool use above all: documented as below 1,000 tokens. */
const ADDED_TOKENS = 4_096
/** The dearest image is below 5,000 tokens however few bytes it has (Vision guide, high-resolution models). */
const IMAGE_TOKENS = 5_000
/** Tools that run at the client. Any other runs at the provider, and the model again with it, who knows how often. */
const CLIENT_TOOL = /^(?:custom|bash|text_editor|computer|memory)(?:_\d{8})?$/

interface Findings {
  images: number
  /** Something whose size in the prompt does not follow from its size in the request: a PDF, a file, an address. */
  hasReference: boolean
  cacheTtl: 'none' | '5m' | '1h'
}

const survey = (value: unknown, found: Findings): void => {
  const stack: unknown[] = [value]
  while (stack.length > 0) {
    const node = stack.pop()
    if (typeof node !== 'object' || node === null) continue
    if (!Array.isArray(node)) {
      const { type, cache_control: cache } = node as { type?: unknown; cache_control?: unknown }
      if (type === 'image') found.images += 1
      if (type === 'url' || type === 'file' || type === 'document' || type === 'container_upload')
        found.hasReference = true
      if (typeof cache === 'object' && cache !== null && found.cacheTtl !== '1h') {
        found.cacheTtl = (cache as { ttl?: unknown }).ttl === '1h' ? '1h' : '5m'
      }
    }
    for (const part of Object.values(node)) stack.push(part)
  }
}

/** Why a request's use cannot be bounded, for a person; null when it can. */
const unbounded = (request: MessagesRequest): string | null => {
  if (request.max_tokens === undefined) return 'it sets no max_tokens'
  const tools = Array.isArray(request['tools'])
    ? (request['tools'] as { type?: unknown; name?: unknown }[])
    : []
  const remote = tools.find(({ type }) => typeof type === 'string' && !CLIENT_TOOL.test(type))
  if (remote !== undefined)
    return `the provider runs its tool ${String(remote.name ?? remote.type).slice(0, 64)} by itself`
  if (request['mcp_servers'] !== undefined) return 'the provider calls MCP servers by itself'
  if (request['fallbacks'] !== undefined) return 'the provider may change the model'
  const { edits } = (request['context_management'] ?? {}) as { edits?: unknown }
  const compacts = Array.isArray(edits) && edits.some((edit) => !String(edit?.type).startsWith('clear_'))
  return compacts ? 'the provider compacts the conversation by itself' : null
}

/**
 * The bound, or why there is none. Input: a token is at least one byte of the request's JSON, to which come images
 * and what the API adds; references count as the largest prompt there is. Output: max_tokens, thinking included.
 * Every token is priced at the dearest kind that the request allows.
 */
export const boundRequest = (
  request: MessagesRequest,
  bodyBytes: number,
  table: PriceTable,
): RequestBound | Unbounded => {
  const reason = unbounded(request)
  if (reason !== null) return { unbounded: reason }
  const found: Findings = { images: 0, hasReference: false, cacheTtl: 'none' }
  survey(request, found)
  const input = found.hasReference
    ? MAX_PROMPT_TOKENS
    : Math.min(MAX_PROMPT_TOKENS, bodyBytes + ADDED_TOKENS + found.images * IMAGE_TOKENS)
  const output = request.max_tokens ?? 0
  const bound = { model: request.model, tokens: { input, output } }
  const base = findPrice(table, request.model)
  if (base === null || (request['speed'] ?? 'standard') !== 'standard') return { ...bound, microUsd: null }
  const price =
    base.longPrompt !== undefined && input > base.longPrompt.aboveInputTokens ? base.longPrompt : base
  const write = { none: 0, '5m': price.cacheWrite5m, '1h': Math.max(price.cacheWrite5m, price.cacheWrite1h) }
  const inputPrice = Math.max(price.input, write[found.cacheTtl])
  const surcharge = request['inference_geo'] === 'global' ? 1 : 1.1
  return {
    ...bound,
    microUsd: {
      input: Math.ceil(input * inputPrice * surcharge),
      output: Math.ceil(output * price.output * surcharge),
    },
  }
}
