import type { AgentWords } from '../../../contract/schemas/tool-call.ts'
import { addWords, NO_WORDS } from '../../../domain/agent-words.ts'
import { type ChangedInput, type DeniedInput, toldChange } from '../../../domain/denied-tool-use.ts'
import { fieldsIn, type Fields, isFields, textOf } from '../../../domain/json-fields.ts'
import { boundOpenAiRequest, CHAT_LIMITS, openAiAgentField, OpenAiRequest, outputLimit, outwardOpenAiPart } from '../../../domain/openai-request.ts'
import { createChatUsageReader } from '../../../domain/openai-usage.ts'
import { SERVER_SENT_EVENTS } from '../event-stream.ts'
import type { AskedCall, DeniedCall, StreamRules } from '../tool-use-filter.ts'
import { deniedFrom, parsedInput, shownFunction } from './denied-call.ts'
import type { Dialect } from './dialect.ts'

const deltaOf = (choice: Fields): Fields => (isFields(choice['delta']) ? choice['delta'] : {})
const callsIn = (message: Fields): readonly Fields[] => fieldsIn(message['tool_calls'])
const functionOf = (call: Fields): Fields => (isFields(call['function']) ? call['function'] : isFields(call['custom']) ? call['custom'] : {})
const keyOf = (choice: Fields, call: Fields): string => `${String(choice['index'])}:${String(call['index'])}`

const frame = (json: Fields): Buffer => Buffer.from(`data: ${JSON.stringify(json)}\n\n`)

/** A call's pieces, joined in the order they came. */
interface Pieces {
  readonly id: string
  name: string
  arguments: string
}

const piecesOf = (events: readonly Fields[]): Map<string, Pieces> => {
  const all = new Map<string, Pieces>()
  for (const choice of events.flatMap((json) => fieldsIn(json['choices']))) {
    for (const call of callsIn(deltaOf(choice))) {
      const key = keyOf(choice, call)
      const pieces = all.get(key) ?? { id: textOf(call['id']) || key, name: '', arguments: '' }
      const { name, arguments: more, input } = functionOf(call)
      pieces.name += textOf(name)
      pieces.arguments += textOf(more ?? input)
      all.set(key, pieces)
    }
  }
  return all
}

/** What a message, or a piece of one, says; some providers add what the model thought. */
const saidIn = ({ content, reasoning_content: thinking, reasoning }: Fields): AgentWords => ({ text: textOf(content), thinking: textOf(thinking ?? reasoning) })

/** Streams of Chat Completions: the calls of an answer come in pieces, all of them before its reason to finish. */
const chatStream: StreamRules = {
  isPlain: () => false,
  wordsOf: (json) => {
    const deltas = fieldsIn(json['choices']).map(deltaOf)
    if (deltas.length === 0 || deltas.some((delta) => callsIn(delta).length > 0)) return null
    return deltas.reduce<AgentWords>((words, delta) => addWords(words, saidIn(delta)), NO_WORDS)
  },
  begins: (json) => (fieldsIn(json['choices']).some((choice) => callsIn(deltaOf(choice)).length > 0) ? 'calls' : undefined),
  belongs: () => true,
  ends: (json) => fieldsIn(json['choices']).some(({ finish_reason: reason }) => reason != null),
  callsOf: (events) => [...piecesOf(events).values()].map(({ id, name, arguments: text }): AskedCall => ({ id, tool: name, input: parsedInput(text) })),
  deny: (events, denied) => {
    const pieces = piecesOf(events)
    const shown = new Set<string>()
    const withoutDenied = (choice: Fields): Fields => {
      const delta = deltaOf(choice)
      const calls = callsIn(delta).flatMap((call) => {
        const key = keyOf(choice, call)
        const found = denied.get(pieces.get(key)?.id ?? '')
        if (found === undefined) return [call]
        if (shown.has(key)) return []
        shown.add(key)
        return [{ ...call, type: 'function', custom: undefined, function: shownFunction(found) }]
      })
      return callsIn(delta).length === 0 ? choice : { ...choice, delta: { ...delta, tool_calls: calls.length === 0 ? undefined : calls } }
    }
    return events.map((json) => frame({ ...json, choices: fieldsIn(json['choices']).map(withoutDenied) }))
  },
  mend: () => null,
}

/** OpenAI's Chat Completions, as many other providers speak it too. */
export const chat: Dialect = {
  provider: 'openai',
  framing: SERVER_SENT_EVENTS,
  stream: chatStream,
  ping: Buffer.from(': held by Holdfast\n\n'),
  readRequest: (json, bodyBytes, table) => {
    const request = OpenAiRequest.parse(json)
    // An older form of calls, which no agent that is kept uses: answers with it would pass unjudged.
    if (request['functions'] != null) throw new Error('functions are not passed on')
    return { model: request.model, stream: request.stream ?? false, maxOutputTokens: outputLimit(request, CHAT_LIMITS), bound: boundOpenAiRequest(request, CHAT_LIMITS, bodyBytes, table) }
  },
  bearer: true,
  limitOutput: (json, tokens) => ({ ...json, max_completion_tokens: tokens }),
  agentField: openAiAgentField,
  outwardPart: outwardOpenAiPart,
  resultsIn: (json) => fieldsIn(json['messages']).flatMap(({ role, tool_call_id: id }) => (role === 'tool' && typeof id === 'string' ? [{ toolUseId: id, isError: false }] : [])),
  putBack: (json, known) => {
    const denied = new Map<unknown, DeniedInput | ChangedInput>()
    const messages = fieldsIn(json['messages']).map((message) => {
      const calls = callsIn(message)
      if (calls.length === 0) return message
      const restored = calls.map((call) => {
        const { name, arguments: text } = functionOf(call)
        const found = deniedFrom(name, text) ?? known(textOf(call['id']))
        if (found === null) return call
        denied.set(call['id'], found)
        return { ...call, function: { ...functionOf(call), name: found.tool, arguments: JSON.stringify(found.input) } }
      })
      return { ...message, tool_calls: restored }
    })
    if (denied.size === 0) return null
    return { ...json, messages: messages.map((message) => (message['role'] === 'tool' && denied.has(message['tool_call_id']) ? { ...message, content: toldChange(denied.get(message['tool_call_id']), message['content']) } : message)) }
  },
  createUsageReader: createChatUsageReader,
  wholeCalls: (answer) =>
    fieldsIn(answer['choices'])
      .flatMap((choice) => (isFields(choice['message']) ? callsIn(choice['message']) : []))
      .map((call) => ({ id: textOf(call['id']), tool: textOf(functionOf(call)['name']), input: parsedInput(functionOf(call)['arguments'] ?? functionOf(call)['input']) })),
  wholeWords: (answer) =>
    fieldsIn(answer['choices']).map(({ message }) => (isFields(message) ? message : {})).reduce<AgentWords>((words, message) => addWords(words, saidIn(message)), NO_WORDS),
  denyWhole: (answer, denied) => {
    const withoutDenied = (call: Fields): Fields => {
      const found: DeniedCall | undefined = denied.get(textOf(call['id']))
      return found === undefined ? call : { ...call, type: 'function', custom: undefined, function: shownFunction(found) }
    }
    return {
      ...answer,
      choices: fieldsIn(answer['choices']).map((choice) => (isFields(choice['message']) && callsIn(choice['message']).length > 0 ? { ...choice, message: { ...choice['message'], tool_calls: callsIn(choice['message']).map(withoutDenied) } } : choice)),
    }
  },
}
