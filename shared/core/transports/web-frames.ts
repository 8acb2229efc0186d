import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import { HoldfastError } from '../../contract/errors.ts'
import { MAX_FRAME_BYTES } from '../../contract/protocol.ts'
import { type HostFrameSocket, watchEnd } from './frames.ts'

/** Frames over a WebSocket that runs over this TCP connection, one JSON text a message. */
export const webFrameSocketOf = (web: WebSocket, tcp: Socket): HostFrameSocket => {
  const end = watchEnd(web)

  return {
    send(frame) {
      const bytes = Buffer.from(frame)
      if (bytes.length > MAX_FRAME_BYTES) {
        throw new HoldfastError('bad-params', `This is too long to send at once: ${bytes.length} bytes, where ${MAX_FRAME_BYTES} are allowed.`)
      }
      if (end.isOpen()) web.send(bytes, { binary: false })
    },
    onFrame(listener) {
      web.on('message', (data: Buffer, isBinary) => {
        if (!end.isOpen()) return
        if (isBinary) end.finish('a frame was not text', () => web.terminate())
        else listener(data.toString('utf8'))
      })
    },
    onClose: end.onClose,
    onDrain: (listener) => void tcp.on('drain', listener),
    get bufferedBytes() {
      return web.bufferedAmount
    },
    close: () => end.finish('this side closed it', () => web.close(1000)),
    drop: (why) => end.finish(why, () => web.terminate()),
  }
}
