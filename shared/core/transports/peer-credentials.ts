import type { Socket } from 'node:net'
import koffi from 'koffi'

/** Who is at the other end of a Unix socket, as the kernel noted when it connected, in this process's namespaces. */
export interface PeerCredentials {
  readonly pid: number
  readonly uid: number
}

// Linux, x86-64 and arm64: asm-generic/socket.h; struct ucred is three 32-bit integers: pid, uid, gid.
const SOL_SOCKET = 1
const SO_PEERCRED = 17
const UCRED_BYTES = 12

type Getsockopt = (fd: number, level: number, option: number, value: Buffer, length: Uint32Array) => number

let getsockopt: Getsockopt | undefined

const fileDescriptorOf = (socket: Socket): number | null => {
  const { _handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } | null }
  return _handle?.fd ?? null
}

/**
 * The peer of a connected Unix socket: the process that called connect(2), which may have ended since.
 * null when it cannot be told: another platform than Linux, a closed socket, or a peer outside this process's
 * pid namespace (unix(7)).
 */
export const peerOf = (socket: Socket): PeerCredentials | null => {
  const fd = fileDescriptorOf(socket)
  if (process.platform !== 'linux' || fd === null || fd < 0) return null
  getsockopt ??= koffi.load(null).func('int getsockopt(int, int, int, void *, void *)') as Getsockopt
  const credentials = Buffer.alloc(UCRED_BYTES)
  const length = Uint32Array.of(UCRED_BYTES)
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length) !== 0 || length[0] !== UCRED_BYTES) return null
  const pid = credentials.readInt32LE(0)
  return pid > 0 ? { pid, uid: credentials.readUInt32LE(4) } : null
}
