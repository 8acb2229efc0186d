import { hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { HoldfastError } from '../../contract/errors.ts'
import { LedgerEntry, type LedgerVerification } from '../../contract/schemas/ledger.ts'
import { GENESIS } from '../../domain/ledger-chain.ts'
import { jsonLine, toRow } from '../../domain/ledger-export.ts'
import { createLedgerProof } from '../../domain/ledger-verify.ts'
import { verifySignature } from './signing.ts'

/** Longest line of an export, in UTF-16 units: the largest body, escaped, and its frame. */
const MAX_LINE = 2_000_000

/** The lines of a UTF-8 text file, in constant memory. Throws HoldfastError `bad-params` for one that is too long. */
async function* linesOf(file: string): AsyncGenerator<string> {
  const tooLong = new HoldfastError('bad-params', `${file} is not an export of the ledger: a line is longer than any entry.`)
  let rest = ''
  for await (const chunk of createReadStream(file, { encoding: 'utf8' }) as AsyncIterable<string>) {
    const parts = (rest + chunk).split('\n')
    rest = parts.pop() ?? ''
    if (rest.length > MAX_LINE) throw tooLong
    yield* parts
  }
  if (rest !== '') yield rest
}

const parseLine = (line: string): LedgerEntry | null => {
  try {
    const entry = LedgerEntry.parse(JSON.parse(line))
    return jsonLine(entry) === line ? entry : null
  } catch {
    return null
  }
}

/**
 * Proves a JSON lines export with nothing but the file and a public key (as in LedgerSeal; null to check the chain
 * alone). How far it is signed is in `signed.through`: what stands after could be cut off, or made up, unseen.
 * Throws HoldfastError for a file that cannot be read.
 */
export const verifyExport = async (file: string, trustedKey: string | null): Promise<LedgerVerification> => {
  const proof = createLedgerProof({ expected: GENESIS, anchors: [], trustedKey, verifySignature, sha256: (text) => hash('sha256', text) })
  const told = (): LedgerVerification => {
    const { signed, ...verdict } = proof.end()
    return { ...verdict, signed: { ...signed, publicKey: trustedKey, problem: null } }
  }
  try {
    for await (const line of linesOf(file)) {
      const entry = parseLine(line)
      if (entry === null) {
        const sequence = proof.next()
        const verdict = told()
        const fault = { sequence, problem: 'unreadable' as const, message: `entry ${sequence}: its line is not one that an export holds` }
        return { ...verdict, ok: false, faults: [...verdict.faults, fault] }
      }
      proof.step(toRow(entry))
    }
  } catch (error) {
    if (error instanceof HoldfastError) throw error
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new HoldfastError('bad-params', `${file} cannot be read (${code}).`, { cause: error })
  }
  return told()
}
