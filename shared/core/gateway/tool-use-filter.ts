import { setTimeout as delay } from 'node:timers/promises'
import { DENIED_TOOL, type DeniedInput } from '../../domain/denied-tool-use.ts'

/** A tool call as the model asked for it. */
export interface ToolUse {
  readonly id: string
  readonly tool: string
  readonly input: unknown
}

export type ToolUseVerdict = { readonly released: true } | { readonly released: false; readonly reason: string }

/** Never rejects: what cannot be judged is not released. At once where nobody has to be asked. */
export type JudgeToolUse = (call: ToolUse) => ToolUseVerdict | Promise<ToolUseVerdict>

/** Claude Code gives a silent stream up; a ping every so often, in ms, keeps a held one. */
const PING_MS = 5_000
const PING = Buffer.from('event: ping\ndata: {"type": "ping"}\n\n')
/** Largest event, held block and whole answer. */
const MAX_BYTES = 64 * 1024 * 1024

interface Event {
  readonly raw: Buffer
  /** The JSON of its `data`; undefined when it is none, or a delta that nobody has to look into. */
  readonly data: Record<string, unknown> | undefined
}

interface Held {
  readonly index: unknown
  readonly block: Record<string, unknown>
  readonly events: Event[]
  readonly parts: string[]
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

const DELTA = Buffer.from('data: {"type":"content_block_delta"')

/** `data` of one event (WHATWG HTML, server-sent events), its lines ended in any of the three ways. */
const dataOf = (raw: Buffer): Record<string, unknown> | undefined => {
  const lines = raw.toString('utf8').split(/\r\n|\n|\r/)
  const data = lines.filter((line) => line.startsWith('data:')).map((line) => line.slice(line.startsWith('data: ') ? 6 : 5))
  try {
    const value: unknown = JSON.parse(data.join('\n'))
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Where the event that begins the buffer ends, past its blank line; -1 while that has not come. */
const endOfEvent = (buffer: Buffer, from: number): number => {
  const ends = ['\n\n', '\r\n\r\n', '\r\r'].map((blank) => {
    const at = buffer.indexOf(blank, Math.max(0, from - 3))
    return at === -1 ? Infinity : at + blank.length
  })
  const end = Math.min(...ends)
  return end === Infinity ? -1 : end
}

const toolUseOf = (block: Record<string, unknown>, input: unknown): ToolUse => ({ id: String(block['id']), tool: String(block['name']), input })

const deniedBlock = (block: Record<string, unknown>, call: ToolUse, reason: string): Record<string, unknown> => {
  const input: DeniedInput = { tool: call.tool, input: call.input, reason }
  return { ...block, name: DENIED_TOOL, input }
}

const eventFrom = (data: Record<string, unknown>): Buffer => Buffer.from(`event: ${String(data['type'])}\ndata: ${JSON.stringify(data)}\n\n`)

/** The events of a denied block, in the form that the API streams a block. */
const deniedEvents = (held: Held, call: ToolUse, reason: string): Buffer[] => {
  const { input, ...block } = deniedBlock(held.block, call, reason)
  return [
    { type: 'content_block_start', index: held.index, content_block: { ...block, input: {} } },
    { type: 'content_block_delta', index: held.index, delta: { type: 'input_json_delta', partial_json: JSON.stringify(input) } },
    { type: 'content_block_stop', index: held.index },
  ].map(eventFrom)
}

const inputOf = (held: Held): { ok: true; input: unknown } | { ok: false } => {
  const text = held.parts.join('')
  try {
    return { ok: true, input: text === '' ? (held.block['input'] ?? {}) : JSON.parse(text) }
  } catch {
    return { ok: false }
  }
}

const judged = async (judge: JudgeToolUse, call: ToolUse): Promise<ToolUseVerdict> => {
  try {
    return await judge(call)
  } catch {
    return { released: false, reason: 'Denied by Holdfast: the call could not be judged.' }
  }
}

const NOT_JSON = 'Denied by Holdfast: the input of the call is not JSON.'

/**
 * Passes a streamed answer on, each `tool_use` block held back until it is whole and judged: a released block passes as
 * it came, to the byte, a denied one under an unknown name. Everything else passes at once and untouched. A block that
 * never ends is never shown. Throws on an event above 64 MB.
 */
export async function* filterToolUses(chunks: AsyncIterable<Buffer>, judge: JudgeToolUse): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  let held: Held | null = null
  let heldBytes = 0

  async function* release(block: Held): AsyncGenerator<Buffer> {
    const own = block.events.filter(({ data }) => data === undefined || data['index'] === block.index || data['index'] === undefined)
    const others = block.events.filter((event) => !own.includes(event))
    const parsed = inputOf(block)
    const call = toolUseOf(block.block, parsed.ok ? parsed.input : null)
    let verdict: ToolUseVerdict | null = parsed.ok ? null : { released: false, reason: NOT_JSON }
    const pending = verdict === null ? judged(judge, call) : null
    while (verdict === null && pending !== null) {
      const over = new AbortController()
      const ping = delay(PING_MS, null, { signal: over.signal }).catch(() => null)
      verdict = await Promise.race([pending, ping])
      over.abort()
      if (verdict === null) yield PING
    }
    if (verdict?.released === true) yield Buffer.concat(own.map(({ raw }) => raw))
    else if (verdict !== null) yield* deniedEvents(block, call, verdict.reason)
    for (const event of others) yield* take(event)
  }

  async function* take(event: Event): AsyncGenerator<Buffer> {
    const { raw, data } = event
    if (held !== null) {
      heldBytes += raw.length
      if (heldBytes > MAX_BYTES) throw new Error('a tool call of the model is above 64 MB')
      held.events.push(event)
      if (data === undefined || data['index'] !== held.index) return
      const delta = data['delta']
      if (isRecord(delta) && typeof delta['partial_json'] === 'string') held.parts.push(delta['partial_json'])
      if (data['type'] !== 'content_block_stop') return
      const whole = held
      held = null
      yield* release(whole)
      return
    }
    const block = data?.['type'] === 'content_block_start' ? data['content_block'] : undefined
    if (isRecord(block) && block['type'] === 'tool_use') {
      held = { index: data?.['index'], block, events: [event], parts: [] }
      heldBytes = raw.length
      return
    }
    yield raw
  }

  for await (const chunk of chunks) {
    const seen = rest.length
    let buffer = seen === 0 ? chunk : Buffer.concat([rest, chunk])
    let from = seen
    let passed = 0
    for (let end = endOfEvent(buffer, from); end !== -1; end = endOfEvent(buffer, from)) {
      const raw = buffer.subarray(0, end)
      const isQuiet = held === null && raw.includes(DELTA)
      if (isQuiet) yield raw
      else yield* take({ raw, data: dataOf(raw) })
      buffer = buffer.subarray(end)
      from = 0
      passed += 1
    }
    rest = passed === 0 && seen > 0 ? buffer : Buffer.from(buffer)
    if (rest.length > MAX_BYTES) throw new Error('an event of the model is above 64 MB')
  }
  if (held === null && rest.length > 0) yield rest
}

/** The same for an answer that is not streamed; the bytes as they came when nothing in it is denied. */
export const filterWholeAnswer = async (body: Buffer, judge: JudgeToolUse): Promise<Buffer> => {
  let message: unknown
  try {
    message = JSON.parse(body.toString('utf8'))
  } catch {
    return body
  }
  if (!isRecord(message) || !Array.isArray(message['content'])) return body
  let isChanged = false
  const content: unknown[] = []
  for (const block of message['content'] as unknown[]) {
    if (!isRecord(block) || block['type'] !== 'tool_use') {
      content.push(block)
      continue
    }
    const call = toolUseOf(block, block['input'])
    const verdict = await judged(judge, call)
    content.push(verdict.released ? block : deniedBlock(block, call, verdict.reason))
    isChanged ||= !verdict.released
  }
  return isChanged ? Buffer.from(JSON.stringify({ ...message, content })) : body
}
