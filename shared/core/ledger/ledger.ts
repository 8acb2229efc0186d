import { hash } from 'node:crypto'
import { setImmediate as breathe } from 'node:timers/promises'
import { HoldfastError } from '../../contract/errors.ts'
import { LedgerEntry, type LedgerFilter, type LedgerVerification } from '../../contract/schemas/ledger.ts'
import { type ChainRow, GENESIS, hashInput, headFault, type LedgerHead } from '../../domain/ledger-chain.ts'
import { filterOf } from '../../domain/ledger-filter.ts'
import { createSealBatch, parseSeal, sealText, type SealAnchor } from '../../domain/ledger-seal.ts'
import { CONTENT_KINDS, createLedgerProof } from '../../domain/ledger-verify.ts'
import type { Clock, Ledger } from '../ports.ts'
import { closeDatabase, type Database, databaseError, inDatabaseWords, openDatabase } from '../storage/database.ts'
import { ledgerMigrations } from '../storage/migrations/ledger.ts'
import { bodyText } from './body-text.ts'
import { type HeadFile, readHeadFile, writeHeadFile } from './head-file.ts'
import { createSessionIndexCheck } from './session-index.ts'
import { verifySignature } from './signing.ts'

/** "HFLG" */
const APPLICATION_ID = 0x48464c47
/** The head kept beside the database lags behind by at most this long and this many entries. */
const HEAD_LAG_MS = 250
const HEAD_LAG_ENTRIES = 1_000
/** What one `read` looks at and gives at most, so that it neither holds up the host nor overflows a frame. */
const MAX_SCANNED = 10_000
const MAX_PAGE_CHARACTERS = 2_000_000
/** SQLite's row ids lie between: wider than safe integers, and a forged row may have any. */
const LOWEST = -(2 ** 63)
const HIGHEST = 2 ** 63
/** Rows that verify and prune take before others get their turn. */
const CHUNK = 2_000

const COLUMNS = 'sequence, at, kind, session_id AS sessionId, body, body_hash AS bodyHash, previous_hash AS previousHash, hash'

export interface LedgerOptions {
  /** Absolute path of the database; its folder exists. The head is kept beside it, in `<file>.head`. */
  readonly file: string
  readonly clock: Clock
  /** Hears of each entry once it is durable. */
  readonly onAppended?: (entry: LedgerEntry) => void
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
export const openLedger = (options: LedgerOptions): Ledger => {
  const { file } = options
  const database = openDatabase({ file, applicationId: APPLICATION_ID, migrations: ledgerMigrations })
  try {
    return inDatabaseWords(file, () => createLedger(database, options))
  } catch (error) {
    closeDatabase(database)
    throw error
  }
}

const createLedger = (database: Database, { file, clock, onAppended }: LedgerOptions): Ledger => {
  const insert = database.prepare<[number, number, string, string | null, string, string, string, string]>(
    'INSERT INTO entry (sequence, at, kind, session_id, body, body_hash, previous_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
  )
  const select = <Values extends unknown[]>(rest: string) => database.prepare<Values, ChainRow>(`SELECT ${COLUMNS} FROM entry ${rest}`)
  const one = select<[number]>('WHERE sequence = ?')
  const above = select<[number]>('WHERE sequence > ? ORDER BY sequence')
  const aboveOfSession = select<[number, string]>('WHERE sequence > ? AND session_id = ? ORDER BY sequence')
  const below = select<[number]>('WHERE sequence < ? ORDER BY sequence DESC')
  const belowOfSession = select<[number, string]>('WHERE sequence < ? AND session_id = ? ORDER BY sequence DESC')
  const chunk = select<[number, number]>('WHERE sequence >= ? ORDER BY sequence LIMIT ?')

  const headFile = `${file}.head`
  let head: LedgerHead = below.get(HIGHEST) ?? GENESIS
  let kept = readHeadFile(headFile)
  const found = kept
  const hashAtKept = kept?.sequence === GENESIS.sequence ? GENESIS.hash : one.get(kept?.sequence ?? 0)?.hash
  const cut = headFault(kept, head, hashAtKept ?? null)
  let seal: SealAnchor | null = kept?.seal ?? null

  const keepHead = (): void => {
    if (cut !== null || (kept?.sequence === head.sequence && kept.seal?.to === seal?.to)) return
    const next: HeadFile = { sequence: head.sequence, hash: head.hash, seal }
    writeHeadFile(headFile, next)
    kept = next
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

  const toEntry = ({ body, ...row }: ChainRow): LedgerEntry => {
    const pruned = body === ''
    try {
      const entry = { ...row, body: pruned ? {} : (JSON.parse(body) as unknown), pruned }
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

  /** The rows that pass, and whether the walk ended at the last one there is; else `at` is the last one looked at. */
  const collect = (rows: Iterable<ChainRow>, limit: number, filter: LedgerFilter): { entries: LedgerEntry[]; at: number; isEnd: boolean } =>
    inDatabaseWords(file, () => {
      const passes = filterOf(filter)
      const entries: LedgerEntry[] = []
      let scanned = 0
      let characters = 0
      for (const row of rows) {
        scanned += 1
        if (passes(row)) {
          entries.push(toEntry(row))
          characters += row.body.length
        }
        if (entries.length >= limit || scanned >= MAX_SCANNED || characters >= MAX_PAGE_CHARACTERS) return { entries, at: row.sequence, isEnd: false }
      }
      return { entries, at: 0, isEnd: true }
    })

  /** The last sequence before `time`, as a clock that runs forward wrote them. */
  const lastBefore = (time: number): number => {
    let low = 0
    let high = head.sequence
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((one.get(middle)?.at ?? time) < time) low = middle
      else high = middle - 1
    }
    return low
  }

  const append: Ledger['append'] = (kind, sessionId, body) => {
    const text = bodyText(kind, body)
    if (cut !== null) {
      throw new HoldfastError(
        'ledger-unavailable',
        `${file} does not match ${headFile} (${cut.message}), so nothing is added to it. Restore both from a ` +
          'backup, or keep them as evidence and begin a new ledger: "holdfast ledger begin-anew".',
      )
    }
    const at = clock.now()
    const chained = { sequence: head.sequence + 1, at, kind, sessionId, body: text, bodyHash: sha256(text), previousHash: head.hash }
    const own = sha256(hashInput(chained))
    inDatabaseWords(file, () => insert.run(chained.sequence, at, kind, sessionId, text, chained.bodyHash, head.hash, own))
    head = { sequence: chained.sequence, hash: own }
    keepHeadSoon()
    const entry: LedgerEntry = { ...chained, body, pruned: false, hash: own }
    onAppended?.(entry)
    return entry
  }

  /** Verify and prune take turns: one would see the other half done. */
  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const done = turn.then(work)
    turn = done.catch(() => undefined)
    return done
  }

  return {
    append,

    read({ after, limit, ...filter }) {
      const { sessionId, since } = filter
      const from = since === undefined ? after : Math.max(after, inDatabaseWords(file, () => lastBefore(since)))
      const rows = sessionId === undefined ? above.iterate(from) : aboveOfSession.iterate(from, sessionId)
      const { entries, at, isEnd } = collect(rows, limit, filter)
      return { entries, next: isEnd ? null : at }
    },

    tail(limit, { before = HIGHEST, ...filter } = {}) {
      const { sessionId } = filter
      const rows = sessionId === undefined ? below.iterate(before) : belowOfSession.iterate(before, sessionId)
      const { entries, at, isEnd } = collect(rows, limit, filter)
      return { entries: entries.reverse(), next: isEnd ? null : at }
    },

    seal(signer) {
      const batch = createSealBatch(sha256)
      inDatabaseWords(file, () => {
        for (const row of above.iterate(seal?.to ?? 0)) {
          if (row.kind === 'ledger/sealed') {
            const { to, root } = parseSeal(row.body) ?? { to: 0, root: '' }
            if (to > (seal?.to ?? 0)) seal = { to, root }
            batch.clear()
          }
          batch.add(row)
        }
      })
      const claim = batch.claim()
      if (claim === null || claim.to - claim.from < 1) return null
      const entry = append('ledger/sealed', null, { ...claim, publicKey: signer.publicKey, signature: signer.sign(sealText(claim)) })
      seal = { to: claim.to, root: claim.root }
      keepHeadNow()
      return entry
    },

    verify: ({ trustedKey, anchors, problem } = { trustedKey: null, anchors: [], problem: null }) =>
      inTurn(async () => {
        const until = head.sequence
        const outside = [...anchors, ...[found?.seal, seal].filter((anchor) => anchor != null)]
        const proof = createLedgerProof({ expected: cut === null ? head : kept, sha256, verifySignature, trustedKey, anchors: outside })
        const told = (): LedgerVerification => {
          const { signed, ...verdict } = proof.end()
          return { ...verdict, signed: { ...signed, publicKey: trustedKey, problem } }
        }
        const index = createSessionIndexCheck(database)
        let from = LOWEST
        try {
          // What is cached says nothing about the file: read it anew.
          database.pragma('shrink_memory')
          for (;;) {
            const rows = chunk.all(from, CHUNK)
            // What came after the start is for the next verification.
            for (const row of rows) {
              if (row.sequence > until) break
              proof.step(row)
              index.step(row)
            }
            const end = rows.at(-1)
            if (end === undefined || rows.length < CHUNK || end.sequence >= until) break
            from = end.sequence + 1
            await breathe()
          }
          const verification = told()
          if (!verification.ok || index.holds(until)) return verification
          return unreadable(verification, 0, `${file} is damaged: its index by session does not fit its entries`)
        } catch (error) {
          return unreadable(told(), proof.next(), databaseError(error, file).message)
        }
      }),

    prune: (before) =>
      inTurn(async () => {
        const through = inDatabaseWords(file, () => lastBefore(before))
        if (through === 0) return { through, entries: 0 }
        append('ledger/pruned', null, { through, before })
        const kinds = [...CONTENT_KINDS]
        const empty = database.prepare(
          `UPDATE entry SET body = '' WHERE sequence > ? AND sequence <= ? AND body <> '' AND body_hash IS NOT NULL AND kind IN (${kinds.map(() => '?').join(', ')})`,
        )
        let entries = 0
        // Overwrites what is freed, so that it cannot be read out of the file.
        database.pragma('secure_delete = ON')
        for (let at = 0; at < through; at += CHUNK) {
          entries += inDatabaseWords(file, () => empty.run(at, Math.min(at + CHUNK, through), ...kinds).changes)
          await breathe()
        }
        database.pragma('wal_checkpoint(TRUNCATE)')
        return { through, entries }
      }),

    close() {
      if (!database.open) return
      keepHeadNow()
      closeDatabase(database)
    },
  }
}

const sha256 = (text: string): string => hash('sha256', text)

const unreadable = (verification: LedgerVerification, sequence: number, message: string): LedgerVerification => ({
  ...verification,
  ok: false,
  faults: [
    ...verification.faults.filter((fault) => fault.sequence < sequence),
    { sequence, problem: 'unreadable', message },
  ],
})
