import type { AgentWords } from '../../../contract/schemas/tool-call.ts'
import { addWords, NO_WORDS } from '../../../domain/agent-words.ts'
import { type ChangedInput, DENIED_TOOL, type DeniedInput, toldChange } from '../../../domain/denied-tool-use.ts'
import { fieldsIn, type Fields, isFields, textOf } from '../../../domain/json-fields.ts'
import { boundOpenAiRequest, RESPONSES_LIMITS, openAiAgentField, OpenAiRequest, outputLimit, outwardOpenAiPart } from '../../../domain/openai-request.ts'
import { createResponseUsageReader } from '../../../domain/openai-usage.ts'
import { SERVER_SENT_EVENTS } from '../event-stream.ts'
import type { AskedCall, DeniedCall, StreamRules } from '../tool-use-filter.ts'
import { deniedArguments, deniedFrom, parsedInput, shownFunction } from './denied-call.ts'
import type { Dialect } from './dialect.ts'

/** What the provider runs by itself, and shows as done. */
const PROVIDER_CALLS = new Set(['web_search_call', 'file_search_call', 'code_interpreter_call', 'image_generation_call', 'mcp_call'])
const NOT_JUDGED = 'Denied by Holdfast: the call did not come in the form in which calls are judged.'

const idOf = (item: Fields): string => textOf(item['call_id'] ?? item['id'])

/** Everything that the agent is to run; kinds of the future too. */
const isCall = (item: unknown): item is Fields => isFields(item) && typeof item['type'] === 'string' && item['type'].endsWith('_call') && !PROVIDER_CALLS.has(item['type'])

const callOf = (item: Fields): AskedCall => {
  const type = textOf(item['type'])
  const name = textOf(item['name']) || type.replace(/_call$/, '')
  const tool = typeof item['namespace'] === 'string' ? `${item['namespace']}__${name}` : name
  if (type === 'function_call') return { id: idOf(item), tool, input: parsedInput(item['arguments']) }
  if (type === 'custom_tool_call') return { id: idOf(item), tool, input: { input: item['input'] } }
  const { id: _, call_id: __, type: ___, status: ____, ...input } = item
  return { id: idOf(item), tool, input }
}

const deniedItem = (item: Fields, denied: DeniedCall): Fields => ({
  type: 'function_call',
  id: item['id'],
  call_id: item['call_id'],
  status: item['status'],
  ...(item['type'] === 'function_call' ? shownFunction(denied) : { name: DENIED_TOOL, arguments: deniedArguments(denied, item) }),
})

const frame = (json: Fields): Buffer => Buffer.from(`event: ${String(json['type'])}\ndata: ${JSON.stringify(json)}\n\n`)

const isDone = (json: Fields): boolean => json['type'] === 'response.output_item.done'
const isAdded = (json: Fields): boolean => json['type'] === 'response.output_item.added'

const outputOf = (response: unknown): readonly Fields[] => (isFields(response) ? fieldsIn(response['output']) : [])

/** The calls of a whole response, those that were not released under an unknown name. */
const mendOutput = (response: Fields, isReleased: (id: string) => boolean, denied: ReadonlyMap<string, DeniedCall>): Fields => ({
  ...response,
  output: outputOf(response).map((item) => (isCall(item) && !isReleased(idOf(item)) ? deniedItem(item, denied.get(idOf(item)) ?? { call: callOf(item), reason: NOT_JUDGED }) : item)),
})

/** Streams of Responses: each call is an output item, added and done; the last event shows them all again. */
const responsesStream: StreamRules = {
  isPlain: () => false,
  wordsOf: ({ type, delta }) => {
    if (type === 'response.output_text.delta') return { text: textOf(delta), thinking: '' }
    return type === 'response.reasoning_summary_text.delta' ? { text: '', thinking: textOf(delta) } : null
  },
  begins: (json) => ((isAdded(json) || isDone(json)) && isCall(json['item']) ? (json['output_index'] ?? null) : undefined),
  belongs: (json, key) => json['output_index'] === key,
  ends: (json, key) => isDone(json) && json['output_index'] === key,
  callsOf: (events) => events.filter(isDone).flatMap(({ item }) => (isFields(item) ? [callOf(item)] : [])),
  deny: (events, denied) => {
    const [first] = events
    const last = events.at(-1)
    const item = last?.['item']
    const found = isFields(item) ? denied.get(idOf(item)) : undefined
    if (first === undefined || last === undefined || !isFields(item) || found === undefined) return []
    const shown = deniedItem(item, found)
    const at = { output_index: last['output_index'], item_id: item['id'] }
    return [
      ...(isAdded(first) ? [{ ...first, item: { ...shown, arguments: '', status: 'in_progress' } }] : []),
      { type: 'response.function_call_arguments.done', sequence_number: last['sequence_number'], ...at, name: shown['name'], arguments: shown['arguments'] },
      { ...last, item: shown },
    ].map(frame)
  },
  mend: (json, isReleased, denied) => {
    const { response } = json
    if (!isFields(response) || outputOf(response).every((item) => !isCall(item) || isReleased(idOf(item)))) return null
    return frame({ ...json, response: mendOutput(response, isReleased, denied) })
  },
}

const textsIn = (parts: unknown): string => fieldsIn(parts).map(({ text }) => textOf(text)).join('')

/** OpenAI's Responses, as Codex speaks it. */
export const responses: Dialect = {
  provider: 'openai',
  framing: SERVER_SENT_EVENTS,
  stream: responsesStream,
  ping: Buffer.from(': held by Holdfast\n\n'),
  readRequest: (json, bodyBytes, table) => {
    const request = OpenAiRequest.parse(json)
    return { model: request.model, stream: request.stream ?? false, maxOutputTokens: outputLimit(request, RESPONSES_LIMITS), bound: boundOpenAiRequest(request, RESPONSES_LIMITS, bodyBytes, table) }
  },
  bearer: true,
  limitOutput: (json, tokens) => ({ ...json, max_output_tokens: tokens }),
  agentField: openAiAgentField,
  outwardPart: outwardOpenAiPart,
  resultsIn: (json) => fieldsIn(json['input']).flatMap(({ type, call_id: id }) => (textOf(type).endsWith('_call_output') && typeof id === 'string' ? [{ toolUseId: id, isError: false }] : [])),
  putBack: (json, known) => {
    const denied = new Map<unknown, (DeniedInput | ChangedInput) & { readonly item?: unknown }>()
    const input = fieldsIn(json['input']).map((item) => {
      if (item['type'] !== 'function_call') return item
      const found: ((DeniedInput | ChangedInput) & { readonly item?: unknown }) | null = deniedFrom(item['name'], item['arguments']) ?? known(idOf(item))
      if (found === null) return item
      denied.set(item['call_id'], found)
      return isFields(found.item) ? found.item : { ...item, name: found.tool, arguments: JSON.stringify(found.input) }
    })
    if (denied.size === 0) return null
    const restored = input.map((item) => {
      const found = item['type'] === 'function_call_output' ? denied.get(item['call_id']) : undefined
      if (found === undefined) return item
      const type = isFields(found.item) ? `${String(found.item['type'])}_output` : item['type']
      return { ...item, type, output: toldChange(found, item['output']) }
    })
    return { ...json, input: restored }
  },
  createUsageReader: createResponseUsageReader,
  wholeCalls: (answer) => outputOf(answer).filter(isCall).map(callOf),
  wholeWords: (answer) => outputOf(answer).reduce<AgentWords>((words, { content, summary }) => addWords(words, { text: textsIn(content), thinking: textsIn(summary) }), NO_WORDS),
  denyWhole: (answer, denied) => mendOutput(answer, (id) => !denied.has(id), denied),
}
