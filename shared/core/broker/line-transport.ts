import type { Readable, Writable } from 'node:stream'
import { parseJSONRPCMessage } from '@modelcontextprotocol/server'
import type { Transport } from '@modelcontextprotocol/server'
import { decodeLine, encodeLine } from './line-codec.ts'
import { isPlainMessage } from './plain-messages.ts'

/** Longest message either side may send, in bytes; a longer one ends that connection alone. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024

/**
 * MCP's stdio framing (one JSON message per line) over any two streams, for either role. A line that is no JSON is
 * passed over; JSON that is no message is told to `onerror`.
 * `onClosed` runs once, when the transport has closed for whatever reason: release the streams there.
 */
export const createLineTransport = (input: Readable, output: Writable, onClosed: () => void): Transport => {
  // Each message that waits for room adds a listener of its own.
  output.setMaxListeners(0)
  /** The beginning of a line whose end has not come. */
  let begun: Buffer[] = []
  let length = 0
  let isClosed = false

  const take = (line: string): void => {
    let message: unknown
    try {
      message = decodeLine(line)
    } catch {
      return
    }
    try {
      transport.onmessage?.(isPlainMessage(message) ? message : parseJSONRPCMessage(message))
    } catch (error) {
      transport.onerror?.(error as Error)
    }
  }
  const onData = (chunk: Buffer): void => {
    let start = 0
    for (let end = chunk.indexOf(0x0a); end !== -1 && !isClosed; start = end + 1, end = chunk.indexOf(0x0a, start)) {
      if (begun.length === 0) {
        take(chunk.toString('utf8', start, end))
        continue
      }
      const line = Buffer.concat([...begun, chunk.subarray(start, end)])
      begun = []
      length = 0
      take(line.toString())
    }
    if (isClosed || start === chunk.length) return
    begun.push(start === 0 ? chunk : chunk.subarray(start))
    length += chunk.length - start
    if (length <= MAX_MESSAGE_BYTES) return
    transport.onerror?.(new Error(`a message is longer than ${MAX_MESSAGE_BYTES} bytes`))
    close()
  }
  const onInputError = (error: Error): void => transport.onerror?.(error)
  /** Stays when all is closed: what fails to be written then is nobody's concern. */
  const onOutputError = (error: Error): void => {
    if (isClosed) return
    transport.onerror?.(error)
    close()
  }
  const close = (): void => {
    if (isClosed) return
    isClosed = true
    input.off('data', onData).off('error', onInputError).off('end', close).off('close', close)
    if (input.listenerCount('data') === 0) input.pause()
    begun = []
    transport.onclose?.()
    onClosed()
  }

  const transport: Transport = {
    start: async () => {
      if (input.readableEnded || input.destroyed) setImmediate(close)
      input.on('data', onData).on('error', onInputError).on('end', close).on('close', close)
      output.on('error', onOutputError)
    },
    send: async (message) => {
      if (isClosed) throw new Error('the connection is closed')
      if (output.write(`${encodeLine(message)}\n`)) return
      await new Promise<void>((resolve, reject) => {
        const settle = (): void => {
          output.off('drain', onDrain).off('error', onError).off('close', onGone)
        }
        const onDrain = (): void => {
          settle()
          resolve()
        }
        const onError = (error: Error): void => {
          settle()
          reject(error)
        }
        const onGone = (): void => onError(new Error('the connection was closed'))
        output.once('drain', onDrain).once('error', onError).once('close', onGone)
      })
    },
    close: async () => close(),
  }
  return transport
}
