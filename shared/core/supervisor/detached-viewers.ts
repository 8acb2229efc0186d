import { HoldfastError } from '../../contract/errors.ts'
import type { SessionId } from '../../contract/ids.ts'
import type { EventData } from '../../contract/protocol.ts'
import type { Connection } from '../api/dispatcher.ts'
import type { SessionViewer } from './viewer.ts'

/** How much of a session's newest output is kept for a window that comes back, in bytes. */
const MAX_KEPT_BYTES = 256 * 1024

/** Viewers of sessions that outlive the window they were launched from: a reload must not end an agent. */
export interface DetachedViewers {
  /** A viewer that never goes away, for a session that is about to start. */
  create(): SessionViewer & { named(sessionId: SessionId): void }
  has(sessionId: SessionId): boolean
  /** What the session printed last; from now on its output goes to this connection too. Throws HoldfastError `not-found`. */
  attach(sessionId: SessionId, connection: Connection): Buffer
}

/** Sessions that are kept; the oldest of more goes, and its terminal is then looked at no more. */
const MAX_TAPES = 100

interface Tape {
  kept: Buffer[]
  bytes: number
  readonly watchers: Set<Connection>
  readonly onDrain: Set<() => void>
}

export const createDetachedViewers = (): DetachedViewers => {
  const tapes = new Map<SessionId, Tape>()

  const keep = (tape: Tape, chunk: Buffer): void => {
    tape.kept.push(chunk)
    tape.bytes += chunk.length
    while (tape.bytes > MAX_KEPT_BYTES && tape.kept.length > 1) tape.bytes -= tape.kept.shift()?.length ?? 0
  }

  return {
    create: () => {
      const tape: Tape = { kept: [], bytes: 0, watchers: new Set(), onDrain: new Set() }
      return {
        named: (sessionId) => {
          tapes.set(sessionId, tape)
          const oldest = tapes.keys().next().value
          if (tapes.size > MAX_TAPES && oldest !== undefined) tapes.delete(oldest)
        },
        send: (event, data) => {
          keep(tape, Buffer.from((data as EventData<'session/output'>).data, 'base64'))
          for (const watcher of tape.watchers) watcher.send(event, data)
        },
        get bufferedBytes() {
          return Math.max(0, ...[...tape.watchers].map((watcher) => watcher.bufferedBytes))
        },
        onDrain: (listener) => void tape.onDrain.add(listener),
        onClose: () => undefined,
      }
    },
    has: (sessionId) => tapes.has(sessionId),
    attach: (sessionId, connection) => {
      const tape = tapes.get(sessionId)
      if (tape === undefined) throw new HoldfastError('not-found', `Session ${sessionId} was not launched from a dashboard: its terminal is where it was started.`)
      const tellDrained = (): void => {
        for (const listener of tape.onDrain) listener()
      }
      if (!tape.watchers.has(connection)) {
        tape.watchers.add(connection)
        connection.onDrain(tellDrained)
        connection.onClose(() => {
          tape.watchers.delete(connection)
          tellDrained()
        })
      }
      return Buffer.concat(tape.kept)
    },
  }
}
