export interface InputLine {
  /** Counted from 1. */
  readonly number: number
  /** null when it is longer than allowed; it is then skipped, not kept. */
  readonly text: string | null
}

const NEW_LINE = 0x0a

/** The lines of a stream as they come, each of at most `maxBytes`; holds no more than one of them. */
export async function* readLines(stream: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<InputLine> {
  let number = 1
  let parts: Uint8Array[] = []
  let size = 0
  const take = (part: Uint8Array): void => {
    size += part.length
    if (size > maxBytes) parts = []
    else if (part.length > 0) parts.push(part)
  }
  const line = (): InputLine => {
    const text = size > maxBytes ? null : Buffer.concat(parts).toString('utf8').replace(/\r$/, '')
    parts = []
    size = 0
    return { number: number++, text }
  }
  for await (const chunk of stream) {
    let begin = 0
    for (let end = chunk.indexOf(NEW_LINE); end !== -1; end = chunk.indexOf(NEW_LINE, begin)) {
      take(chunk.subarray(begin, end))
      begin = end + 1
      yield line()
    }
    take(chunk.subarray(begin))
  }
  if (size > 0) yield line()
}
