import { DENIED_TOOL, type DeniedInput } from '../../../domain/denied-tool-use.ts'
import { type Fields, isFields, textOf } from '../../../domain/json-fields.ts'
import type { AskedCall, DeniedCall, StreamRules } from '../tool-use-filter.ts'
import { parsedInput } from './denied-call.ts'

/**
 * A delta of text or thinking in exactly the form that the API sends it, spaces at its end included: nothing else can
 * stand in it, so it need not be read.
 */
const PLAIN_DELTA = /^\{"type":"content_block_delta","index":\d{1,9},"delta":\{"type":"(?:text_delta","text|thinking_delta","thinking)":"(?:[^"\\]|\\.)*"\} *\} *$/s
const LONGEST_PLAIN_BYTES = 4_096

const deltaOf = (json: Fields): Fields => (isFields(json['delta']) ? json['delta'] : {})

const inputOf = (block: Fields, json: string): unknown => (json === '' ? (block['input'] ?? {}) : parsedInput(json))

const blockOf = (events: readonly Fields[]): Fields => events.map((json) => json['content_block']).find(isFields) ?? {}

const callOf = (block: Fields, input: unknown): AskedCall => ({ id: String(block['id']), tool: String(block['name']), input })

/** A block under a name that no agent has, with all that is needed to put it back; or with changed arguments. */
export const deniedBlock = (block: Fields, { call, reason, changed }: DeniedCall): Fields => {
  if (changed !== undefined) return { ...block, input: changed.value }
  const input: DeniedInput = { tool: call.tool, input: call.input ?? null, reason }
  return { ...block, name: DENIED_TOOL, input }
}

/** The calls of a message that is not streamed. */
export const callsIn = (content: readonly unknown[]): AskedCall[] =>
  content.flatMap((block) => (isFields(block) && block['type'] === 'tool_use' ? callOf(block, block['input'] ?? {}) : []))

/** `eventFrom` gives the bytes of an event that is put in. */
export const createMessagesStream = (eventFrom: (data: Fields) => Buffer): StreamRules => ({
  isPlain: ({ dataLines, data }) => dataLines === 1 && data.length <= LONGEST_PLAIN_BYTES && PLAIN_DELTA.test(data.toString('latin1')),
  wordsOf: (json) => {
    const { type, text, thinking } = deltaOf(json)
    if (json['type'] !== 'content_block_delta' || (type !== 'text_delta' && type !== 'thinking_delta')) return null
    return { text: textOf(text), thinking: textOf(thinking) }
  },
  begins: (json) => (json['type'] === 'content_block_start' && isFields(json['content_block']) && json['content_block']['type'] === 'tool_use' ? (json['index'] ?? null) : undefined),
  belongs: (json, key) => json['index'] === key || json['index'] === undefined,
  ends: (json, key) => json['type'] === 'content_block_stop' && json['index'] === key,
  callsOf: (events) => {
    const block = blockOf(events)
    return [callOf(block, inputOf(block, events.map((json) => textOf(deltaOf(json)['partial_json'])).join('')))]
  },
  deny: (events, denied) => {
    const block = blockOf(events)
    const found = denied.get(String(block['id']))
    if (found === undefined) return []
    const { input, ...rest } = deniedBlock(block, found)
    const index = events[0]?.['index']
    return [
      { type: 'content_block_start', index, content_block: { ...rest, input: {} } },
      { type: 'content_block_delta', index, delta: { type: 'input_json_delta', partial_json: JSON.stringify(input) } },
      { type: 'content_block_stop', index },
    ].map(eventFrom)
  },
  mend: () => null,
})

/** Streams of the Messages API ("Streaming messages"): each call is a block from its start to its stop. */
export const messagesStream = createMessagesStream((data) => Buffer.from(`event: ${String(data['type'])}\ndata: ${JSON.stringify(data)}\n\n`))
