import { constants, closeSync, openSync } from 'node:fs'
import { ReadStream } from 'node:tty'
import type { ContainerTerminal, TerminalSize } from '../ports.ts'
import { openPtyPeer, setWindowSize } from './libc.ts'

const O_CLOEXEC = 0o2000000

export interface Pty {
  readonly terminal: ContainerTerminal
  /** The agent's end: hand it to the child as standard input, output and error, then call `closeAgentEnd`. */
  readonly agentEnd: number
  closeAgentEnd(): void
  /** Resolves when the last process inside has let go of it and all its output has been handed out. */
  readonly closed: Promise<void>
  destroy(): void
}

/**
 * Makes a terminal for one session. Both ends close on exec, so that no other session inherits them; node-pty's stay
 * open in every later child, and it has no way to hand further files to the child.
 *
 * The command becomes the leader of a terminal session of its own in here (`setsid --ctty`), so that job control
 * works and Ctrl-C reaches the foreground job, not bubblewrap. TIOCSTI, the call that types into a terminal, is
 * harmless so: the only terminal the agent holds is this one, made for it, and what is typed into it is read by
 * nothing but the agent's own processes. The user's terminal stays with the client, which only copies bytes.
 */
export const openPty = (size: TerminalSize): Pty => {
  const master = openSync('/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY)
  let agentEnd: number
  try {
    agentEnd = openPtyPeer(master, constants.O_RDWR | constants.O_NOCTTY | O_CLOEXEC)
    setWindowSize(master, size.columns, size.rows)
  } catch (error) {
    closeSync(master)
    throw error
  }
  const stream = new ReadStream(master)
  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()))
  // Linux reports the end of the last process that held it as EIO: with `close` to follow, that is no fault.
  stream.on('error', () => stream.destroy())
  const terminal: ContainerTerminal = {
    onData: (listener) => void stream.on('data', listener),
    write: (data) => void (stream.destroyed || stream.write(data)),
    resize: ({ columns, rows }) => void (stream.destroyed || setWindowSize(master, columns, rows)),
    pause: () => void stream.pause(),
    resume: () => void stream.resume(),
    closed,
  }
  return { terminal, agentEnd, closeAgentEnd: () => closeSync(agentEnd), closed, destroy: () => void stream.destroy() }
}
