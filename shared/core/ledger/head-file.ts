import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
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
