import type { Readable } from 'node:stream'

/**
 * A stream's chunks, read as they come and kept until they are wanted, while no more than `limit()` bytes wait: so that
 * a sender is not held up, nor given up, by who takes them slowly. `onChunk` hears each at once. Throws when the stream
 * breaks off.
 */
export async function* readAhead(stream: Readable, limit: () => number, onChunk: (chunk: Buffer) => void): AsyncGenerator<Buffer> {
  const waiting: Buffer[] = []
  let bytes = 0
  let end: { readonly fault: Error | null } | null = null
  let wake = (): void => undefined
  const finish = (fault: Error | null): void => {
    end ??= { fault }
    wake()
  }
  stream.on('data', (chunk: Buffer) => {
    onChunk(chunk)
    waiting.push(chunk)
    bytes += chunk.length
    if (bytes > limit()) stream.pause()
    wake()
  })
  stream.once('end', () => finish(null))
  stream.once('error', finish)
  stream.once('close', () => finish(new Error('the answer broke off')))
  try {
    for (;;) {
      const chunk = waiting.shift()
      if (chunk !== undefined) {
        bytes -= chunk.length
        if (stream.isPaused() && bytes <= limit() / 2) stream.resume()
        yield chunk
        continue
      }
      const over = end as { readonly fault: Error | null } | null
      if (over !== null) {
        if (over.fault !== null) throw over.fault
        return
      }
      const { promise, resolve } = Promise.withResolvers<void>()
      wake = resolve
      await promise
    }
  } finally {
    stream.destroy()
  }
}
