import type { Tokens } from '../../contract/schemas/usage.ts'

export type ScriptedBlock =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'tool_use'; readonly name: string; readonly input: Record<string, unknown> }

/** A whole answer, ready to be sent. */
export interface PreparedMessage {
  readonly id: string
  readonly model: string
  readonly blocks: readonly (ScriptedBlock & { readonly id: string })[]
  readonly tokens: Tokens
  readonly stopReason: string
}

/** The form in which usage goes over the wire. */
const toWireUsage = (tokens: Tokens) => ({
  input_tokens: tokens.input,
  cache_creation_input_tokens: tokens.cacheWrite5m + tokens.cacheWrite1h,
  cache_read_input_tokens: tokens.cacheRead,
  cache_creation: {
    ephemeral_5m_input_tokens: tokens.cacheWrite5m,
    ephemeral_1h_input_tokens: tokens.cacheWrite1h,
  },
  output_tokens: tokens.output,
  service_tier: 'standard',
})

const PIECE = 24

const pieces = (text: string): string[] => text.match(new RegExp(`[^]{1,${PIECE}}`, 'gu')) ?? []

/** The events of a streamed answer, in the order the API sends them ("Streaming messages"). */
export function* streamEvents(
  message: PreparedMessage,
): Generator<{ readonly type: string } & Record<string, unknown>> {
  const start = { ...message.tokens, output: Math.min(1, message.tokens.output) }
  yield {
    type: 'message_start',
    message: { ...wholeMessage(message), content: [], stop_reason: null, usage: toWireUsage(start) },
  }
  for (const [index, block] of message.blocks.entries()) {
    const start =
      block.type === 'text'
        ? { type: 'text', text: '' }
        : { type: 'tool_use', id: block.id, name: block.name, input: {} }
    yield { type: 'content_block_start', index, content_block: start }
    if (index === 0) yield { type: 'ping' }
    const deltas =
      block.type === 'text'
        ? pieces(block.text).map((text) => ({ type: 'text_delta', text }))
        : ['', ...pieces(JSON.stringify(block.input))].map((part) => ({
            type: 'input_json_delta',
            partial_json: part,
          }))
    for (const delta of deltas) yield { type: 'content_block_delta', index, delta }
    yield { type: 'content_block_stop', index }
  }
  const { cache_creation: _, service_tier: __, ...usage } = toWireUsage(message.tokens)
  yield { type: 'message_delta', delta: { stop_reason: message.stopReason, stop_sequence: null }, usage }
  yield { type: 'message_stop' }
}

/** The same answer, not streamed. */
export const wholeMessage = (message: PreparedMessage) => ({
  id: message.id,
  type: 'message',
  role: 'assistant',
  model: message.model,
  content: message.blocks.map(({ id, ...block }) => (block.type === 'tool_use' ? { ...block, id } : block)),
  stop_reason: message.stopReason,
  stop_sequence: null,
  usage: toWireUsage(message.tokens),
})
