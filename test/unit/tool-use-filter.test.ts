import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chat } from '../../shared/core/gateway/dialects/chat.ts'
import { messages } from '../../shared/core/gateway/dialects/messages.ts'
import { messagesStream } from '../../shared/core/gateway/dialects/messages-stream.ts'
import { responses } from '../../shared/core/gateway/dialects/responses.ts'
import { createEventSplitter } from '../../shared/core/gateway/event-stream.ts'
import { createToolUseFilter, readEvent, type JudgeToolUse, type ToolUse } from '../../shared/core/gateway/tool-use-filter.ts'
import { restoreDenied } from '../../shared/domain/denied-tool-use.ts'
import { cut } from '../support/stream.ts'

const event = (data: Record<string, unknown>, end = '\n') => `event: ${String(data['type'])}${end}data: ${JSON.stringify(data)}${end}${end}`
const toolUse = (index: number, id: string, name: string, input: unknown, end = '\n', pieces = 3) => {
  const json = JSON.stringify(input)
  const size = Math.max(1, Math.ceil(json.length / pieces))
  const parts = json.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? []
  return [
    event({ type: 'content_block_start', index, content_block: { type: 'tool_use', id, name, input: {} } }, end),
    ...parts.map((partial_json) => event({ type: 'content_block_delta', index, delta: { type: 'input_json_delta', partial_json } }, end)),
    event({ type: 'content_block_stop', index }, end),
  ].join('')
}
const text = (index: number, words: string, end = '\n') =>
  event({ type: 'content_block_start', index, content_block: { type: 'text', text: '' } }, end) +
  event({ type: 'content_block_delta', index, delta: { type: 'text_delta', text: words } }, end) +
  event({ type: 'content_block_stop', index }, end)
const start = (end = '\n') => event({ type: 'message_start', message: { type: 'message', id: 'msg_1' } }, end)
const stop = (end = '\n') => event({ type: 'message_stop' }, end)

const passedOf = async (chunks: readonly Buffer[], judge: JudgeToolUse, onPassed: (text: string) => void = () => undefined): Promise<string> => {
  const splitter = createEventSplitter(1024 * 1024)
  const filter = createToolUseFilter(messagesStream, judge)
  const out: Buffer[] = []
  for (const chunk of chunks) {
    for (const event of splitter.push(chunk)) {
      const passed = await filter.take(readEvent(messagesStream, event))
      out.push(...passed)
      onPassed(Buffer.concat(passed).toString())
    }
  }
  if (!filter.isHolding) out.push(splitter.rest())
  return Buffer.concat(out).toString()
}
const filtered = (stream: string, judge: JudgeToolUse, sizes: readonly number[] = []): Promise<string> => passedOf(cut(Buffer.from(stream), sizes), judge)
const releaseAll: JudgeToolUse = () => ({ released: true })
const denyBash: JudgeToolUse = ({ tool }) => (tool === 'Bash' ? { released: false, reason: 'no' } : { released: true })

describe('a streamed answer', () => {
  test('passes unchanged to the byte when every call is released, however its bytes are cut and its lines are ended', async () => {
    const unknown = 'event: from_the_future\ndata: {"type":"from_the_future","index":0,"x":[1.0,"é\\u0000"]}\n\n: a comment\n\ndata: not json\n\n'
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }), fc.constantFrom('\n', '\r\n', '\r'), fc.string(), async (sizes, end, words) => {
        const stream = start(end) + text(0, words, end) + toolUse(1, 'toolu_1', 'Bash', { command: words }, end) + unknown + toolUse(2, 'toolu_2', 'Read', {}, end) + stop(end)
        expect(await filtered(stream, releaseAll, sizes)).toBe(stream)
      }),
    )
  })

  test('each call is judged whole, at its own end and before anything that follows it', async () => {
    const seen: ToolUse[] = []
    const out: string[] = []
    const stream = start() + text(0, 'hello') + toolUse(1, 'toolu_1', 'Bash', { command: 'rm -rf "é"' }) + toolUse(2, 'toolu_2', 'Read', { file_path: 'a' }) + stop()
    const shownAtJudgement: boolean[] = []
    const judge: JudgeToolUse = (call) => {
      seen.push(call)
      shownAtJudgement.push(out.join('').includes(call.id))
      return { released: true }
    }
    await passedOf(cut(Buffer.from(stream), [7]), judge, (text) => out.push(text))
    expect(seen).toEqual([
      { id: 'toolu_1', tool: 'Bash', input: { command: 'rm -rf "é"' }, words: { text: 'hello', thinking: '' } },
      { id: 'toolu_2', tool: 'Read', input: { file_path: 'a' }, words: { text: 'hello', thinking: '' } },
    ])
    expect(shownAtJudgement).toEqual([false, false])
  })

  test('a denied call arrives under an unknown name, its neighbours as they came, and history puts it back', async () => {
    const before = start() + text(0, 'hello')
    const after = toolUse(2, 'toolu_2', 'Read', { file_path: 'a' }) + stop()
    const out = await filtered(before + toolUse(1, 'toolu_1', 'Bash', { command: 'rm -rf x' }) + after, denyBash, [11])
    expect(out.startsWith(before)).toBe(true)
    expect(out.endsWith(after)).toBe(true)
    const middle = out.slice(before.length, out.length - after.length)
    const datas = middle.trim().split('\n\n').map((one) => JSON.parse(one.split('data: ')[1] ?? '') as Record<string, Record<string, unknown>>)
    expect(datas.map(({ type }) => type)).toEqual(['content_block_start', 'content_block_delta', 'content_block_stop'])
    expect(datas[0]?.['content_block']).toEqual({ type: 'tool_use', id: 'toolu_1', name: 'HoldfastDenied', input: {} })
    const input = JSON.parse(String(datas[1]?.['delta']?.['partial_json'])) as unknown
    const history = [
      { role: 'user', content: 'do it' },
      { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'HoldfastDenied', input, cache_control: { type: 'ephemeral' } }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: 'No such tool', is_error: true }, { type: 'text', text: 'go on' }] },
    ]
    expect(restoreDenied(history)).toEqual([
      { role: 'user', content: 'do it' },
      { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'Bash', input: { command: 'rm -rf x' }, cache_control: { type: 'ephemeral' } }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: 'no', is_error: true }, { type: 'text', text: 'go on' }] },
    ])
    expect(restoreDenied(history.slice(0, 1))).toBe(null)
  })

  test('a call whose input is not JSON, that cannot be judged, or that never ends, is not released', async () => {
    const broken = event({ type: 'content_block_start', index: 0, content_block: { type: 'tool_use', id: 't', name: 'Bash', input: {} } }) + event({ type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json: '{"command":' } })
    const ended = broken + event({ type: 'content_block_stop', index: 0 })
    expect(await filtered(ended, releaseAll)).toContain('HoldfastDenied')
    expect(await filtered(start() + broken, releaseAll)).toBe(start())
    expect(await filtered(toolUse(0, 't', 'Bash', {}), () => Promise.reject(new Error('x')))).toContain('HoldfastDenied')
  })

  test('a second call hidden between the events of a first is judged too', async () => {
    const first = toolUse(0, 'toolu_1', 'Read', {}).split('\n\n').filter(Boolean).map((one) => `${one}\n\n`)
    const out = await filtered([first[0], toolUse(1, 'toolu_2', 'Bash', { command: 'x' }), ...first.slice(1)].join(''), denyBash)
    expect(out).not.toContain('"Bash","input":{}')
    expect(out).toContain('HoldfastDenied')
  })
})

describe('a whole answer', () => {
  const message = { id: 'msg_1', type: 'message', content: [{ type: 'text', text: 'x' }, { type: 'tool_use', id: 'toolu_1', name: 'Bash', input: { command: 'x' } }] }

  test('shows its calls, and a denied one under an unknown name', () => {
    const [call] = messages.wholeCalls(message)
    expect(call).toEqual({ id: 'toolu_1', tool: 'Bash', input: { command: 'x' } })
    if (call === undefined) throw new Error('no call')
    expect(messages.denyWhole(message, new Map([['toolu_1', { call, reason: 'no' }]]))['content']).toEqual([
      { type: 'text', text: 'x' },
      { type: 'tool_use', id: 'toolu_1', name: 'HoldfastDenied', input: { tool: 'Bash', input: { command: 'x' }, reason: 'no' } },
    ])
  })
})

test('what the model said and thought before a call is read from an answer that is not streamed, in each API', () => {
  const call = { type: 'tool_use', id: 't', name: 'Bash', input: {} }
  expect(messages.wholeWords({ content: [{ type: 'thinking', thinking: 'Old.' }, { type: 'text', text: 'I tidy.' }, call] })).toEqual({ text: 'I tidy.', thinking: 'Old.' })
  expect(chat.wholeWords({ choices: [{ message: { content: 'I tidy.', reasoning_content: 'Old.', tool_calls: [] } }] })).toEqual({ text: 'I tidy.', thinking: 'Old.' })
  expect(responses.wholeWords({ output: [{ type: 'reasoning', summary: [{ type: 'summary_text', text: 'Old.' }] }, { type: 'message', content: [{ type: 'output_text', text: 'I tidy.' }] }] })).toEqual({ text: 'I tidy.', thinking: 'Old.' })
  expect(messages.wholeWords({ content: 'odd' })).toEqual({ text: '', thinking: '' })
})

describe('a call whose arguments a person changed', () => {
  const CHANGED = { command: 'ls' }
  const change: JudgeToolUse = ({ tool }) => (tool === 'Bash' ? { released: true, changedInput: { value: CHANGED } } : { released: true })
  const known = (id: string) => (id === 'call_1' ? { tool: 'Bash', input: { command: 'rm -rf x' }, changed: CHANGED } : null)
  const NOTE = 'The user changed the arguments of this call before it ran. It ran with: {"command":"ls"}'
  const streamed = async (rules: typeof messagesStream, frames: readonly unknown[]): Promise<Record<string, unknown>[]> => {
    const splitter = createEventSplitter(1024 * 1024)
    const filter = createToolUseFilter(rules, change)
    const out: Buffer[] = []
    for (const one of splitter.push(Buffer.from(frames.map((frame) => `data: ${JSON.stringify(frame)}\n\n`).join('')))) out.push(...(await filter.take(readEvent(rules, one))))
    return Buffer.concat(out).toString().trim().split('\n\n').map((frame) => JSON.parse(frame.split('data: ')[1] ?? '') as Record<string, unknown>)
  }

  test('reaches the agent so in the Messages API, streamed and whole, and its neighbours as they came', async () => {
    const after = toolUse(2, 'toolu_2', 'Read', { file_path: 'a' }) + stop()
    const out = await filtered(start() + toolUse(1, 'call_1', 'Bash', { command: 'rm -rf x' }) + after, change)
    expect(out).toBe(start() + toolUse(1, 'call_1', 'Bash', CHANGED, '\n', 1) + after)
    const call = { id: 'call_1', tool: 'Bash', input: { command: 'rm -rf x' } }
    const message = { content: [{ type: 'tool_use', id: 'call_1', name: 'Bash', input: call.input }] }
    expect(messages.denyWhole(message, new Map([['call_1', { call, reason: '', changed: { value: CHANGED } }]]))).toEqual({ content: [{ type: 'tool_use', id: 'call_1', name: 'Bash', input: CHANGED }] })
  })

  test('reaches the agent so in Chat Completions', async () => {
    const piece = (call: unknown, finish: string | null = null) => ({ choices: [{ index: 0, delta: { tool_calls: [call] }, finish_reason: finish }] })
    const out = await streamed(chat.stream, [piece({ index: 0, id: 'call_1', type: 'function', function: { name: 'Bash', arguments: '{"command":' } }), piece({ index: 0, function: { arguments: '"rm -rf x"}' } }), { choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] }])
    const calls = out.flatMap(({ choices }) => (choices as { delta: { tool_calls?: { function: unknown }[] } }[]).flatMap(({ delta }) => delta.tool_calls ?? []))
    expect(calls.map((call) => call.function)).toEqual([{ name: 'Bash', arguments: '{"command":"ls"}' }])
  })

  test('reaches the agent so in Responses, also where the last event shows it again', async () => {
    const item = { type: 'function_call', id: 'fc_1', call_id: 'call_1', status: 'completed', name: 'Bash', arguments: '{"command":"rm -rf x"}' }
    const out = await streamed(responses.stream, [
      { type: 'response.output_item.added', output_index: 0, item: { ...item, arguments: '' } },
      { type: 'response.output_item.done', output_index: 0, item },
      { type: 'response.completed', response: { output: [item] } },
    ])
    expect(JSON.stringify(out)).not.toContain('rm -rf')
    expect(out.at(-1)).toEqual({ type: 'response.completed', response: { output: [{ ...item, arguments: '{"command":"ls"}' }] } })
  })

  test('is on the way up as the model made it, its result saying what ran, in each API', () => {
    expect(messages.putBack({ messages: [
      { role: 'assistant', content: [{ type: 'tool_use', id: 'call_1', name: 'Bash', input: CHANGED }, { type: 'tool_use', id: 'call_2', name: 'Bash', input: CHANGED }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'call_1', content: 'a.txt' }, { type: 'tool_result', tool_use_id: 'call_2', content: 'b.txt' }] },
    ] }, known)).toEqual({ messages: [
      { role: 'assistant', content: [{ type: 'tool_use', id: 'call_1', name: 'Bash', input: { command: 'rm -rf x' } }, { type: 'tool_use', id: 'call_2', name: 'Bash', input: CHANGED }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'call_1', content: `${NOTE}\na.txt` }, { type: 'tool_result', tool_use_id: 'call_2', content: 'b.txt' }] },
    ] })
    expect(chat.putBack({ messages: [
      { role: 'assistant', tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'Bash', arguments: '{"command":"ls"}' } }] },
      { role: 'tool', tool_call_id: 'call_1', content: 'a.txt' },
    ] }, known)).toMatchObject({ messages: [{ tool_calls: [{ function: { name: 'Bash', arguments: '{"command":"rm -rf x"}' } }] }, { content: `${NOTE}\na.txt` }] })
    expect(responses.putBack({ input: [
      { type: 'function_call', call_id: 'call_1', name: 'Bash', arguments: '{"command":"ls"}' },
      { type: 'function_call_output', call_id: 'call_1', output: 'a.txt' },
    ] }, known)).toMatchObject({ input: [{ arguments: '{"command":"rm -rf x"}' }, { output: `${NOTE}\na.txt` }] })
  })
})
