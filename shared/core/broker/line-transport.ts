import type { Readable, Writable } from 'node:stream'
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio'

/** Longest message either side may send, in bytes; a longer one ends that connection alone. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024

/**
 * MCP's stdio framing (one JSON message per line) over any two streams, for either role.
 * `onClosed` runs once, when the transport has closed for whatever reason: release the streams there.
 */
export const createLineTransport = (input: Readable, output: Writable, onClosed: () => void): StdioServerTransport => {
  // Each message that waits for room adds a listener of its own.
  output.setMaxListeners(0)
  const transport = new StdioServerTransport(input, output, { maxBufferSize: MAX_MESSAGE_BYTES })
  const close = transport.close.bind(transport)
  transport.close = async () => {
    await close()
    onClosed()
  }
  return transport
}
