import type { Readable, Writable } from 'node:stream'
import { parseJSONRPCMessage } from '@modelcontextprotocol/server'
import type { Transport } from '@modelcontextprotocol/server'
import { decodeLine, encodeLine } from './line-codec.ts'
import { isPlainMessage } from './plain-messages.ts'

/** Longest message either side may send, in bytes; a longer one ends that connection alone. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024
/** How much may wait for a side that does not read, in bytes: more than that only answers, and of them no more than twice it. */
const MAX_UNREAD_BYTES = 32 * 1024 * 1024
/** The room for the next long line is kept up to this size, in bytes. */
const MAX_KEPT_BYTES = 512 * 1024
const NO_ROOM = Buffer.alloc(0)

/**
 * MCP's stdio framing (one JSON message per line) over any two streams, for either role. A line that is no JSON is
 * passed over; JSON that is no message is told to `onerror`. To a side that does not read, requests and notifications
 * fail to be sent; where an answer would, the connection ends: who waits for it would wait for ever.
 * `onClosed` runs once, when the transport has closed for whatever reason: release the streams there.
 */
export const createLineTransport = (input: Readable, output: Writable, onClosed: () => void): Transport => {
  // Each message that waits for room adds a listener of its own.
  output.setMaxListeners(0)
  /** The beginning of a line whose end has not come, and room for more of it: the pieces themselves could be a byte long each. */
  let begun = NO_ROOM
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
  const keep = (piece: Buffer): void => {
    if (length + piece.length > begun.length) {
      const larger = Buffer.allocUnsafe(2 * (length + piece.length))
      begun.copy(larger, 0, 0, length)
      begun = larger
    }
    piece.copy(begun, length)
    length += piece.length
  }
  const onData = (chunk: Buffer): void => {
    let start = 0
    for (let end = chunk.indexOf(0x0a); end !== -1 && !isClosed; start = end + 1, end = chunk.indexOf(0x0a, start)) {
      if (length === 0) {
        take(chunk.toString('utf8', start, end))
        continue
      }
      keep(chunk.subarray(start, end))
      const line = begun.toString('utf8', 0, length)
      length = 0
      if (begun.length > MAX_KEPT_BYTES) begun = NO_ROOM
      take(line)
    }
    if (isClosed || start === chunk.length) return
    keep(chunk.subarray(start))
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
    begun = NO_ROOM
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
      const isAnswer = !('method' in message)
      if (output.writableLength > MAX_UNREAD_BYTES * (isAnswer ? 2 : 1)) {
        if (isAnswer) {
          output.destroy()
          close()
        }
        throw new Error('the other side does not read what it is sent')
      }
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
