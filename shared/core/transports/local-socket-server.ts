import { chmod, lstat, unlink } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'
import { asFileFault } from '../file-fault.ts'
import { processStartTime } from '../process-info.ts'
import { frameSocketOf, type HostFrameSocket } from './frames.ts'
import { peerOf } from './peer-credentials.ts'
import { ensurePrivateFolder } from './private-folder.ts'
import { refuse, serveConnection, type ServeDeps } from './serve-connection.ts'

/** Longest path of a Unix socket, in bytes, without the closing zero: sun_path in unix(7), and 4 less on macOS. */
const MAX_SOCKET_PATH_BYTES = process.platform === 'linux' ? 107 : 103

export interface LocalSocketOptions extends ServeDeps {
  /** Absolute. Its folder is made (0700) when it is not there. */
  readonly socketPath: string
  /** Whether a process may not steer the host: it descends from a session, or sits in a session's container. */
  isForbiddenPeer(pid: number): Promise<boolean> | boolean
}

export interface LocalSocketServer {
  /** Ends every connection and takes the socket away. */
  close(): Promise<void>
}

const checkLength = (socketPath: string): void => {
  const bytes = Buffer.byteLength(socketPath)
  if (bytes <= MAX_SOCKET_PATH_BYTES) return
  throw new HoldfastError(
    'unsupported',
    `The socket's path has ${bytes} bytes, and this system allows ${MAX_SOCKET_PATH_BYTES}: ${socketPath}. ` +
      'Set HOLDFAST_HOME to a folder with a shorter path.',
  )
}

const answers = (socketPath: string): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const probe = connect(socketPath, () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false)
      else reject(error)
    })
  })

/** Takes away what a host that did not end in order left. The caller sees to it that one host starts at a time. */
const clearStale = async (socketPath: string): Promise<void> => {
  if (await answers(socketPath)) throw new HoldfastError('host-busy', `A host already listens at ${socketPath}.`)
  const found = await lstat(socketPath).catch(() => null)
  if (found?.isSocket() === true) await unlink(socketPath)
}

/** The peer's process id, null where the platform does not tell. Throws `unauthorised` when it may not connect. */
const admit = async (socket: Socket, { isForbiddenPeer }: LocalSocketOptions): Promise<number | null> => {
  if (process.platform !== 'linux') return null
  const peer = peerOf(socket)
  if (peer === null)
    throw new HoldfastError('unauthorised', 'The host could not tell which process this connection comes from.')
  if (peer.uid !== process.getuid?.()) throw new HoldfastError('unauthorised', 'This host serves another user.')
  const forbidden = await isForbiddenPeer(peer.pid)
  if (forbidden || processStartTime(peer.pid) === null) {
    throw new HoldfastError('unauthorised', 'A process of a supervised session may not steer the host.')
  }
  return peer.pid
}

const welcome = async (socket: Socket, frames: HostFrameSocket, options: LocalSocketOptions): Promise<void> => {
  try {
    serveConnection(frames, { pid: await admit(socket, options), role: 'owner' }, options)
  } catch (error) {
    const known = error instanceof HoldfastError
    refuse(
      frames,
      known ? error : new HoldfastError('unauthorised', 'The host could not check where this connection comes from.'),
    )
  }
}

/**
 * Listens on a Unix socket (0600 in a 0700 folder) for this user's own processes. Another user is refused, and so is a
 * forbidden peer, or one whose process cannot be told or has ended by then; platforms other than Linux do not tell, and
 * there the folder and the token alone decide.
 * Throws HoldfastError `unsupported` (path too long), `host-busy` (another host listens there), `unauthorised` (the
 * folder is open to others), `disk-full`, `read-only`.
 */
export const listenLocalSocket = async (options: LocalSocketOptions): Promise<LocalSocketServer> => {
  const { socketPath } = options
  checkLength(socketPath)
  await ensurePrivateFolder(dirname(socketPath))
  await clearStale(socketPath)

  const connections = new Set<HostFrameSocket>()
  const server = createServer((socket) => {
    const frames = frameSocketOf(socket)
    connections.add(frames)
    frames.onClose(() => connections.delete(frames))
    void welcome(socket, frames, options)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(asFileFault(socketPath, error)))
    server.listen(socketPath, resolve)
  })
  await chmod(socketPath, 0o600)

  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const connection of connections) connection.drop('the host stopped')
      }),
  }
}
