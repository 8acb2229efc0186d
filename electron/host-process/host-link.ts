import { createClient, type Client } from '../../shared/contract/client.ts'
import { connectFrames } from './frame-socket.ts'
import { restartIn } from './restart-plan.ts'

export interface HostLinkDeps {
  find(): Promise<Way>
  /** Called once for each connection that the host accepted. */
  onClient(client: Client): void
  /** Called when there is none, with the reason in words. */
  onAway(why: string): void
}

/** Where the host listens, and what it knows its own user's programs by. */
export interface Way {
  readonly socketPath: string
  readonly token: string
}

export interface HostLink {
  /** The way to the host that is connected; null while none is. */
  way(): Way | null
  /** Tries at once, also after it has given up. */
  retry(): void
  stop(): void
}

/** A way to wait that can be cut short. */
const pause = (): { wait(ms: number | null): Promise<void>; end(): void } => {
  let end = (): void => undefined
  return {
    wait: (ms) =>
      new Promise((resolve) => {
        const timer = ms === null ? undefined : setTimeout(resolve, ms)
        end = () => {
          clearTimeout(timer)
          resolve()
        }
      }),
    end: () => end(),
  }
}

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Keeps a connection to the host: finds or starts it, and again when it is lost, though not without end. */
export const createHostLink = ({ find, onClient, onAway }: HostLinkDeps): HostLink => {
  const startsAt: number[] = []
  const rest = pause()
  let stopped = false
  let current: Client | null = null
  let way: Way | null = null

  const oneConnection = async (): Promise<string> => {
    try {
      const found = await find()
      current = createClient(await connectFrames(found.socketPath), { token: found.token, client: 'electron' })
      await current.ready
      way = found
      onClient(current)
      return await current.closed
    } catch (error) {
      return message(error)
    } finally {
      current = null
      way = null
    }
  }

  const run = async (): Promise<void> => {
    while (!stopped) {
      const delay = restartIn(startsAt, Date.now())
      if (delay !== 0) await rest.wait(delay)
      if (stopped) return
      startsAt.push(Date.now())
      const why = await oneConnection()
      if (!stopped) onAway(why)
    }
  }
  void run()

  return {
    way: () => way,
    retry: () => {
      startsAt.length = 0
      rest.end()
    },
    stop: () => {
      stopped = true
      rest.end()
      current?.close()
    },
  }
}
