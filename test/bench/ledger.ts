import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import { SessionId } from '../../shared/contract/ids.ts'
import { openLedger } from '../../shared/core/ledger/ledger.ts'
import { GENESIS } from '../../shared/domain/ledger-chain.ts'
import { BODY, fillLedger } from './ledger-fill.ts'
import { median, timed, whole } from './numbers.ts'

/**
 * The ledger next to the bare database in the same run: one row per commit, every commit synced. Both write the same
 * columns and the same JSON of the same body, and both find a session's entries: the bare one by an index, the ledger by
 * the blocks it notes. The bare one has no canonical form, hash, trigger or head file.
 * They take turns of a few hundred rows, and medians are printed, so that a disk that changes its mind meets both.
 * What a large ledger is asked is in ledger-queries.ts.
 *
 *   node test/bench/ledger.ts [entries to verify]        default: 300000
 */
const TURNS = 60
const APPENDS = 250
const ENTRIES = Number(process.argv[2] ?? 300_000)
const VERIFICATIONS = 5
const clock = { now: Date.now }
const sessionId = SessionId.parse('ses_bcdfghjkmnpq')
const scratch = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))

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
  const seconds = (rates: readonly number[]): number => rates.reduce((sum, rate) => sum + APPENDS / rate, 0)
  return { bare: median(bare), chained: median(chained), ratio: median(chained.map((rate, turn) => rate / (bare[turn] ?? 0))), whole: seconds(bare) / seconds(chained) }
}

const verifyRate = async (): Promise<number> => {
  const file = join(scratch, 'big.db')
  fillLedger(file, ENTRIES)
  const ledger = openLedger({ file, clock })
  const rates: number[] = []
  for (let turn = 0; turn < VERIFICATIONS; turn += 1) {
    const start = performance.now()
    const { ok, entries } = await ledger.verify()
    if (!ok || entries !== ENTRIES) throw new Error('the filled ledger does not verify')
    rates.push(ENTRIES / ((performance.now() - start) / 1_000))
  }
  ledger.close()
  return median(rates)
}

try {
  const { bare, chained, ratio, whole: ofAll } = compareAppends()
  console.table([
    { what: 'durable appends / s, bare better-sqlite3', value: whole(bare), target: '' },
    { what: 'durable appends / s, ledger', value: whole(chained), target: '' },
    { what: 'ledger / bare, of turns that followed each other', value: ratio.toFixed(2), target: '>= 0.90' },
    { what: 'ledger / bare, of all the time that each took', value: ofAll.toFixed(2), target: '>= 0.90' },
    { what: `verify, entries / s, of ${whole(ENTRIES)}`, value: whole(await verifyRate()), target: '>= 200,000' },
    { what: `load average while it ran, on ${cpus().length} cores`, value: (loadavg()[0] ?? 0).toFixed(1), target: '' },
  ])
} finally {
  rmSync(scratch, { recursive: true })
}
