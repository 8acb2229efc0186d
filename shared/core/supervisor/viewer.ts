import type { SessionId } from '../../contract/ids.ts'
import type { Connection } from '../api/dispatcher.ts'
import type { Container } from '../ports.ts'

/** Above this many bytes not yet taken by the viewer, the agent's output is held back. */
const HIGH_WATER_BYTES = 1024 * 1024

/** Who is shown what a session prints. */
export type SessionViewer = Pick<Connection, 'send' | 'bufferedBytes' | 'onDrain' | 'onClose'>

/** A source of output that can be made to wait. */
interface Source {
  pause(): void
  resume(): void
}

/**
 * Sends all that the container prints to the viewer, and makes the agent wait for a slow one, until its command has
 * ended: what is still to come then is no more than the system's buffers hold, and goes out without waiting, so that
 * no viewer holds up the end. Resolves when everything is sent, which a process left behind puts off until it is
 * killed; a viewer that has gone makes no difference to the session. `saw` hears what a command without a terminal
 * writes to its standard output.
 */
export const showOutput = async (container: Container, sessionId: SessionId, viewer: SessionViewer, saw?: (chunk: Buffer) => void): Promise<void> => {
  const { terminal, pipes } = container
  const waiting = new Set<Source>()
  let holdsBack = true
  const release = (): void => {
    for (const source of waiting) source.resume()
    waiting.clear()
  }
  const releaseForGood = (): void => {
    holdsBack = false
    release()
  }
  viewer.onDrain(release)
  viewer.onClose(releaseForGood)
  container.exited.then(releaseForGood, releaseForGood)
  const send = (source: Source, stream: 'terminal' | 'stdout' | 'stderr', chunk: Buffer): void => {
    viewer.send('session/output', { sessionId, stream, data: chunk.toString('base64') })
    if (holdsBack && viewer.bufferedBytes > HIGH_WATER_BYTES) {
      source.pause()
      waiting.add(source)
    }
  }
  if (terminal !== null) {
    terminal.onData((chunk) => send(terminal, 'terminal', chunk))
    await terminal.closed
    return
  }
  if (pipes === null) return
  await Promise.all(
    (['stdout', 'stderr'] as const).map(
      (name) =>
        new Promise<void>((resolve) => {
          const source = pipes[name]
          // A command that ends at once may have closed it before anybody looked.
          if (source.closed) resolve()
          source.on('data', (chunk: Buffer) => send(source, name, chunk))
          if (name === 'stdout' && saw !== undefined) source.on('data', saw)
          source.once('close', resolve)
        }),
    ),
  )
}

/** Gives the viewer's input to the command. Resolves when it took it. Input after the end is dropped. */
export const giveInput = async (container: Container, data: Buffer): Promise<void> => {
  if (container.terminal !== null) {
    container.terminal.write(data)
    return
  }
  const stdin = container.pipes?.stdin
  if (stdin === undefined || stdin.destroyed || stdin.writableEnded) return
  if (!stdin.write(data)) {
    await new Promise<void>((resolve) => {
      stdin.once('drain', resolve)
      stdin.once('close', resolve)
    })
  }
}

export const endInput = (container: Container): void => {
  container.pipes?.stdin.end()
}
