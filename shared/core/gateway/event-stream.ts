/** One event of a stream (WHATWG HTML, server-sent events); those in a row that have no data, and so say nothing, are as one. */
export interface StreamEvent {
  /** Its bytes as they came, its blank line included. */
  readonly raw: Buffer
  /** How many `data` lines it has; `data` is the bytes of the last one's value. */
  readonly dataLines: number
  readonly data: Buffer
}

/** What an event takes in memory besides its bytes, about: many small ones fill it too. */
const EVENT_OVERHEAD_BYTES = 256

/** What it takes to keep an event, in bytes. */
export const keptBytes = ({ raw }: StreamEvent): number => raw.length + EVENT_OVERHEAD_BYTES

/** Cuts a stream into events. */
export interface EventSplitter {
  /** The events that these bytes complete. Throws RangeError when one is above the limit. */
  push(chunk: Buffer): readonly StreamEvent[]
  /** What came after the last event. Throws RangeError where nothing may. */
  rest(): Buffer
}

/** How a stream's events stand in its bytes. */
export interface Framing {
  /** Of answers that are such a stream. */
  readonly contentType: string
  split(maxBytes: number): EventSplitter
}

const LF = 10
const CR = 13
const COLON = 58
const SPACE = 32
const NOTHING = Buffer.alloc(0)
const DATA = [100, 97, 116, 97] as const
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf] as const

const beginsWith = (bytes: Buffer, at: number, what: readonly number[]): boolean => what.every((byte, index) => bytes[at + index] === byte)

/** The value of an event's `data`, null when it has none. */
export const dataText = ({ raw, dataLines, data }: StreamEvent): string | null => {
  if (dataLines === 0) return null
  if (dataLines === 1) return data.toString('utf8')
  const lines = raw.toString('utf8').split(/\r\n|\n|\r/)
  return lines.filter((line) => /^data(:|$)/.test(line)).map((line) => line.slice(line.startsWith('data: ') ? 6 : 5)).join('\n')
}

/**
 * Cuts a stream into events, wherever its chunks are cut, with lines ended by LF, CR or CRLF, mixed too: whoever reads
 * it after us must never see an event where we saw none. Bytes are shared with the chunks, not copied, where one holds
 * an event whole.
 */
export const createEventSplitter = (maxBytes: number): EventSplitter => {
  /** Bytes of the event that has begun; `kept` of them count. */
  let buffer: Buffer = NOTHING
  let kept = 0
  /** In the event that has begun: where its unfinished line begins, and from where a line's end is still to be found. */
  let line = 0
  let searched = 0
  let dataLines = 0
  let dataFrom = 0
  let dataTo = 0
  let isFirstLine = true
  let afterCr = false

  const joined = (chunk: Buffer): Buffer => {
    if (kept === 0) return chunk
    const size = kept + chunk.length
    if (size > buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(size, buffer.length * 2))
      buffer.copy(larger, 0, 0, kept)
      buffer = larger
    }
    chunk.copy(buffer, kept)
    kept = size
    return buffer.subarray(0, size)
  }

  const endLine = (bytes: Buffer, to: number): void => {
    const from = isFirstLine && beginsWith(bytes, line, BYTE_ORDER_MARK) ? line + 3 : line
    isFirstLine = false
    if (!beginsWith(bytes, from, DATA)) return
    const after = from + DATA.length
    if (after !== to && bytes[after] !== COLON) return
    dataLines += 1
    dataFrom = Math.min(to, bytes[after + 1] === SPACE ? after + 2 : after + 1)
    dataTo = to
  }

  return {
    push(chunk) {
      const events: StreamEvent[] = []
      const bytes = joined(chunk)
      let begin = 0
      let silentTo = 0
      const addSilent = (): void => {
        if (silentTo <= begin) return
        events.push({ raw: bytes.subarray(begin, silentTo), dataLines: 0, data: NOTHING })
        begin = silentTo
      }
      if (afterCr && bytes[line] === LF) {
        line += 1
        searched = line
      }
      if (chunk.length > 0) afterCr = false
      let lf = bytes.indexOf(LF, searched)
      let cr = bytes.indexOf(CR, searched)
      while (lf !== -1 || cr !== -1) {
        const end = cr === -1 || (lf !== -1 && lf < cr) ? lf : cr
        const next = end === cr && bytes[end + 1] === LF ? end + 2 : end + 1
        afterCr = end === cr && next === bytes.length && next === end + 1
        if (end > line) endLine(bytes, end)
        else {
          if (dataLines === 0) silentTo = next
          else {
            addSilent()
            events.push({ raw: bytes.subarray(begin, next), dataLines, data: bytes.subarray(dataFrom, dataTo) })
            begin = next
          }
          dataLines = 0
          dataFrom = next
          dataTo = next
        }
        line = next
        if (lf !== -1 && lf < next) lf = bytes.indexOf(LF, next)
        if (cr !== -1 && cr < next) cr = bytes.indexOf(CR, next)
      }
      addSilent()
      searched = bytes.length
      if (bytes.length - begin > maxBytes) throw new RangeError(`an event is above ${maxBytes} bytes`)
      if (begin > 0 || kept === 0) {
        buffer = bytes.subarray(begin)
        kept = buffer.length
        line -= begin
        searched -= begin
        dataFrom -= begin
        dataTo -= begin
      }
      return events
    },
    rest: () => buffer.subarray(0, kept),
  }
}

export const SERVER_SENT_EVENTS: Framing = { contentType: 'text/event-stream', split: createEventSplitter }
