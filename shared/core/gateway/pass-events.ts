import type { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { type Framing, keptBytes } from './event-stream.ts'
import { readEvent, type Passed, type ReadEvent, type StreamRules, type ToolUseFilter } from './tool-use-filter.ts'

/** Agents give a silent stream up; while a call is held, something every so often keeps it. */
const PING_MS = 5_000
/** Largest event. */
const MAX_EVENT_BYTES = 64 * 1024 * 1024
/**
 * How long a provider may say nothing at all while the agent waits for it: agents leave that to us, as they are told to be
 * patient while a call is held.
 */
const SILENCE_MS = 600_000
/** How much is read on while a person is being asked, so that the provider does not give up: in bytes. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024

/** A stream with more than this ready lets the others have their turn in between: the system would give it 2 MB at once. In bytes. */
const TURN_BYTES = 64 * 1024

/** Neighbours in one stretch of memory become one piece again, so that what came in one piece goes out in one. */
const joinNeighbours = (parts: Passed): Passed => {
  const joined: Buffer[] = []
  for (const part of parts) {
    const last = joined.at(-1)
    if (last !== undefined && last.buffer === part.buffer && last.byteOffset + last.length === part.byteOffset) {
      joined[joined.length - 1] = Buffer.from(part.buffer, last.byteOffset, last.length + part.length)
    } else joined.push(part)
  }
  return joined
}

const sumBytes = (events: readonly ReadEvent[]): number => events.reduce((sum, { event }) => sum + keptBytes(event), 0)

/** Whoever meters a stream: told of events as they come, and to look at them when nobody waits for it. */
export interface LateSight {
  came(events: readonly ReadEvent[]): void
  catchUp(): void
}

/**
 * Passes a streamed answer on through the filter, as fast as the agent takes it. `seen` looks at each event as soon as
 * those that came with it have gone out, also while a call is held. Rejects when the stream or the agent breaks off: then `onBroken` was called first, so that
 * nobody is asked any more about a call that no one waits for.
 */
export const passEvents = (params: {
  source: Readable
  response: ServerResponse
  gone: AbortSignal
  framing: Framing
  rules: StreamRules
  filter: ToolUseFilter
  ping: Buffer
  seen: LateSight
  onBroken: () => void
}): Promise<void> =>
  new Promise((resolve, reject) => {
    const { source, response, gone, rules, filter } = params
    const splitter = params.framing.split(MAX_EVENT_BYTES)
    let waiting: ReadEvent[] = []
    let waitingBytes = 0
    let turnBytes = 0
    let hadItsTurn = false
    let isJudging = false
    let isOver = false
    let hasEnded = false
    let hasWritten = false
    let pings: NodeJS.Timeout | undefined
    const silence = setTimeout(() => {
      if (isJudging || response.writableNeedDrain) silence.refresh()
      else finish(new Error('the provider has fallen silent'))
    }, SILENCE_MS)

    const finish = (fault: Error | null): void => {
      if (isOver) return
      isOver = true
      clearInterval(pings)
      clearTimeout(silence)
      gone.removeEventListener('abort', leave)
      response.removeListener('drain', flow)
      if (fault === null) {
        resolve()
        return
      }
      params.onBroken()
      source.destroy()
      reject(fault)
    }
    const leave = (): void => finish(new Error('the agent has gone'))

    const flow = (): void => {
      const isFull = isJudging ? waitingBytes > MAX_WAITING_BYTES : response.writableNeedDrain
      if (isFull || hadItsTurn) source.pause()
      else if (source.isPaused()) source.resume()
    }

    const endTurn = (): void => {
      turnBytes = 0
      hadItsTurn = true
      flow()
      setImmediate(() => {
        hadItsTurn = false
        if (!isOver) flow()
      })
    }

    const write = (parts: Passed): void => {
      // The first bytes go out at once; later ones together with what else comes in the same turn, as Node does it.
      const hurried = hasWritten ? null : response.socket
      hurried?.cork()
      for (const part of joinNeighbours(parts)) {
        response.write(part)
        hasWritten = true
      }
      hurried?.uncork()
      if (filter.isHolding) pings ??= setInterval(() => response.write(params.ping), PING_MS)
      else if (pings !== undefined) {
        clearInterval(pings)
        pings = undefined
      }
    }

    const endIfDone = (): void => {
      if (!hasEnded || isJudging) return
      try {
        const rest = splitter.rest()
        if (!filter.isHolding && rest.length > 0) response.write(rest)
        finish(null)
      } catch (error) {
        finish(error as Error)
      }
    }

    /** Takes events in turn, until one is a call that is judged. */
    const takeAll = (events: readonly ReadEvent[]): void => {
      const parts: Buffer[] = []
      for (const [index, read] of events.entries()) {
        const passed = filter.take(read)
        if (!(passed instanceof Promise)) {
          parts.push(...passed)
          continue
        }
        isJudging = true
        waiting = events.slice(index + 1)
        waitingBytes = sumBytes(waiting)
        passed.then(goOn).catch(finish)
        break
      }
      write(parts)
      flow()
    }

    const goOn = (passed: Passed): void => {
      if (isOver) return
      isJudging = false
      write(passed)
      const next = waiting
      waiting = []
      waitingBytes = 0
      takeAll(next)
      endIfDone()
    }

    source.on('data', (chunk: Buffer) => {
      if (isOver) return
      silence.refresh()
      try {
        const events = splitter.push(chunk).map((event) => readEvent(rules, event))
        params.seen.came(events)
        try {
          if (!isJudging) takeAll(events)
          else {
            waiting.push(...events)
            waitingBytes += sumBytes(events)
            flow()
          }
        } finally {
          params.seen.catchUp()
        }
        turnBytes += chunk.length
        if (turnBytes >= TURN_BYTES) endTurn()
      } catch (error) {
        finish(error as Error)
      }
    })
    source.once('end', () => {
      hasEnded = true
      endIfDone()
    })
    source.once('error', finish)
    source.once('close', () => {
      if (!hasEnded) finish(new Error('the answer broke off'))
    })
    response.on('drain', flow)
    gone.addEventListener('abort', leave)
    if (gone.aborted) leave()
  })
