import { z } from 'zod'
import { HoldfastError } from './errors.ts'
import {
  COMMANDS,
  EVENTS,
  EventFrame,
  PROTOCOL_VERSION,
  Response,
  type CommandName,
  type CommandParams,
  type CommandResult,
  type EventData,
  type EventName,
  type PageRole,
} from './protocol.ts'

/** A connection that carries whole frames, in order: one JSON text each. */
export interface FrameSocket {
  /** Throws HoldfastError `bad-params` when the frame is longer than MAX_FRAME_BYTES. */
  send(frame: string): void
  onFrame(listener: (frame: string) => void): void
  /** Called once, with the reason in words, also when the connection has closed before. */
  onClose(listener: (why: string) => void): void
  close(): void
}

export interface Client {
  /** Resolves when the host has accepted the hello; rejects with its HoldfastError when it did not. */
  readonly ready: Promise<void>
  /** Resolves, never rejects, with the reason when the connection has ended. */
  readonly closed: Promise<string>
  /**
   * Calls a command and checks its result. Calls may overlap; the host takes them up in the order they were made.
   * Rejects with HoldfastError: the host's own, or `no-host` when the connection ends before the answer.
   */
  call<Name extends CommandName>(name: Name, params: CommandParams<Name>): Promise<CommandResult<Name>>
  /**
   * Listens to an event until the returned function is called. Listen before the call that starts the events:
   * an event may come before that call's answer. A listener must not throw.
   */
  on<Name extends EventName>(event: Name, listener: (data: EventData<Name>, sequence: number) => void): () => void
  close(): void
}

/** The hello is answered under this id, and so is a fault of the connection itself: calls count from 1. */
export const CONNECTION_ID = 0

const Frame = z.union([EventFrame, Response])

interface PendingCall {
  resolve(result: unknown): void
  reject(error: HoldfastError): void
}

const parseFrame = (text: string): z.infer<typeof Frame> | null => {
  try {
    return Frame.safeParse(JSON.parse(text)).data ?? null
  } catch {
    return null
  }
}

/** Speaks the contract over a socket of any kind. Sends the hello at once; calls may follow before its answer. */
export const createClient = (
  socket: FrameSocket,
  hello: { readonly token: string; readonly client: string; readonly role?: PageRole },
): Client => {
  const pending = new Map<number, PendingCall>()
  const listeners = new Map<string, Set<(data: never, sequence: number) => void>>()
  const ready = Promise.withResolvers<void>()
  const closed = Promise.withResolvers<string>()
  let lastId = CONNECTION_ID
  let ended: HoldfastError | null = null

  const end = (error: HoldfastError) => {
    if (ended !== null) return
    ended = error
    ready.reject(error)
    for (const call of pending.values()) call.reject(error)
    pending.clear()
    socket.close()
    closed.resolve(error.message)
  }

  const endUnreadable = (what: string) =>
    end(
      new HoldfastError(
        'version-mismatch',
        `The host sent ${what} that does not fit the contract. Restart the host, so that both are of one version.`,
      ),
    )

  const receiveEvent = (frame: EventFrame) => {
    const interested = listeners.get(frame.event)
    if (interested === undefined || interested.size === 0) return
    const data = EVENTS[frame.event as EventName].safeParse(frame.data)
    if (!data.success) return endUnreadable(`an event ${frame.event}`)
    for (const listener of [...interested]) listener(data.data as never, frame.sequence)
  }

  const receiveResponse = (frame: Response) => {
    const error =
      'error' in frame ? new HoldfastError(frame.error.code, frame.error.message, { at: frame.error.at }) : null
    if (frame.id === CONNECTION_ID) return error === null ? ready.resolve() : end(error)
    const call = pending.get(frame.id)
    pending.delete(frame.id)
    if (error !== null) call?.reject(error)
    else call?.resolve('result' in frame ? frame.result : undefined)
  }

  socket.onFrame((text) => {
    const frame = parseFrame(text)
    if (ended !== null) return
    if (frame === null) endUnreadable('a frame')
    else if ('event' in frame) receiveEvent(frame)
    else receiveResponse(frame)
  })
  socket.onClose((why) =>
    end(
      new HoldfastError(
        'no-host',
        `The connection to the host ended: ${why}. Try again; a command starts a new host if none runs.`,
      ),
    ),
  )
  ready.promise.catch(() => undefined)
  socket.send(JSON.stringify({ hello: { protocol: PROTOCOL_VERSION, ...hello } }))

  return {
    ready: ready.promise,
    closed: closed.promise,
    async call(name, params) {
      if (ended !== null) throw ended
      const id = (lastId += 1)
      const answer = new Promise<unknown>((resolve, reject) => pending.set(id, { resolve, reject }))
      try {
        socket.send(JSON.stringify({ id, command: name, params }))
      } catch (error) {
        pending.delete(id)
        throw error
      }
      const result = COMMANDS[name].result.safeParse(await answer)
      if (!result.success) {
        throw new HoldfastError(
          'version-mismatch',
          `The host's answer to ${name} does not fit the contract. Restart the host, so that both are of one version.`,
        )
      }
      return result.data as CommandResult<typeof name>
    },
    on(event, listener) {
      const interested = listeners.get(event) ?? new Set()
      listeners.set(event, interested.add(listener as (data: never, sequence: number) => void))
      return () => void interested.delete(listener as (data: never, sequence: number) => void)
    },
    close: () => end(new HoldfastError('no-host', 'This side closed the connection.')),
  }
}
