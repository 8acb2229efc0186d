import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { z } from 'zod'
import { LedgerSeal } from '../../contract/schemas/ledger.ts'

const SealAnchor = LedgerSeal.pick({ to: true, root: true })
const HeadFile = z.object({
  sequence: z.number().int().nonnegative(),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  /** The newest seal then. */
  seal: SealAnchor.nullable().default(null),
})
export type HeadFile = z.infer<typeof HeadFile>

/** The head kept outside the database, or null when the file is missing or no head. */
export const readHeadFile = (file: string): HeadFile | null => {
  try {
    return HeadFile.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    return null
  }
}

/** Replaces the file as a whole (0600), on disk before it takes the old one's place. Throws as the file system does. */
export const writeHeadFile = (file: string, head: HeadFile): void => {
  const aside = `${file}.new`
  const handle = openSync(aside, 'w', 0o600)
  try {
    writeSync(handle, `${JSON.stringify(head)}\n`)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  renameSync(aside, file)
}

/** The same, while other work goes on. Not where `isStill` says at its end that another has been written meanwhile: false then. */
export const writeHeadFileSoon = async (file: string, head: HeadFile, isStill: () => boolean): Promise<boolean> => {
  const aside = `${file}.soon`
  const handle = await open(aside, 'w', 0o600)
  try {
    await handle.writeFile(`${JSON.stringify(head)}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  if (!isStill()) return false
  renameSync(aside, file)
  return true
}

/** The head kept beside the database lags behind by at most this long and this many entries. */
const LAG_MS = 250
const LAG_ENTRIES = 2_000

export interface HeadKeeperDeps {
  readonly file: string
  /** What the file holds now. */
  readonly kept: HeadFile | null
  /** The head that is on disk for sure; null when none may be kept any more. */
  readonly present: () => HeadFile | null
}

/** Keeps the head of a ledger beside it. */
export interface HeadKeeper {
  /** Throws as the file system does. */
  keep(): void
  /** The same; a head that could not be written lags behind, is still a true one, and is tried again with the next. */
  keepNow(): void
  /** Within the lag, while other work goes on. */
  keepSoon(): void
}

export const createHeadKeeper = ({ file, kept: found, present }: HeadKeeperDeps): HeadKeeper => {
  let kept = found
  let timer: NodeJS.Timeout | undefined

  const next = (): HeadFile | null => {
    const head = present()
    return head === null || (kept?.sequence === head.sequence && kept.seal?.to === head.seal?.to) ? null : head
  }
  const keep = (): void => {
    const head = next()
    if (head === null) return
    writeHeadFile(file, head)
    kept = head
  }
  const keepNow = (): void => {
    clearTimeout(timer)
    timer = undefined
    try {
      keep()
    } catch {
      // See `keepNow`.
    }
  }
  const keepAside = async (): Promise<void> => {
    const head = next()
    const before = kept
    try {
      if (head !== null && (await writeHeadFileSoon(file, head, () => kept === before && present() !== null))) kept = head
    } catch {
      // As above.
    }
    timer = undefined
    const now = present()
    if (now !== null && now.sequence > (head?.sequence ?? now.sequence)) keepSoon()
  }
  const keepSoon = (): void => {
    if ((present()?.sequence ?? 0) - (kept?.sequence ?? 0) >= LAG_ENTRIES) keepNow()
    else timer ??= setTimeout(() => void keepAside(), LAG_MS).unref()
  }
  return { keep, keepNow, keepSoon }
}
