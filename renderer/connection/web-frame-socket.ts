import type { FrameSocket } from '../../shared/contract/client.ts'
import { HoldfastError } from '../../shared/contract/errors.ts'
import { MAX_FRAME_BYTES } from '../../shared/contract/protocol.ts'
import type { PageSocket } from '../login/page-socket.ts'

/** A UTF-8 byte is at least one of these units, so a shorter text never needs to be measured. */
const ALWAYS_FITS = MAX_FRAME_BYTES / 3

/** Frames over an open connection, one JSON text a message. */
export const frameSocketOfWeb = (socket: PageSocket): FrameSocket => {
  const closed = Promise.withResolvers<string>()
  socket.addEventListener('close', ({ code }) => closed.resolve(code === 1000 ? 'the host closed it' : 'the host cannot be reached'))
  return {
    send(frame) {
      if (frame.length > ALWAYS_FITS && new TextEncoder().encode(frame).length > MAX_FRAME_BYTES) {
        throw new HoldfastError('bad-params', `This is too long to send at once: ${MAX_FRAME_BYTES} bytes are allowed.`)
      }
      socket.send(frame)
    },
    onFrame(listener) {
      socket.addEventListener('message', ({ data }) => {
        if (typeof data === 'string') listener(data)
      })
    },
    onClose: (listener) => void closed.promise.then(listener),
    close: () => socket.close(),
  }
}
