import { readFileSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { HoldfastError } from '../../contract/errors.ts'
import type { LedgerEntry } from '../../contract/schemas/ledger.ts'

const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 60_000

const Cursor = z.object({ url: z.string(), sequence: z.number().int().nonnegative() })

/** Why a delivery failed, for a person, and whether to try again. */
export interface Failure {
  readonly problem: string
  readonly retry: boolean
}

/** Does what `attempt` does until that gives null. Throws HoldfastError `internal` when it is given up. */
export type Persist = (attempt: () => Promise<Failure | null>) => Promise<void>

export interface OutboxDeps {
  /** Where the entries go. */
  readonly to: string
  /** Where it is kept how far they got: the ledger itself is the queue. */
  readonly cursorFile: string
  /** The entries after `after`, and where to go on. */
  readonly read: (after: number) => Promise<{ entries: readonly LedgerEntry[]; next: number | null }>
  readonly deliver: (entries: readonly LedgerEntry[], persist: Persist) => Promise<void>
  readonly wait: (ms: number) => Promise<void>
  /** Gives up after so many tries of one delivery; Infinity never does. */
  readonly tries: number
  /** Told when entries cannot be delivered, and when they can again. */
  readonly say: (line: string) => void
}

/**
 * Delivers what has not been delivered yet, oldest first, and resolves with how many entries that was. The place is kept
 * on disk after each batch, so that a receiver that is down, or an end of this process, loses nothing: what waits is in the
 * ledger, which its own retention bounds, and it is told when that emptied something first. A batch that was cut off is
 * delivered again as it was. Throws HoldfastError `internal` when it gives up.
 */
export const createOutbox = ({ to, cursorFile, read, deliver, wait, tries, say }: OutboxDeps): (() => Promise<number>) => {
  const readCursor = (): number => {
    try {
      const cursor = Cursor.parse(JSON.parse(readFileSync(cursorFile, 'utf8')))
      return cursor.url === to ? cursor.sequence : 0
    } catch {
      return 0
    }
  }
  const keepCursor = async (sequence: number): Promise<void> => {
    await writeFile(`${cursorFile}.new`, JSON.stringify({ url: to, sequence }), { mode: 0o600 })
    await rename(`${cursorFile}.new`, cursorFile)
  }

  const persist: Persist = async (attempt) => {
    for (let tried = 1; ; tried += 1) {
      const failure = await attempt()
      if (failure === null) {
        if (tried > 1) say('The collector takes entries again.')
        return
      }
      if (!failure.retry || tried >= tries) {
        throw new HoldfastError('internal', `The collector at ${to} did not take entries (${failure.problem}). Nothing is lost: what it has not got is sent the next time.`)
      }
      if (tried === 1) say(`The collector at ${to} does not take entries (${failure.problem}); trying again.`)
      await wait(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (tried - 1)))
    }
  }

  return async () => {
    let sent = 0
    for (let after: number | null = readCursor(); after !== null; ) {
      const page: { entries: readonly LedgerEntry[]; next: number | null } = await read(after)
      const last = page.entries.at(-1)
      if (last !== undefined) {
        const emptied = page.entries.filter(({ pruned }) => pruned).length
        if (emptied > 0) say(`${emptied} of the next ${page.entries.length} entries were pruned before the collector had them: they come without content.`)
        await deliver(page.entries, persist)
        await keepCursor(last.sequence)
        sent += page.entries.length
      }
      after = page.next
    }
    return sent
  }
}
