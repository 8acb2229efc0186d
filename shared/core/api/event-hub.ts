import { HoldfastError } from '../../contract/errors.ts'
import type { SessionId } from '../../contract/ids.ts'
import { MAX_FRAME_BYTES, type EventData, type EventName } from '../../contract/protocol.ts'

/** What the hub needs of a connection. One that does not read is dropped by its transport; the hub waits for nobody. */
export interface Subscriber {
  sendFrame(frame: string): void
  /** Called once, also when the connection has closed before. */
  onClose(listener: () => void): void
}

export interface EventHub {
  /**
   * Sends to every subscriber. A session's output has one reader, its attached connection: see Connection.send.
   * Throws HoldfastError `internal` when the event is longer than a frame may be. Where nobody hears it, no frame is made.
   */
  publish<Name extends Exclude<EventName, 'session/output'>>(event: Name, data: EventData<Name>): void
  /** From now on the subscriber gets what is published; returns the newest sequence number given out so far. */
  subscribe(subscriber: Subscriber): number
  /** A frame with the next sequence number: host-wide and rising; a gap means an event for someone else. */
  frameOf<Name extends EventName>(event: Name, data: EventData<Name>): string
}

/** The session that an event is about. */
const sessionOf = (data: object): SessionId | null => {
  const { sessionId = null, container, id = null } = data as { sessionId?: SessionId | null; container?: string; id?: SessionId }
  return sessionId ?? (container === undefined ? null : id)
}

/** `isUnheld` tells of a session whether no container holds it. */
export const createEventHub = (isUnheld: (sessionId: SessionId) => boolean = () => false): EventHub => {
  const subscribers = new Set<Subscriber>()
  let sequence = 0

  const frameOf: EventHub['frameOf'] = (event, data) => {
    const sessionId = sessionOf(data)
    const frame = JSON.stringify({ sequence: sequence + 1, event, data, ...(sessionId !== null && isUnheld(sessionId) ? { sandbox: 'off' } : {}) })
    if (Buffer.byteLength(frame) > MAX_FRAME_BYTES)
      throw new HoldfastError('internal', `An event ${event} was too long to send.`)
    sequence += 1
    return frame
  }

  return {
    frameOf,
    publish(event, data) {
      if (subscribers.size === 0) return void (sequence += 1)
      const frame = frameOf(event, data)
      for (const subscriber of subscribers) subscriber.sendFrame(frame)
    },
    subscribe(subscriber) {
      if (!subscribers.has(subscriber)) {
        subscribers.add(subscriber)
        subscriber.onClose(() => subscribers.delete(subscriber))
      }
      return sequence
    },
  }
}
