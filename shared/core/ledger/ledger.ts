import { hash } from 'node:crypto'
import { setImmediate as breathe } from 'node:timers/promises'
import { HoldfastError } from '../../contract/errors.ts'
import type { SessionId } from '../../contract/ids.ts'
import type { LedgerBody } from '../../contract/schemas/ledger-bodies.ts'
import type { LedgerEntry, LedgerKind, LedgerVerification } from '../../contract/schemas/ledger.ts'
import { GENESIS, hashInput, headFault, type LedgerHead } from '../../domain/ledger-chain.ts'
import { createSealBatch, parseSeal, sealText, type SealAnchor } from '../../domain/ledger-seal.ts'
import { CONTENT_KINDS, createLedgerProof, unreadable } from '../../domain/ledger-verify.ts'
import type { Clock, Ledger } from '../ports.ts'
import { closeDatabase, type Database, databaseError, inDatabaseWords, openDatabase } from '../storage/database.ts'
import { openGroupSync } from '../storage/group-sync.ts'
import { ledgerMigrations } from '../storage/migrations/ledger.ts'
import { bodyText } from './body-text.ts'
import { createHeadKeeper, readHeadFile } from './head-file.ts'
import { createPageReader } from './read-pages.ts'
import { LOWEST, selectRows } from './rows.ts'
import type { Searched, SearchIndex } from './search-index.ts'
import { createSessionBlockCheck } from './session-blocks.ts'
import { verifySignature } from './signing.ts'

/** "HFLG" */
const APPLICATION_ID = 0x48464c47
/** How long an entry that announces no effect may wait for others to be made durable with. */
const LATER_MS = 20
/** Rows that verify and prune take before others get their turn. */
const CHUNK = 2_000
/**
 * Pages that the database's log gathers until they are moved into the database, which waits for the disk twice: twice SQLite's
 * own measure. With the header of each and one long entry more it is so many bytes.
 */
const LOG_PAGES = 2_000
const LOG_BYTES = (LOG_PAGES + 80) * 4_120

export interface LedgerOptions {
  /** Absolute path of the database; its folder exists. The head is kept beside it, in `<file>.head`. */
  readonly file: string
  readonly clock: Clock
  /** Opens an index for searches, which can be lost; without it a search looks through the entries. */
  readonly openSearch?: (searched: Searched) => SearchIndex
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

const createLedger = (database: Database, { file, clock, openSearch, onAppended }: LedgerOptions): Ledger => {
  const insert = database.prepare<[number, number, string, string | null, string, string, string, string]>(
    'INSERT INTO entry (sequence, at, kind, session_id, body, body_hash, previous_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
  )
  const one = selectRows<[number]>(database, 'WHERE sequence = ?')
  const above = selectRows<[number]>(database, 'WHERE sequence > ? ORDER BY sequence')
  const newest = selectRows<[]>(database, 'ORDER BY sequence DESC LIMIT 1')
  const chunk = selectRows<[number, number]>(database, 'WHERE sequence >= ? ORDER BY sequence LIMIT ?')

  const headFile = `${file}.head`
  let head: LedgerHead = newest.get() ?? GENESIS
  /** As far as all is known to be on disk; what came after it waits, in order, to be told of. */
  let durable = head
  const untold: LedgerEntry[] = []
  let later: NodeJS.Timeout | undefined
  let isOpen = true
  // With its log at hand, entries are made durable by us, one at a time or together; without, by the database.
  const groupSync = openGroupSync(`${file}-wal`, LOG_BYTES)
  if (groupSync !== null) database.pragma('synchronous = NORMAL')
  database.pragma(`wal_autocheckpoint = ${LOG_PAGES}`)
  const found = readHeadFile(headFile)
  const hashAtFound = found?.sequence === GENESIS.sequence ? GENESIS.hash : one.get(found?.sequence ?? 0)?.hash
  const cut = headFault(found, head, hashAtFound ?? null)
  let seal: SealAnchor | null = found?.seal ?? null

  const heads = createHeadKeeper({
    file: headFile,
    kept: found,
    present: () => (cut !== null || !isOpen ? null : { sequence: durable.sequence, hash: durable.hash, seal }),
  })
  heads.keep()

  const search = openSearch?.({ rowsAfter: (sequence, limit) => chunk.all(sequence + 1, limit), hashAt: (sequence) => one.get(sequence)?.hash ?? null }) ?? null
  const pages = createPageReader({ database, file, last: () => head.sequence, search })

  /** Chains and writes one entry; durable only where there is no `groupSync`. */
  const write = <Kind extends LedgerKind>(kind: Kind, sessionId: SessionId | null, body: LedgerBody<Kind>): LedgerEntry => {
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
    inDatabaseWords(file, () => insert.run(chained.sequence, at, kind, sessionId, text, chained.bodyHash, chained.previousHash, own))
    head = { sequence: chained.sequence, hash: own }
    const entry: LedgerEntry = { ...chained, body, pruned: false, hash: own }
    untold.push(entry)
    return entry
  }

  /** All up to this entry is on disk. */
  const settle = ({ sequence, hash: own }: LedgerEntry): void => {
    if (!isOpen) return
    if (sequence > durable.sequence) durable = { sequence, hash: own }
    heads.keepSoon()
    search?.saw()
    while (untold[0] !== undefined && untold[0].sequence <= durable.sequence) {
      const told = untold.shift()
      if (told !== undefined) onAppended?.(told)
    }
    // Nothing waits any more: where calls follow each other, the sync of one's intent was that of the last one's outcome.
    if (untold.length > 0) return
    clearTimeout(later)
    later = undefined
  }

  const append: Ledger['append'] = (kind, sessionId, body) => {
    const entry = write(kind, sessionId, body)
    inDatabaseWords(file, () => groupSync?.syncNow())
    settle(entry)
    return entry
  }

  const syncSoon = async (entry: LedgerEntry): Promise<LedgerEntry> => {
    await groupSync?.sync().catch((error: unknown) => {
      throw databaseError(error, file)
    })
    settle(entry)
    return entry
  }
  const appendSoon: Ledger['appendSoon'] = (kind, sessionId, body) => syncSoon(write(kind, sessionId, body))
  /** A failure to sync is met again by whoever appends next. */
  const appendLater: Ledger['appendLater'] = (kind, sessionId, body) => {
    const entry = write(kind, sessionId, body)
    later ??= setTimeout(() => {
      later = undefined
      const newest = untold.at(-1)
      if (newest !== undefined) syncSoon(newest).catch(() => undefined)
    }, LATER_MS)
    return entry
  }

  const closeGroupSync = (): void => {
    try {
      groupSync?.close()
      durable = head
    } catch {
      // What may not be on disk is not in the head that is kept.
    }
  }

  /** Verify and prune take turns: one would see the other half done. */
  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const done = turn.then(work)
    turn = done.catch(() => undefined)
    return done
  }

  return {
    append, appendSoon, appendLater,
    read: pages.read,
    tail: pages.tail,
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
      heads.keepNow()
      return entry
    },

    verify: ({ trustedKey, anchors, problem } = { trustedKey: null, anchors: [], problem: null }) =>
      inTurn(async () => {
        const until = head.sequence
        const outside = [...anchors, ...[found?.seal, seal].filter((anchor) => anchor != null)]
        const proof = createLedgerProof({ expected: cut === null ? head : found, sha256, verifySignature, trustedKey, anchors: outside })
        const told = (): LedgerVerification => {
          const { signed, ...verdict } = proof.end()
          return { ...verdict, signed: { ...signed, publicKey: trustedKey, problem } }
        }
        const blocks = createSessionBlockCheck(database, until)
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
              blocks.step(row)
            }
            const end = rows.at(-1)
            if (end === undefined || rows.length < CHUNK || end.sequence >= until) break
            from = end.sequence + 1
            await breathe()
          }
          const verification = told()
          if (!verification.ok || blocks.holds()) return verification
          return unreadable(verification, 0, `${file} is damaged: where it notes the entries of sessions does not fit them`)
        } catch (error) {
          return unreadable(told(), proof.next(), databaseError(error, file).message)
        }
      }),

    prune: (before) =>
      inTurn(async () => {
        const through = pages.lastBefore(before)
        if (through === 0) return { through, entries: 0 }
        append('ledger/pruned', null, { through, before })
        const kinds = [...CONTENT_KINDS]
        const empty = database.prepare(
          `UPDATE entry SET body = '' WHERE sequence > ? AND sequence <= ? AND body <> '' AND body_hash IS NOT NULL AND kind IN (${kinds.map(() => '?').join(', ')})`,
        )
        const emptyAll = async () => {
          let entries = 0
          // Overwrites what is freed, so that it cannot be read out of the file.
          database.pragma('secure_delete = ON')
          for (let at = 0; at < through; at += CHUNK) {
            entries += inDatabaseWords(file, () => empty.run(at, Math.min(at + CHUNK, through), ...kinds).changes)
            await breathe()
          }
          database.pragma('wal_checkpoint(TRUNCATE)')
          return { through, entries }
        }
        return search === null ? emptyAll() : search.whileForgetting(emptyAll)
      }),

    close() {
      if (!isOpen) return
      clearTimeout(later)
      closeGroupSync()
      heads.keepNow()
      search?.close()
      isOpen = false
      closeDatabase(database)
    },
  }
}

const sha256 = (text: string): string => hash('sha256', text)
