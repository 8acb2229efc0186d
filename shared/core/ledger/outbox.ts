import { readFileSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { HoldfastError } from '../../contract/errors.ts'
import type { LedgerEntry } from '../../contract/schemas/ledger.ts'
import { createProcessLock } from '../storage/process-lock.ts'

const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 60_000
/** How long to look whether another sender is done, before a wait. */
const TURN_MS = 100

/** `hash` is of the last entry that was sent; `sending` ends the batch that was under way. Older files have neither. */
const Cursor = z.object({ url: z.string(), sequence: z.number().int().nonnegative(), hash: z.string().optional(), sending: z.number().int().positive().optional() })
type Cursor = z.infer<typeof Cursor>

/** Why a delivery failed, for a person, and whether to try again. */
export interface Failure {
  readonly problem: string
  readonly retry: boolean
}

/** Does what `attempt` does until that gives null. Throws HoldfastError `internal` when it is given up. */
export type Persist = (attempt: () => Promise<Failure | null>) => Promise<void>

export interface Page {
  readonly entries: readonly LedgerEntry[]
  readonly next: number | null
}

/** How far the receiver got, and why it does not get more; null when it does. */
export interface Progress {
  readonly sequence: number
  readonly problem: string | null
}

export interface OutboxDeps {
  /** Where the entries go. */
  readonly to: string
  /** Where it is kept how far they got: the ledger itself is the queue. */
  readonly cursorFile: string
  /** The entries after `after`, and where to go on. */
  readonly read: (after: number) => Promise<Page>
  readonly deliver: (entries: readonly LedgerEntry[], persist: Persist) => Promise<void>
  readonly wait: (ms: number) => Promise<void>
  /** Gives up after so many tries of one delivery; Infinity never does. */
  readonly tries: number
  /** Told when entries cannot be delivered, and when they can again. */
  readonly say: (line: string) => void
  readonly onProgress?: (progress: Progress) => void
}

/**
 * Delivers what has not been delivered yet, oldest first, and resolves with how many entries that was. The place is kept
 * on disk around each batch, so that a receiver that is down, or an end of this process, loses nothing: what waits is in the
 * ledger, which its own retention bounds, and it is told when that emptied something first. A batch that was cut off is
 * delivered again as it was, and nothing else twice. Senders that share a place, as the host's and a command line's to one
 * receiver, take turns: each goes on where the other got to. Another ledger in the place of this one is sent from its first entry.
 * Throws HoldfastError `internal` when it gives up.
 */
export const createOutbox = ({ to, cursorFile, read, deliver, wait, tries, say, onProgress }: OutboxDeps): (() => Promise<number>) => {
  const beginning: Cursor = { url: to, sequence: 0 }
  const readCursor = (): Cursor => {
    try {
      const cursor = Cursor.parse(JSON.parse(readFileSync(cursorFile, 'utf8')))
      return cursor.url === to ? cursor : beginning
    } catch {
      return beginning
    }
  }
  let place: Cursor | null = null
  const keep = async (cursor: Cursor): Promise<void> => {
    const aside = `${cursorFile}.${process.pid}`
    await writeFile(aside, JSON.stringify(cursor), { mode: 0o600 })
    await rename(aside, cursorFile)
    place = cursor
  }
  /** Where the ledger is another than the one that was sent, it begins at the first entry. */
  const resume = async (): Promise<Cursor> => {
    const cursor = readCursor()
    if (cursor.sequence === 0 || cursor.hash === undefined) return cursor
    const { entries } = await read(cursor.sequence - 1)
    return entries[0]?.hash === cursor.hash ? cursor : beginning
  }

  const tell = (problem: string | null): void => onProgress?.({ sequence: place?.sequence ?? 0, problem })
  const persist: Persist = async (attempt) => {
    for (let tried = 1; ; tried += 1) {
      const failure = await attempt()
      if (failure === null) {
        if (tried > 1) say('The collector takes entries again.')
        return
      }
      const problem = `The collector at ${to} does not take entries (${failure.problem})`
      tell(problem)
      if (!failure.retry || tried >= tries) {
        throw new HoldfastError('internal', `The collector at ${to} did not take entries (${failure.problem}). Nothing is lost: what it has not got is sent the next time.`)
      }
      if (tried === 1) say(`${problem}; trying again.`)
      await wait(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (tried - 1)))
    }
  }

  const turn = createProcessLock(`${cursorFile}.lock`, TURN_MS)
  const takeTurn = async (): Promise<void> => {
    for (let tried = 1; ; tried += 1) {
      try {
        if (await turn.acquire()) place = null
        return
      } catch (error) {
        if (!(error instanceof HoldfastError && error.code === 'host-busy')) throw error
        if (tried >= tries) throw new HoldfastError('internal', `Another process of Holdfast is sending to ${to}, and has not got through yet. Nothing is lost: it sends what is left.`)
        tell(`Another process of Holdfast is sending to ${to}`)
        await wait(FIRST_WAIT_MS)
      }
    }
  }

  const sendAll = async (): Promise<number> => {
    let sent = 0
    place ??= await resume()
    tell(null)
    for (let after: number | null = place.sequence; after !== null; ) {
      const page: Page = await read(after)
      const { sending = Infinity } = place
      const begun = page.entries.filter(({ sequence }) => sequence <= sending)
      const entries = begun.length === 0 ? page.entries : begun
      const last = entries.at(-1)
      if (last === undefined) after = page.next
      else {
        const emptied = entries.filter(({ pruned }) => pruned).length
        if (emptied > 0) say(`${emptied} of the next ${entries.length} entries were pruned before the collector had them: they come without content.`)
        await keep({ ...place, sending: last.sequence })
        await deliver(entries, persist)
        await keep({ url: to, sequence: last.sequence, hash: last.hash })
        tell(null)
        sent += entries.length
        after = entries.length < page.entries.length ? last.sequence : page.next
      }
    }
    return sent
  }

  return async () => {
    await takeTurn()
    try {
      return await sendAll()
    } finally {
      turn.release()
    }
  }
}
