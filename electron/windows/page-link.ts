import { HoldfastError } from '../../shared/contract/errors.ts'
import { MAX_FRAME_BYTES, PROTOCOL_VERSION, type PageRole } from '../../shared/contract/protocol.ts'
import { connectFrames } from '../host-process/frame-socket.ts'
import type { Way } from '../host-process/host-link.ts'

/** Sent to a page and not yet taken by it, in characters: past this the host waits, and drops who does not read. */
const MAX_UNREAD = 4 * 1024 * 1024

export interface PageLinkDeps {
  readonly role: PageRole
  /** The way to the host as it is now; null while there is none. */
  way(): Way | null
  /** Gives the page a frame of the connection it knows by this number, or null at its end. */
  toPage(connection: number, frame: string | null): void
}

export interface PageLink {
  /** What came from the page, which may be anything. */
  fromPage(connection: unknown, what: unknown, value: unknown): void
  end(): void
}

/**
 * A page's connection to the host over the local socket, in its role and no other. The page never holds the host's token:
 * its own hello is dropped, and the shell says one in its place.
 */
export const createPageLink = ({ role, way, toPage }: PageLinkDeps): PageLink => {
  let end = (): void => undefined
  let take = (_what: unknown, _value: unknown): void => undefined

  const open = (connection: number): void => {
    end()
    const to = way()
    let greeted = false
    let isOver = false
    let unread = 0
    let frames: Awaited<ReturnType<typeof connectFrames>> | null = null
    const early: string[] = []
    const drop = (): void => {
      isOver = true
      frames?.close()
    }
    const finish = (): void => {
      if (isOver) return
      drop()
      toPage(connection, null)
    }
    const send = (frame: string): void => {
      if (frame.includes('\n') || Buffer.byteLength(frame) > MAX_FRAME_BYTES || early.length > 100) finish()
      else if (!greeted) greeted = true
      else if (frames === null) early.push(frame)
      else frames.send(frame)
    }
    end = drop
    take = (what, value) => {
      if (isOver) return
      if (what === 'close') finish()
      else if (what === 'frame' && typeof value === 'string') send(value)
      else if (what === 'taken' && typeof value === 'number' && value >= 0) {
        unread = Math.max(0, unread - value)
        if (unread < MAX_UNREAD) frames?.resume()
      }
    }
    const connect = async (): Promise<void> => {
      if (to === null) throw new HoldfastError('no-host', 'The host cannot be reached just now.')
      const socket = await connectFrames(to.socketPath)
      if (isOver) return socket.close()
      socket.onClose(finish)
      socket.onFrame((frame) => {
        if (isOver) return
        unread += frame.length
        if (unread >= MAX_UNREAD) socket.pause()
        toPage(connection, frame)
      })
      socket.send(JSON.stringify({ hello: { protocol: PROTOCOL_VERSION, token: to.token, client: `app-${role}`, role } }))
      frames = socket
      for (const frame of early.splice(0)) socket.send(frame)
    }
    connect().catch(finish)
  }

  let latest = 0
  return {
    fromPage: (connection, what, value) => {
      if (typeof connection !== 'number') return
      if (what === 'open') open((latest = connection))
      else if (connection === latest) take(what, value)
    },
    end: () => end(),
  }
}
