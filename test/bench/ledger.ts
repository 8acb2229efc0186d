import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import { SessionId } from '../../shared/contract/ids.ts'
import { openLedger } from '../../shared/core/ledger/ledger.ts'
import { openSearchIndex, type Searched, type SearchIndex } from '../../shared/core/ledger/search-index.ts'
import { GENESIS } from '../../shared/domain/ledger-chain.ts'
import { BODY, fillLedger, sessionOf, SESSIONS } from './ledger-fill.ts'

/**
 * The ledger next to the bare database in the same run: one row per commit, every commit synced. Both write the same
 * columns and index and the same JSON of the same body; the bare one has no canonical form, hash, trigger or head file.
 * They take turns of a few hundred rows, and medians are printed, so that a disk that changes its mind meets both.
 *
 *   node test/bench/ledger.ts [entries]        default: 200000; 10000000 needs about 10 GB in the temporary folder
 */
const TURNS = 60
const APPENDS = 250
const ENTRIES = Number(process.argv[2] ?? 200_000)
const QUERIES = 200
const clock = { now: Date.now }
const sessionId = SessionId.parse('ses_bcdfghjkmnpq')
const scratch = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))

/** Times a second. */
const timed = (times: number, work: () => void): number => {
  const start = process.hrtime.bigint()
  for (let n = 1; n <= times; n += 1) work()
  return times / (Number(process.hrtime.bigint() - start) / 1e9)
}
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

const percentile95 = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.95) - 1] ?? 0
const openBare = (file: string) => {
  const database = new BetterSqlite3(file)
  for (const pragma of ['locking_mode = EXCLUSIVE', 'journal_mode = WAL', 'synchronous = FULL']) database.pragma(pragma)
  database.exec(`
    CREATE TABLE entry (sequence INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, session_id TEXT,
      body TEXT NOT NULL, previous_hash TEXT NOT NULL, hash TEXT NOT NULL, body_hash TEXT) STRICT;
    CREATE INDEX entry_by_session ON entry (session_id) WHERE session_id IS NOT NULL`)
  return database
}

const compareAppends = () => {
  const database = openBare(join(scratch, 'bare.db'))
  const ledger = openLedger({ file: join(scratch, 'ledger.db'), clock })
  const insert = database.prepare('INSERT INTO entry VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)')
  const bare: number[] = []
  const chained: number[] = []
  for (let turn = 0; turn < TURNS; turn += 1) {
    bare.push(timed(APPENDS, () => insert.run(clock.now(), 'tool-call/intent', sessionId, JSON.stringify(BODY), GENESIS.hash, GENESIS.hash, GENESIS.hash)))
    chained.push(timed(APPENDS, () => ledger.append('tool-call/intent', sessionId, BODY)))
  }
  database.close()
  ledger.close()
  return { bare: median(bare), chained: median(chained) }
}

try {
  const { bare, chained } = compareAppends()
  const big = join(scratch, 'big.db')
  fillLedger(big, ENTRIES)
  let search: SearchIndex | null = null
  const openSearch = (searched: Searched): SearchIndex => (search = openSearchIndex(join(scratch, 'search.db'), searched))
  const ledger = openLedger({ file: big, clock, openSearch })
  const indexing = timed(1, () => {
    while (search?.step() === true);
  })
  const verify: number[] = []
  for (let turn = 0; turn < (ENTRIES > 1_000_000 ? 1 : 5); turn += 1) {
    const start = performance.now()
    const { ok, entries } = await ledger.verify()
    if (!ok || entries !== ENTRIES) throw new Error('the filled ledger does not verify')
    verify.push(ENTRIES / ((performance.now() - start) / 1000))
  }
  /** What a dashboard asks: the newest, a session's newest, a page from the middle, a search through the newest. */
  const queries: Record<string, (n: number) => unknown> = {
    'newest 100': () => ledger.tail(100),
    'newest 100 of a session': (n) => ledger.tail(100, { sessionId: sessionOf((n * 7) % Math.min(SESSIONS, Math.ceil(ENTRIES / 500))) }),
    '100 from the middle': (n) => ledger.read({ after: (n * 7_919) % ENTRIES, limit: 100 }),
    'search for what all have': () => ledger.tail(100, { text: 'unit tests' }),
    'search for what none has': () => ledger.tail(100, { text: 'no entry has this' }),
    'search for common words never together': () => ledger.tail(100, { text: 'tests unit' }),
  }
  const p95 = Object.entries(queries).map(([what, ask]) => {
    const times = Array.from({ length: QUERIES }, (_, n) => 1_000 / timed(1, () => ask(n)))
    return { what: `${what}, p95 ms`, value: percentile95(times).toFixed(1), target: '<= 50' }
  })
  ledger.close()
  const searchBytes = statSync(join(scratch, 'search.db')).size

  const whole = (value: number) => Math.round(value).toLocaleString('en')
  console.table([
    { what: 'durable appends / s, bare better-sqlite3', value: whole(bare), target: '' },
    { what: 'durable appends / s, ledger', value: whole(chained), target: '' },
    { what: 'ledger / bare', value: (chained / bare).toFixed(2), target: '>= 0.90' },
    { what: `verify, entries / s, of ${whole(ENTRIES)}`, value: whole(median(verify)), target: '>= 200,000' },
    ...p95,
    { what: 'database KB / 1,000 calls (intent and outcome)', value: whole((statSync(big).size / ENTRIES) * 2), target: '' },
    { what: 'search index, entries taken up / s', value: whole(indexing * ENTRIES), target: '' },
    { what: 'search index KB / 1,000 calls', value: whole((searchBytes / ENTRIES) * 2), target: '' },
    { what: `load average while it ran, on ${cpus().length} cores`, value: (loadavg()[0] ?? 0).toFixed(1), target: '' },
  ])
} finally {
  rmSync(scratch, { recursive: true })
}
