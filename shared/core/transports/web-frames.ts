import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import { HoldfastError } from '../../contract/errors.ts'
import { MAX_FRAME_BYTES } from '../../contract/protocol.ts'
import type { HostFrameSocket } from './frames.ts'

/** Frames over a WebSocket that runs over this TCP connection, one JSON text a message. */
export const webFrameSocketOf = (web: WebSocket, tcp: Socket): HostFrameSocket => {
  const closed = Promise.withResolvers<string>()
  let reason = 'the other side closed it'
  let open = true

  const finish = (why: string, end: () => void) => {
    if (!open) return
    open = false
    reason = why
    end()
  }
  web.on('error', (error: NodeJS.ErrnoException) => {
    if (open) reason = error.code ?? 'a fault of the connection'
  })
  web.once('close', () => {
    open = false
    closed.resolve(reason)
  })

  return {
    send(frame) {
      const bytes = Buffer.from(frame)
      if (bytes.length > MAX_FRAME_BYTES) {
        throw new HoldfastError('bad-params', `This is too long to send at once: ${bytes.length} bytes, where ${MAX_FRAME_BYTES} are allowed.`)
      }
      if (open) web.send(bytes, { binary: false })
    },
    onFrame(listener) {
      web.on('message', (data: Buffer, isBinary) => {
        if (!open) return
        if (isBinary) finish('a frame was not text', () => web.terminate())
        else listener(data.toString('utf8'))
      })
    },
    onClose: (listener) => void closed.promise.then(listener),
    onDrain: (listener) => void tcp.on('drain', listener),
    get bufferedBytes() {
      return web.bufferedAmount
    },
    close: () => finish('this side closed it', () => web.close(1000)),
    drop: (why) => finish(why, () => web.terminate()),
  }
}
