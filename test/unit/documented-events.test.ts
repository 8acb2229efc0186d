import { expect, test } from 'vitest'
import { chat } from '../../shared/core/gateway/dialects/chat.ts'
import { messages } from '../../shared/core/gateway/dialects/messages.ts'
import { responses } from '../../shared/core/gateway/dialects/responses.ts'
import { createEventSplitter } from '../../shared/core/gateway/event-stream.ts'
import { createToolUseFilter, readEvent, type StreamRules } from '../../shared/core/gateway/tool-use-filter.ts'

type Fields = Readonly<Record<string, unknown>>

const WORDS = 'Zürich ✓ 👩‍💻 \\ "quoted"\n'
const block = (index: number, content: Fields, ...deltas: readonly Fields[]): Fields[] => [
  { type: 'content_block_start', index, content_block: content },
  ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
  { type: 'content_block_stop', index },
]

/** Every event, kind of block and kind of delta of "Streaming messages" and the pages it refers to (docs.claude.com, November 2026). */
const MESSAGES: readonly Fields[] = [
  { type: 'message_start', message: { type: 'message', id: 'msg_1', role: 'assistant', model: 'claude-sonnet-5-5', content: [], stop_reason: null, usage: { input_tokens: 25, output_tokens: 1, cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 } } } },
  { type: 'ping' },
  ...block(0, { type: 'thinking', thinking: '', signature: '' }, { type: 'thinking_delta', thinking: WORDS }, { type: 'signature_delta', signature: 'EqQBCgIYAhIM==' }),
  ...block(1, { type: 'redacted_thinking', data: 'EmwKAhgBEgy=' }),
  ...block(2, { type: 'text', text: '' }, { type: 'text_delta', text: WORDS }, { type: 'citations_delta', citation: { type: 'char_location', cited_text: WORDS, document_index: 0, start_char_index: 0, end_char_index: 9 } }),
  ...block(3, { type: 'tool_use', id: 'toolu_1', name: 'Bash', input: {} }, { type: 'input_json_delta', partial_json: '' }, { type: 'input_json_delta', partial_json: '{"command":"echo ' }, { type: 'input_json_delta', partial_json: 'é"}' }),
  ...block(4, { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: {} }, { type: 'input_json_delta', partial_json: '{"query":"weather"}' }),
  ...block(5, { type: 'web_search_tool_result', tool_use_id: 'srvtoolu_1', content: [{ type: 'web_search_result', title: WORDS, url: 'https://example.com', encrypted_content: 'x' }] }),
  ...block(6, { type: 'web_fetch_tool_result', tool_use_id: 'srvtoolu_2', content: { type: 'web_fetch_result', url: 'https://example.com' } }),
  ...block(7, { type: 'code_execution_tool_result', tool_use_id: 'srvtoolu_3', content: { type: 'code_execution_result', stdout: WORDS, stderr: '', return_code: 0 } }),
  ...block(8, { type: 'bash_code_execution_tool_result', tool_use_id: 'srvtoolu_4', content: { type: 'bash_code_execution_result', stdout: '', return_code: 1 } }),
  ...block(9, { type: 'text_editor_code_execution_tool_result', tool_use_id: 'srvtoolu_5', content: {} }),
  ...block(10, { type: 'mcp_tool_use', id: 'mcptoolu_1', name: 'query', server_name: 'db', input: {} }, { type: 'input_json_delta', partial_json: '{}' }),
  ...block(11, { type: 'mcp_tool_result', tool_use_id: 'mcptoolu_1', is_error: false, content: [{ type: 'text', text: WORDS }] }),
  ...block(12, { type: 'container_upload', file_id: 'file_1' }),
  ...block(13, { type: 'compaction', content: null }, { type: 'compaction_delta', content: WORDS }),
  { type: 'message_delta', delta: { stop_reason: 'tool_use', stop_sequence: null }, usage: { output_tokens: 89 } },
  { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } },
  { type: 'message_stop' },
]

const CALL = { type: 'function_call', id: 'fc_1', call_id: 'call_1', name: 'shell', arguments: '', status: 'in_progress' }
const DONE = { ...CALL, arguments: '{"command":"ls"}', status: 'completed' }
const item = (type: string, more: Fields = {}): Fields => ({ type, item_id: 'msg_1', output_index: 1, content_index: 0, ...more })

/** Every event of "Streaming events" of the Responses API (platform.openai.com, November 2026). */
const RESPONSES: readonly Fields[] = [
  { type: 'response.created', response: { id: 'resp_1', status: 'in_progress', output: [] } },
  { type: 'response.queued', response: { id: 'resp_1' } },
  { type: 'response.in_progress', response: { id: 'resp_1' } },
  { type: 'response.output_item.added', output_index: 0, item: CALL },
  { type: 'response.function_call_arguments.delta', item_id: 'fc_1', output_index: 0, delta: '{"command":' },
  { type: 'response.function_call_arguments.delta', item_id: 'fc_1', output_index: 0, delta: '"ls"}' },
  { type: 'response.function_call_arguments.done', item_id: 'fc_1', output_index: 0, arguments: '{"command":"ls"}' },
  { type: 'response.output_item.done', output_index: 0, item: DONE },
  { type: 'response.output_item.added', output_index: 1, item: { type: 'message', id: 'msg_1', content: [] } },
  ...['response.content_part.added', 'response.output_text.delta', 'response.output_text.annotation.added', 'response.output_text.done', 'response.refusal.delta', 'response.refusal.done', 'response.content_part.done'].map((type) => item(type, { delta: WORDS, text: WORDS })),
  ...['part.added', 'text.delta', 'text.done', 'part.done'].map((part) => item(`response.reasoning_summary_${part.replace('.', '.')}`, { summary_index: 0, delta: WORDS })),
  ...['delta', 'done'].map((part) => item(`response.reasoning_text.${part}`, { delta: WORDS, text: WORDS })),
  ...['file_search_call', 'web_search_call'].flatMap((call) => ['in_progress', 'searching', 'completed'].map((state) => item(`response.${call}.${state}`))),
  ...['in_progress', 'generating', 'partial_image', 'completed'].map((state) => item(`response.image_generation_call.${state}`, { partial_image_b64: 'AA==' })),
  ...['in_progress', 'interpreting', 'completed'].map((state) => item(`response.code_interpreter_call.${state}`)),
  ...['delta', 'done'].map((part) => item(`response.code_interpreter_call_code.${part}`, { delta: WORDS, code: WORDS })),
  ...['mcp_call.in_progress', 'mcp_call.completed', 'mcp_call.failed', 'mcp_list_tools.in_progress', 'mcp_list_tools.completed', 'mcp_list_tools.failed'].map((name) => item(`response.${name}`)),
  ...['delta', 'done'].map((part) => item(`response.mcp_call_arguments.${part}`, { delta: '{}', arguments: '{}' })),
  { type: 'response.output_item.done', output_index: 1, item: { type: 'message', id: 'msg_1', content: [{ type: 'output_text', text: WORDS }] } },
  { type: 'error', code: 'server_error', message: WORDS, param: null },
  { type: 'response.incomplete', response: { id: 'resp_1', output: [DONE] } },
  { type: 'response.failed', response: { id: 'resp_1', output: [DONE] } },
  { type: 'response.completed', response: { id: 'resp_1', status: 'completed', output: [DONE], usage: { input_tokens: 5, output_tokens: 7, total_tokens: 12 } } },
]

const piece = (delta: Fields, finish: string | null = null): Fields => ({ id: 'chatcmpl_1', object: 'chat.completion.chunk', model: 'gpt-6', choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] })

/** Every field of the chunk object of Chat Completions (platform.openai.com, November 2026). */
const CHAT: readonly Fields[] = [
  piece({ role: 'assistant', content: '' }),
  piece({ content: WORDS }),
  piece({ refusal: WORDS }),
  piece({ tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: 'shell', arguments: '' } }] }),
  piece({ tool_calls: [{ index: 0, function: { arguments: '{"command":' } }] }),
  piece({ tool_calls: [{ index: 0, function: { arguments: '"ls"}' } }] }),
  piece({ function_call: null }),
  piece({}, 'tool_calls'),
  { ...piece({}), choices: [], usage: { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 } },
]

const wireOf = (events: readonly Fields[], end: string, tail: string): Buffer =>
  Buffer.from(events.map((data) => `${data['type'] === undefined ? '' : `event: ${String(data['type'])}${end}`}data: ${JSON.stringify(data)}${end}${end}`).join('') + tail.replaceAll('\n', end))

const pass = async (rules: StreamRules, chunks: readonly Buffer[]): Promise<{ passed: Buffer; judged: number }> => {
  let judged = 0
  const splitter = createEventSplitter(1024 * 1024)
  const filter = createToolUseFilter(rules, () => {
    judged += 1
    return { released: true }
  })
  const out: Buffer[] = []
  for (const chunk of chunks) for (const event of splitter.push(chunk)) out.push(...(await filter.take(readEvent(rules, event))))
  return { passed: Buffer.concat([...out, splitter.rest()]), judged }
}

const inPieces = (bytes: Buffer, size: number): Buffer[] => Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size))

test.each([
  ['Messages', messages.stream, MESSAGES, ''],
  ['Responses', responses.stream, RESPONSES, ''],
  ['Chat Completions', chat.stream, CHAT, 'data: [DONE]\n\n'],
] as const)('every documented event of %s passes unchanged to the byte, cut after every byte or anywhere, with each line end', async (_, rules, events, tail) => {
  for (const end of ['\n', '\r\n', '\r']) {
    const bytes = wireOf(events, end, tail)
    for (const size of [1, 2, 3, 7, 61, 1_000, bytes.length]) {
      const { passed, judged } = await pass(rules, inPieces(bytes, size))
      expect(passed.equals(bytes), `pieces of ${size}`).toBe(true)
      expect(judged).toBe(1)
    }
  }
})
