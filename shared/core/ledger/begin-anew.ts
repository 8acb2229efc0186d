import { createHash } from 'node:crypto'
import { createReadStream, existsSync, renameSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { HoldfastError } from '../../contract/errors.ts'
import type { Clock } from '../ports.ts'
import { readHeadFile } from './head-file.ts'
import { openLedger } from './ledger.ts'

const fileHash = async (file: string): Promise<string> => {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}

/**
 * Keeps a ledger, whatever state it is in, under another name beside its own, and begins a new one whose first entry
 * points to it: its name, the SHA-256 of its file and the last head known. For a person alone to decide. Resolves with
 * the kept file. Throws HoldfastError `host-busy` while a host uses it, and `not-found` when there is none.
 */
export const beginAnew = async ({ file, clock }: { file: string; clock: Clock }): Promise<string> => {
  if (!existsSync(file)) throw new HoldfastError('not-found', `There is no ledger at ${file}: the next start of the host begins one.`)
  try {
    openLedger({ file, clock }).close()
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code === 'host-busy') throw error
  }
  const stamp = new Date(clock.now()).toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const kept = join(dirname(file), `ledger-until-${stamp}.db`)
  const head = readHeadFile(`${file}.head`)
  // The head goes last: cut short before that, what is there does not fit it, and no host adds to it.
  for (const suffix of ['', '-wal', '-shm', '.head']) if (existsSync(`${file}${suffix}`)) renameSync(`${file}${suffix}`, `${kept}${suffix}`)
  const ledger = openLedger({ file, clock })
  ledger.append('ledger/began', null, {
    previous: { file: basename(kept), sha256: await fileHash(kept), head: head === null ? null : { sequence: head.sequence, hash: head.hash } },
  })
  ledger.close()
  return kept
}
