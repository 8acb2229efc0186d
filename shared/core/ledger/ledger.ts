import { hash } from 'node:crypto'
import { HoldfastError } from '../../contract/errors.ts'
import { LedgerEntry, type LedgerKind, type LedgerVerification } from '../../contract/schemas/ledger.ts'
import {
  beginChain,
  canonicalJson,
  type ChainRow,
  endChain,
  GENESIS,
  hashInput,
  headFault,
  type LedgerHead,
  stepChain,
} from '../../domain/ledger-chain.ts'
import type { Clock, Ledger } from '../ports.ts'
import { closeDatabase, type Database, databaseError, inDatabaseWords, openDatabase } from '../storage/database.ts'
import { ledgerMigrations } from '../storage/migrations/ledger.ts'
import { readHeadFile, writeHeadFile } from './head-file.ts'

/** Longest body of an entry, in bytes of canonical JSON. */
export const MAX_BODY_BYTES = 256 * 1024

/** "HFLG" */
const APPLICATION_ID = 0x48464c47
/** The head kept beside the database lags behind by at most this long and this many entries. */
const HEAD_LAG_MS = 250
const HEAD_LAG_ENTRIES = 1_000

const COLUMNS = 'sequence, at, kind, session_id AS sessionId, body, previous_hash AS previousHash, hash'

export interface LedgerOptions {
  /** Absolute path of the database; its folder exists. The head is kept beside it, in `<file>.head`. */
  readonly file: string
  readonly clock: Clock
}

/**
 * Opens the audit log, creating it when there is none, and keeps every other process out until `close` or the end of
 * this one. Throws as `openDatabase` does.
 *
 * When the database does not reach the head kept beside it (its tail was cut, or an older copy put back), it opens
 * for `read` and `verify`, and `append` throws `ledger-unavailable`: nothing covers up what happened.
 * `append` also throws `bad-params` for a body that is not JSON or is longer than MAX_BODY_BYTES; the entry it returns
 * holds the body it was given.
 */
export const openLedger = ({ file, clock }: LedgerOptions): Ledger => {
  const database = openDatabase({ file, applicationId: APPLICATION_ID, migrations: ledgerMigrations })
  try {
    return inDatabaseWords(file, () => createLedger(database, file, clock))
  } catch (error) {
    closeDatabase(database)
    throw error
  }
}

const createLedger = (database: Database, file: string, clock: Clock): Ledger => {
  const insert = database.prepare<[number, number, string, string | null, string, string, string]>(
    'INSERT INTO entry (sequence, at, kind, session_id, body, previous_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?)',
  )
  const select = <Values extends unknown[]>(rest: string) =>
    database.prepare<Values, ChainRow>(`SELECT ${COLUMNS} FROM entry ${rest}`)
  const all = select<[]>('ORDER BY sequence')
  const one = select<[number]>('WHERE sequence = ?')
  const above = select<[number, number]>('WHERE sequence > ? ORDER BY sequence LIMIT ?')
  const aboveOfSession = select<[number, string, number]>(
    'WHERE sequence > ? AND session_id = ? ORDER BY sequence LIMIT ?',
  )
  const newest = select<[number]>('ORDER BY sequence DESC LIMIT ?')

  const headFile = `${file}.head`
  let head: LedgerHead = newest.get(1) ?? GENESIS
  let kept = readHeadFile(headFile)
  const hashAtKept = kept?.sequence === GENESIS.sequence ? GENESIS.hash : one.get(kept?.sequence ?? 0)?.hash
  const cut = headFault(kept, head, hashAtKept ?? null)

  const keepHead = (): void => {
    if (cut !== null || kept?.sequence === head.sequence) return
    writeHeadFile(headFile, head)
    kept = head
  }
  let timer: NodeJS.Timeout | undefined
  const keepHeadNow = (): void => {
    clearTimeout(timer)
    timer = undefined
    try {
      keepHead()
    } catch {
      // A head that lags behind is still a true one, and the next append tries again.
    }
  }
  const keepHeadSoon = (): void => {
    if (head.sequence - (kept?.sequence ?? 0) >= HEAD_LAG_ENTRIES) keepHeadNow()
    else timer ??= setTimeout(keepHeadNow, HEAD_LAG_MS).unref()
  }
  keepHead()

  const toEntry = (row: ChainRow): LedgerEntry => {
    try {
      const entry = { ...row, body: JSON.parse(row.body) as unknown }
      LedgerEntry.parse(entry)
      return entry as LedgerEntry
    } catch (cause) {
      throw new HoldfastError(
        'ledger-unavailable',
        `Entry ${row.sequence} of ${file} cannot be read. Run "holdfast ledger verify" to see what happened to it.`,
        { cause },
      )
    }
  }

  return {
    append(kind, sessionId, body) {
      const text = bodyText(kind, body)
      if (cut !== null) {
        throw new HoldfastError(
          'ledger-unavailable',
          `${file} does not match ${headFile} (${cut.message}), so nothing is added to it. Restore both from a ` +
            'backup, or move them and the files beside them away, as evidence, to begin a new ledger.',
        )
      }
      const at = clock.now()
      const chained = { sequence: head.sequence + 1, at, kind, sessionId, body: text, previousHash: head.hash }
      const own = sha256(hashInput(chained))
      inDatabaseWords(file, () => insert.run(chained.sequence, at, kind, sessionId, text, head.hash, own))
      head = { sequence: chained.sequence, hash: own }
      keepHeadSoon()
      return { ...chained, kind, body, hash: own }
    },

    read({ after, limit, sessionId }) {
      const rows = inDatabaseWords(file, () =>
        sessionId === undefined ? above.all(after, limit) : aboveOfSession.all(after, sessionId, limit),
      )
      return rows.map(toEntry)
    },

    tail(limit) {
      return inDatabaseWords(file, () => newest.all(limit)).reverse().map(toEntry)
    },

    verify() {
      let state = beginChain(cut === null ? head : kept)
      try {
        // What is cached says nothing about the file: read it anew.
        database.pragma('shrink_memory')
        for (const row of all.iterate()) state = stepChain(state, row, sha256)
        const verification = endChain(state)
        return verification.ok ? checkIndexes(verification) : verification
      } catch (error) {
        return unreadable(endChain(state), state.last.sequence + 1, databaseError(error, file).message)
      }
    },

    close() {
      if (!database.open) return
      keepHeadNow()
      closeDatabase(database)
    },
  }

  /** The chain proves the rows; this, that a search by session finds the same ones. */
  function checkIndexes(verification: LedgerVerification): LedgerVerification {
    const found = database.pragma('integrity_check(entry)', { simple: true })
    return found === 'ok' ? verification : unreadable(verification, 0, `${file} is damaged: ${String(found)}`)
  }
}

const sha256 = (text: string): string => hash('sha256', text)

const bodyText = (kind: LedgerKind, body: Record<string, unknown>): string => {
  const refuse = (why: string, cause?: unknown) =>
    new HoldfastError('bad-params', `A ${kind} entry cannot be recorded: ${why}.`, { cause })
  let text: string
  try {
    text = canonicalJson(body)
  } catch (cause) {
    throw refuse(cause instanceof Error ? cause.message : String(cause), cause)
  }
  const bytes = Buffer.byteLength(text)
  if (bytes > MAX_BODY_BYTES) throw refuse(`its body has ${bytes} bytes, the limit is ${MAX_BODY_BYTES}`)
  return text
}

const unreadable = (verification: LedgerVerification, sequence: number, message: string): LedgerVerification => ({
  ...verification,
  ok: false,
  faults: [
    ...verification.faults.filter((fault) => fault.sequence < sequence),
    { sequence, problem: 'unreadable', message },
  ],
})
