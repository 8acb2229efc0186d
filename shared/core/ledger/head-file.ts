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
