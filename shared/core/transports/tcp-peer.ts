import { readdir, readFile, readlink } from 'node:fs/promises'
import type { Socket } from 'node:net'

/** Who is at the other end of a TCP connection over loopback. */
export interface TcpPeer {
  readonly pid: number
  readonly uid: number
}

const hexPort = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0')

/** 127.0.0.1 as /proc/net/tcp writes it: the address's bytes as one number in the machine's own order (proc_pid_net(5)). */
const LOOPBACK = '0100007F'

/** Owner and inode of the other end's socket, from the text of /proc/net/tcp; null when it is not there. */
export const findTcpEntry = (table: string, peerPort: number, ownPort: number): { uid: number; inode: string } | null => {
  const wanted = `${LOOPBACK}:${hexPort(peerPort)} ${LOOPBACK}:${hexPort(ownPort)}`
  for (const line of table.split('\n')) {
    const [, local, remote, , , , , uid, , inode] = line.trim().split(/\s+/)
    if (`${local} ${remote}` === wanted && uid !== undefined && inode !== undefined && inode !== '0') return { uid: Number(uid), inode }
  }
  return null
}

const holds = async (pid: string, link: string): Promise<boolean> => {
  const folder = `/proc/${pid}/fd`
  const names = await readdir(folder).catch(() => [])
  return (await Promise.all(names.map((name) => readlink(`${folder}/${name}`).catch(() => '')))).includes(link)
}

/** Who held the last connection that was looked up: a browser's many are all one process's, so that it is looked at first. */
let lastHolder = ''

/** Owner of the other end of a connection from 127.0.0.1 to 127.0.0.1; null when it cannot be told. Costs one look, however many processes there are. */
export const tcpOwnerOf = async ({ remotePort, localPort }: Socket): Promise<number | null> => {
  if (process.platform !== 'linux' || remotePort === undefined || localPort === undefined) return null
  return findTcpEntry(await readFile('/proc/net/tcp', 'utf8').catch(() => ''), remotePort, localPort)?.uid ?? null
}

/**
 * The process that holds the other end of a connection from 127.0.0.1 to 127.0.0.1.
 * null when it cannot be told: another platform than Linux, a closed connection, or a process of another user.
 */
export const tcpPeerOf = async (socket: Socket): Promise<TcpPeer | null> => {
  const { remotePort, localPort } = socket
  if (process.platform !== 'linux' || remotePort === undefined || localPort === undefined) return null
  const entry = findTcpEntry(await readFile('/proc/net/tcp', 'utf8'), remotePort, localPort)
  if (entry === null) return null
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  for (const pid of [lastHolder, ...pids.toReversed()].filter((one) => one !== '')) {
    if (!(await holds(pid, `socket:[${entry.inode}]`))) continue
    lastHolder = pid
    return { pid: Number(pid), uid: entry.uid }
  }
  return null
}
