import type { ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { Readable } from 'node:stream'
import { decoded } from './decode.ts'
import type { Dialect } from './dialects/dialect.ts'
import { EVENT_FRAMES } from './event-frames.ts'
import { SERVER_SENT_EVENTS } from './event-stream.ts'
import { downstreamHeaders } from './forward-headers.ts'
import { type LateSight, passEvents } from './pass-events.ts'
import { createToolUseFilter, type DeniedCall, judgeAll, type JudgeToolUse, type ReadEvent } from './tool-use-filter.ts'
import type { UpstreamAnswer } from './upstream.ts'
import { type Fields, isFields } from '../../domain/json-fields.ts'

/** Largest answer that is not streamed. */
const MAX_WHOLE_BYTES = 64 * 1024 * 1024

/** A connection between two others: what goes from the provider to the agent. */
export interface Passage {
  readonly answer: UpstreamAnswer
  readonly response: ServerResponse
  readonly gone: AbortSignal
}

/** Whether the answer is a stream of this API; throws on another's, which would pass unread. */
const isStreamOf = ({ framing }: Dialect, answer: UpstreamAnswer): boolean => {
  const type = answer.headers['content-type'] ?? ''
  if (type.startsWith(framing.contentType)) return true
  if ([SERVER_SENT_EVENTS, EVENT_FRAMES].some(({ contentType }) => type.startsWith(contentType))) throw new Error('the provider answered with a stream of another API')
  return false
}

/** Passes on what is not billed, as it comes. */
export const passThrough = async ({ answer, response, gone }: Passage): Promise<void> => {
  response.writeHead(answer.statusCode ?? 502, downstreamHeaders(answer.headers))
  await pipeline(answer, response, { end: false, signal: gone })
}

const readWhole = async (source: Readable, onBytes: (count: number) => void): Promise<Buffer> => {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of source as AsyncIterable<Buffer>) {
    onBytes(part.length)
    size += part.length
    if (size > MAX_WHOLE_BYTES) throw new Error('an answer of the model is above 64 MB')
    parts.push(part)
  }
  return Buffer.concat(parts)
}

const fieldsOf = (body: Buffer): Fields | null => {
  try {
    const json: unknown = JSON.parse(body.toString('utf8'))
    return isFields(json) ? json : null
  } catch {
    return null
  }
}

/** What came is metered once it has been passed on; before a call is judged, all that came with it. */
const createLateSight = (deps: { see: (json: Fields) => void; onBytes: (count: number) => void }): LateSight => {
  let came: readonly ReadEvent[] = []
  return {
    came: (events) => (came = came.length === 0 ? events : [...came, ...events]),
    catchUp: () => {
      const now = came
      came = []
      for (const { event, json } of now) {
        deps.onBytes(event.raw.length)
        if (json !== null) deps.see(json)
      }
    },
  }
}

/**
 * Passes a model's answer on: calls that the judge releases as they came, the others under an unknown name. `see` hears
 * what may tell of usage, and `onBytes` how much came. Rejects when either side breaks off; `onBroken` was called first.
 */
export const passJudged = async (
  { answer, response, gone }: Passage,
  dialect: Dialect,
  deps: { judge: JudgeToolUse; see: (json: Fields) => void; onBytes: (count: number) => void; onBroken: () => void },
): Promise<void> => {
  const { 'content-length': _, 'content-encoding': coding, ...headers } = downstreamHeaders(answer.headers)
  const source = decoded(answer, coding)
  const status = answer.statusCode ?? 502
  if (isStreamOf(dialect, answer)) {
    response.writeHead(status, headers)
    // Alone only where the first event does not come with it.
    setImmediate(() => response.flushHeaders())
    const seen = createLateSight(deps)
    const judge: JudgeToolUse = (call) => {
      seen.catchUp()
      return deps.judge(call)
    }
    const filter = createToolUseFilter(dialect.stream, judge)
    await passEvents({ source, response, gone, framing: dialect.framing, rules: dialect.stream, filter, ping: dialect.ping, seen, onBroken: deps.onBroken })
    return
  }
  const body = await readWhole(source, deps.onBytes)
  const json = fieldsOf(body)
  if (json !== null) deps.see(json)
  const denied = new Map<string, DeniedCall>()
  if (json !== null) {
    const broken = (): void => deps.onBroken()
    gone.addEventListener('abort', broken, { once: true })
    await judgeAll(deps.judge, dialect.wholeCalls(json), dialect.wholeWords(json), denied)
    gone.removeEventListener('abort', broken)
  }
  const passed = denied.size === 0 || json === null ? body : Buffer.from(JSON.stringify(dialect.denyWhole(json, denied)))
  response.writeHead(status, { ...headers, 'content-length': passed.length })
  response.write(passed)
}
