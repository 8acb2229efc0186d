import type { AgentWords } from '../../../contract/schemas/tool-call.ts'
import { addWords, NO_WORDS } from '../../../domain/agent-words.ts'
import { restoreDenied, toolResultsIn } from '../../../domain/denied-tool-use.ts'
import { createMessageUsageReader } from '../../../domain/message-usage.ts'
import { outwardPart } from '../../../domain/outward-request.ts'
import { boundRequest, MessagesRequest } from '../../../domain/request-bound.ts'
import { type Fields, isFields, textOf } from '../../../domain/json-fields.ts'
import { SERVER_SENT_EVENTS } from '../event-stream.ts'
import type { Dialect } from './dialect.ts'
import { callsIn, deniedBlock, messagesStream } from './messages-stream.ts'

const messagesOf = (json: Fields): readonly unknown[] => (Array.isArray(json['messages']) ? (json['messages'] as unknown[]) : [])
const contentOf = (answer: Fields): readonly unknown[] => (Array.isArray(answer['content']) ? (answer['content'] as unknown[]) : [])

/** Anthropic's Messages API. */
export const messages: Dialect = {
  provider: 'anthropic',
  framing: SERVER_SENT_EVENTS,
  stream: messagesStream,
  ping: Buffer.from('event: ping\ndata: {"type": "ping"}\n\n'),
  readRequest: (json, bodyBytes, table) => {
    const request = MessagesRequest.parse(json)
    return { model: request.model, stream: request.stream ?? false, maxOutputTokens: request.max_tokens ?? null, bound: boundRequest(request, bodyBytes, table) }
  },
  bearer: false,
  limitOutput: null,
  agentField: (json, agentId) => (json['metadata'] === undefined ? { metadata: { user_id: agentId } } : null),
  outwardPart,
  resultsIn: (json) => toolResultsIn(messagesOf(json)),
  putBack: (json, known) => {
    const restored = restoreDenied(messagesOf(json), known)
    return restored === null ? null : { ...json, messages: restored }
  },
  createUsageReader: (requestModel, onUsage) => createMessageUsageReader({ requestModel, onUsage }),
  wholeCalls: (answer) => callsIn(contentOf(answer)),
  wholeWords: (answer) =>
    contentOf(answer).filter(isFields).reduce<AgentWords>((words, { type, text, thinking }) => addWords(words, { text: type === 'text' ? textOf(text) : '', thinking: type === 'thinking' ? textOf(thinking) : '' }), NO_WORDS),
  denyWhole: (answer, denied) => ({
    ...answer,
    content: contentOf(answer).map((block) => {
      const found = isFields(block) && block['type'] === 'tool_use' ? denied.get(String(block['id'])) : undefined
      return found === undefined ? block : deniedBlock(block as Fields, found)
    }),
  }),
}
