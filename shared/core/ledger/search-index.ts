import { chmodSync, closeSync, openSync, rmSync } from 'node:fs'
import BetterSqlite3 from 'better-sqlite3'
import { GENESIS, type ChainRow, type LedgerHead } from '../../domain/ledger-chain.ts'
import { matchQuery, searchableText } from '../../domain/ledger-search.ts'

/** Entries taken up at a time, a few ms of work; and how long new ones wait for company. */
const BATCH = 100
const WAIT_MS = 200

/**
 * Entries of one table of words. FTS5 looks for the first match without regard to where a search is to end, which took
 * seconds for common words that are never together in ten million entries.
 */
export const SHARD = 20_000
/** The shard that an entry is in. */
const shardOf = (sequence: number): number => Math.floor((sequence - 1) / SHARD)

const FORMAT = 2
const SCHEMA = `
  PRAGMA user_version = ${FORMAT};
  CREATE TABLE reached (sequence INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;
`
const shardSchema = (shard: number): string =>
  `CREATE VIRTUAL TABLE IF NOT EXISTS words_${shard} USING fts5(body, content='', columnsize=0, tokenize="unicode61 remove_diacritics 0 tokenchars '_'")`

/**
 * Words of the entries, for searching: a file beside the ledger that can be lost and is made anew. It proves nothing,
 * and each entry that it names is read from the ledger itself.
 */
export interface SearchIndex {
  /** Entries 1 to here are in it. */
  reached(): number
  /** Sequences of entries with these words (see domain/ledger-search), above `after` and below `before`, in this order. */
  find(text: string, after: number, before: number, order: 'ASC' | 'DESC'): IterableIterator<number>
  /** There are new entries, which are taken up soon. */
  saw(): void
  /** Takes up a batch; false when there was none. */
  step(): boolean
  /** Forgets everything, while entries are emptied; what is left of them is taken up after that. */
  whileForgetting<Result>(work: () => Promise<Result>): Promise<Result>
  close(): void
}

/** What an index is of. */
export interface Searched {
  /** Rows of the ledger, oldest first, above a sequence. */
  readonly rowsAfter: (sequence: number, limit: number) => readonly ChainRow[]
  readonly hashAt: (sequence: number) => string | null
}

const remove = (file: string): void => {
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true })
}

const openFile = (file: string): BetterSqlite3.Database => {
  closeSync(openSync(file, 'a', 0o600))
  chmodSync(file, 0o600)
  const database = new BetterSqlite3(file)
  try {
    for (const pragma of ['locking_mode = EXCLUSIVE', 'journal_mode = WAL', 'synchronous = NORMAL']) database.pragma(pragma)
    if (database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined) database.exec(`BEGIN; ${SCHEMA} COMMIT`)
    if (database.pragma('user_version', { simple: true }) !== FORMAT) throw new Error('an index of another format')
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/**
 * Opens it, or makes it anew where it is damaged or of another ledger. `file` is absolute, its folder exists, and nothing
 * else uses it. Throws as SQLite does where it can be neither.
 */
export const openSearchIndex = (file: string, { rowsAfter, hashAt }: Searched): SearchIndex => {
  const readHead = (from: BetterSqlite3.Database): LedgerHead => from.prepare<[], LedgerHead>('SELECT sequence, hash FROM reached').get() ?? GENESIS
  const openFitting = (): { database: BetterSqlite3.Database; head: LedgerHead } => {
    let database: BetterSqlite3.Database | null = null
    try {
      database = openFile(file)
      const head = readHead(database)
      if (head.sequence === 0 || hashAt(head.sequence) === head.hash) return { database, head }
    } catch {
      // Damaged, or of another format: what it held is in the ledger.
    }
    database?.close()
    remove(file)
    return { database: openFile(file), head: GENESIS }
  }

  let { database, head } = openFitting()
  let isForgetting = false
  let timer: NodeJS.Timeout | undefined

  const step = (): boolean => {
    const rows = isForgetting || !database.open ? [] : rowsAfter(head.sequence, BATCH)
    const last = rows.at(-1)
    if (last === undefined) return false
    database.transaction(() => {
      for (const [shard, own] of Map.groupBy(rows, ({ sequence }) => shardOf(sequence))) {
        database.exec(shardSchema(shard))
        const add = database.prepare<[number, string]>(`INSERT INTO words_${shard} (rowid, body) VALUES (?, ?)`)
        for (const { sequence, body } of own) if (body !== '') add.run(sequence, searchableText(body))
      }
      database.exec('DELETE FROM reached')
      database.prepare('INSERT INTO reached VALUES (?, ?)').run(last.sequence, last.hash)
    })()
    head = last
    return true
  }

  const startAnew = (): void => {
    database.close()
    remove(file)
    database = openFile(file)
    head = GENESIS
  }

  const goOn = (): void => {
    timer = undefined
    try {
      if (!step()) return
    } catch {
      // A full disk: what is not in it is searched in the ledger itself.
      return
    }
    timer = setTimeout(goOn, 1).unref()
  }
  const saw = (): void => void (timer ??= setTimeout(goOn, WAIT_MS).unref())
  saw()

  return {
    reached: () => head.sequence,
    *find(text, after, before, order) {
      const query = matchQuery(text)
      if (query === null) return
      const [first, last] = [shardOf(Math.max(after, 0) + 1), shardOf(Math.min(before - 1, head.sequence))]
      const shards = Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => (order === 'ASC' ? first + n : last - n))
      for (const shard of shards) {
        const words = `words_${shard}`
        const found = database.prepare<[string, number, number], number>(`SELECT rowid FROM ${words} WHERE ${words} MATCH ? AND rowid > ? AND rowid < ? ORDER BY rowid ${order}`).pluck()
        yield* found.iterate(query, after, before)
      }
    },
    saw,
    step,
    whileForgetting: async (work) => {
      isForgetting = true
      startAnew()
      try {
        return await work()
      } finally {
        isForgetting = false
        saw()
      }
    },
    close: () => {
      clearTimeout(timer)
      database.close()
    },
  }
}
