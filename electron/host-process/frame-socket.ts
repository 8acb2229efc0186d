import { connect } from 'node:net'
import type { FrameSocket } from '../../shared/contract/client.ts'
import { HoldfastError } from '../../shared/contract/errors.ts'
import { MAX_FRAME_BYTES } from '../../shared/contract/protocol.ts'

/** Frames over the host's local socket, one JSON text a line. Throws HoldfastError `no-host` when nobody listens. */
export const connectFrames = async (socketPath: string): Promise<FrameSocket & { pause(): void; resume(): void }> => {
  const socket = connect(socketPath).setEncoding('utf8')
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', (error) => reject(new HoldfastError('no-host', `The host does not listen any more: ${error.message}`)))
  })
  let why = 'the other side closed it'
  socket.on('error', (error) => (why = error.message))
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve(why)))
  return {
    send: (frame) => void socket.write(`${frame}\n`),
    onFrame: (listener) => {
      let rest = ''
      socket.on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n')
        rest = lines.pop() ?? ''
        if (rest.length > MAX_FRAME_BYTES) socket.destroy(new Error('a frame was too long'))
        for (const line of lines) listener(line)
      })
    },
    onClose: (listener) => void closed.then(listener),
    close: () => void socket.end(),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
  }
}
