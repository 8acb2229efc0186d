import type { Socket } from 'node:net'
import type { FrameSocket } from '../../contract/client.ts'
import { HoldfastError } from '../../contract/errors.ts'
import { MAX_FRAME_BYTES } from '../../contract/protocol.ts'

/** The host's end of a transport: what serveConnection needs beyond sending and receiving. */
export interface HostFrameSocket extends FrameSocket {
  /** Sent, but not yet taken by the other side. */
  readonly bufferedBytes: number
  /** Called each time everything sent has been taken. */
  onDrain(listener: () => void): void
  /** Ends the connection at once; what is still unsent is lost. */
  drop(why: string): void
}

const NEWLINE = 0x0a

/** How long a closed connection waits for the other side to close as well. */
const LINGER_MS = 1_000

/**
 * Cuts a stream of bytes into frames: UTF-8 text, each ended by a newline, at most MAX_FRAME_BYTES long.
 * The returned function takes the next bytes; it throws HoldfastError `bad-params` on a longer frame or other bytes,
 * and the stream is then of no more use.
 */
export const createFrameReader = (onFrame: (frame: string) => void): ((chunk: Buffer) => void) => {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let parts: Buffer[] = []
  let length = 0

  const keep = (part: Buffer) => {
    length += part.length
    if (length > MAX_FRAME_BYTES)
      throw new HoldfastError('bad-params', `A frame was longer than ${MAX_FRAME_BYTES} bytes.`)
    if (part.length > 0) parts.push(part)
  }

  const takeFrame = (): string => {
    const bytes = parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)
    parts = []
    length = 0
    try {
      return decoder.decode(bytes)
    } catch {
      throw new HoldfastError('bad-params', 'A frame was not UTF-8 text.')
    }
  }

  return (chunk) => {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      keep(chunk.subarray(start, end))
      start = end + 1
      onFrame(takeFrame())
    }
    keep(chunk.subarray(start))
  }
}

/**
 * Ends a connection so that the other side still gets what was sent: closed with input unread, a Unix socket answers
 * its next write with EPIPE and it may never read the reason. What still comes is thrown away.
 */
const endGently = (socket: Socket): void => {
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('close', () => clearTimeout(timer))
  socket.resume()
  socket.end()
}

/** A connection's one end and its reason: of the first who says so, this side with `finish`, or the other. */
export const watchEnd = (connection: NodeJS.EventEmitter) => {
  const closed = Promise.withResolvers<string>()
  let reason = 'the other side closed it'
  let open = true
  connection.on('error', (error: NodeJS.ErrnoException) => {
    if (open) reason = error.code ?? 'a fault of the connection'
  })
  connection.once('close', () => {
    open = false
    closed.resolve(reason)
  })
  return {
    isOpen: () => open,
    finish: (why: string, end: () => void): void => {
      if (!open) return
      open = false
      reason = why
      end()
    },
    onClose: (listener: (reason: string) => void): void => void closed.promise.then(listener),
  }
}

/** Frames over a connected stream socket, one JSON text a line. Reads nothing before `onFrame` is called. */
export const frameSocketOf = (socket: Socket): HostFrameSocket => {
  const end = watchEnd(socket)

  return {
    send(frame) {
      const bytes = Buffer.from(`${frame}\n`)
      if (bytes.length - 1 > MAX_FRAME_BYTES) {
        throw new HoldfastError(
          'bad-params',
          `This is too long to send at once: ${bytes.length - 1} bytes, where ${MAX_FRAME_BYTES} are allowed.`,
        )
      }
      if (end.isOpen()) socket.write(bytes)
    },
    onFrame(listener) {
      const read = createFrameReader((frame) => {
        if (end.isOpen()) listener(frame)
      })
      socket.on('data', (chunk) => {
        if (!end.isOpen()) return
        try {
          read(chunk)
        } catch (error) {
          if (!(error instanceof HoldfastError)) throw error
          end.finish(error.message, () => socket.destroy())
        }
      })
    },
    onClose: end.onClose,
    onDrain: (listener) => void socket.on('drain', listener),
    get bufferedBytes() {
      return socket.writableLength
    },
    close: () => end.finish('this side closed it', () => endGently(socket)),
    drop: (why) => end.finish(why, () => socket.destroy()),
  }
}
