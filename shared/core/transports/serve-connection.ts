import { createHash, timingSafeEqual } from 'node:crypto'
import { CONNECTION_ID } from '../../contract/client.ts'
import { HoldfastError } from '../../contract/errors.ts'
import { Hello, PROTOCOL_VERSION, Request, type Response } from '../../contract/protocol.ts'
import type { Connection, Dispatch } from '../api/dispatcher.ts'
import type { EventHub } from '../api/event-hub.ts'
import type { Role } from '../api/roles.ts'
import type { HostFrameSocket } from './frames.ts'

/** How long a client may take to say hello. */
const HELLO_TIMEOUT_MS = 5_000

/** A client that leaves this many bytes unread is dropped: it can connect again, and the host does not grow with it. */
export const MAX_BUFFERED_BYTES = 32 * 1024 * 1024

export interface ServeDeps {
  /** What a client must prove to know: the token, or its SHA-256 where nothing more is known of it. */
  readonly token: string | { readonly sha256: string }
  readonly dispatch: Dispatch
  readonly hub: EventHub
}

/** Who is at the other end, as far as the transport can tell. */
export interface Peer {
  readonly pid: number | null
  readonly role: Role
}

let lastConnectionId = 0

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Tells the other side why it is refused, in words that hold nothing of what it sent, and ends the connection. */
export const refuse = (socket: HostFrameSocket, error: HoldfastError): void => {
  socket.send(JSON.stringify({ id: CONNECTION_ID, error: error.toBody() }))
  socket.close()
}

/** The role that the hello asks for, if any. */
const checkHello = (frame: string, token: ServeDeps['token']): Role | undefined => {
  const hello = Hello.safeParse(parseJson(frame)).data?.hello
  if (hello === undefined) throw new HoldfastError('unauthorised', 'A connection must begin with a hello.')
  if (!timingSafeEqual(digest(hello.token), typeof token === 'string' ? digest(token) : Buffer.from(token.sha256, 'hex'))) {
    throw new HoldfastError(
      'unauthorised',
      "The token is not this host's. Read the endpoint file again: the host may have been restarted.",
    )
  }
  if (hello.protocol !== PROTOCOL_VERSION) {
    throw new HoldfastError(
      'version-mismatch',
      `The host speaks protocol ${PROTOCOL_VERSION} and this program ${hello.protocol}. ` +
        `Stop the host (process ${process.pid}) and try again with one version of both.`,
    )
  }
  return hello.role
}

/** Serves one client over a connection of any transport: hello, then requests, until either side ends it. */
export const serveConnection = (
  socket: HostFrameSocket,
  peer: Peer,
  { token, dispatch, hub }: ServeDeps,
): void => {
  const helloTimer = setTimeout(
    () => refuse(socket, new HoldfastError('unauthorised', 'No hello came in time.')),
    HELLO_TIMEOUT_MS,
  )
  let greeted = false
  let { role } = peer
  lastConnectionId += 1

  const sendFrame = (frame: string): void => {
    if (socket.bufferedBytes > MAX_BUFFERED_BYTES) socket.drop('it did not read what it was sent')
    else socket.send(frame)
  }

  const connection: Connection = {
    id: lastConnectionId,
    peerPid: peer.pid,
    get role() {
      return role
    },
    send: (event, data) => sendFrame(hub.frameOf(event, data)),
    sendFrame,
    get bufferedBytes() {
      return socket.bufferedBytes
    },
    onDrain: (listener) => socket.onDrain(listener),
    onClose: (listener) => socket.onClose(() => listener()),
    close: () => socket.close(),
  }

  const respond = (response: Response): void => {
    try {
      sendFrame(JSON.stringify(response))
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error
      sendFrame(JSON.stringify({ id: response.id, error: error.toBody() }))
    }
  }

  socket.onClose(() => clearTimeout(helloTimer))
  socket.onFrame((frame) => {
    if (greeted) {
      const request = Request.safeParse(parseJson(frame))
      if (request.success) void dispatch(connection, request.data).then(respond)
      else refuse(socket, new HoldfastError('bad-params', 'A frame was not a request.'))
      return
    }
    try {
      const asked = checkHello(frame, token)
      // Less than all is for whoever may have all; no page can ask to be the other one.
      if (role === 'owner') role = asked ?? role
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error
      return refuse(socket, error)
    }
    greeted = true
    clearTimeout(helloTimer)
    respond({ id: CONNECTION_ID, result: {} })
  })
}
