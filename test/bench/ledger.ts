import { hash } from 'node:crypto'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import { SessionId, ToolCallId } from '../../shared/contract/ids.ts'
import { openLedger } from '../../shared/core/ledger/ledger.ts'
import { canonicalJson, GENESIS, hashInput } from '../../shared/domain/ledger-chain.ts'

/**
 * The ledger next to the bare database in the same run: one row per commit, every commit synced. Both write the same
 * columns and index; the bare one gets its values ready-made, without canonical JSON, hash, triggers or head file.
 * They take turns of a few hundred rows, and medians are printed, so that a disk that changes its mind meets both.
 */
const TURNS = 60
const APPENDS = 250
const ENTRIES = 200_000
const clock = { now: Date.now }
const sessionId = SessionId.parse('ses_bcdfghjkmnpq')
const body = {
  toolCallId: ToolCallId.parse('call_bcdfghjkmnpq'),
  approvedBy: null,
  tool: 'Bash',
  input: { command: 'npm test -- --run test/unit/ledger-chain.test.ts', description: 'Run the unit tests', timeout: 120_000 },
  toolUseId: 'toolu_01A09q90qw90lq917835lq9',
  decision: {
    effect: 'allow' as const,
    classification: { class: 'read' as const, reasons: ['runs the tests of this project'] },
    rules: [{ rule: 'Bash(npm test:*)', effect: 'allow' as const, source: 'profiles/default.yaml:12' }],
  },
}
const scratch = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))

/** Times a second. */
const timed = (times: number, work: () => void): number => {
  const start = process.hrtime.bigint()
  for (let n = 1; n <= times; n += 1) work()
  return times / (Number(process.hrtime.bigint() - start) / 1e9)
}
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

const openBare = (file: string) => {
  const database = new BetterSqlite3(file)
  for (const pragma of ['locking_mode = EXCLUSIVE', 'journal_mode = WAL', 'synchronous = FULL']) database.pragma(pragma)
  database.exec(`
    CREATE TABLE entry (sequence INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, session_id TEXT,
      body TEXT NOT NULL, previous_hash TEXT NOT NULL, hash TEXT NOT NULL) STRICT;
    CREATE INDEX entry_by_session ON entry (session_id) WHERE session_id IS NOT NULL`)
  return database
}

const compareAppends = () => {
  const database = openBare(join(scratch, 'bare.db'))
  const ledger = openLedger({ file: join(scratch, 'ledger.db'), clock })
  const insert = database.prepare('INSERT INTO entry VALUES (NULL, ?, ?, ?, ?, ?, ?)')
  const text = canonicalJson(body)
  const bare: number[] = []
  const chained: number[] = []
  for (let turn = 0; turn < TURNS; turn += 1) {
    bare.push(timed(APPENDS, () => insert.run(clock.now(), 'tool-call/intent', sessionId, text, GENESIS.hash, GENESIS.hash)))
    chained.push(timed(APPENDS, () => ledger.append('tool-call/intent', sessionId, body)))
  }
  database.close()
  ledger.close()
  return { bare: median(bare), chained: median(chained) }
}

/** Fills a ledger in one transaction: the same rows `append` would have made, sooner. */
const fill = (file: string): void => {
  openLedger({ file, clock }).close()
  const database = new BetterSqlite3(file)
  const insert = database.prepare('INSERT INTO entry (sequence, at, kind, session_id, body, previous_hash, hash, body_hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
  const text = canonicalJson(body)
  const row = { at: clock.now(), kind: 'tool-call/intent', sessionId, body: text, bodyHash: hash('sha256', text) }
  let previousHash = GENESIS.hash
  database.transaction(() => {
    for (let sequence = 1; sequence <= ENTRIES; sequence += 1) {
      const own = hash('sha256', hashInput({ ...row, sequence, previousHash }))
      insert.run(sequence, row.at, row.kind, row.sessionId, row.body, previousHash, own, row.bodyHash)
      previousHash = own
    }
  })()
  database.close()
}

try {
  const { bare, chained } = compareAppends()
  const big = join(scratch, 'big.db')
  fill(big)
  const ledger = openLedger({ file: big, clock })
  const verify: number[] = []
  for (let turn = 0; turn < 5; turn += 1) {
    const start = performance.now()
    const { ok, entries } = await ledger.verify()
    if (!ok || entries !== ENTRIES) throw new Error('the filled ledger does not verify')
    verify.push(ENTRIES / ((performance.now() - start) / 1000))
  }
  ledger.close()

  const whole = (value: number) => Math.round(value).toLocaleString('en')
  console.table([
    { what: 'durable appends / s, bare better-sqlite3', median: whole(bare), target: '' },
    { what: 'durable appends / s, ledger', median: whole(chained), target: '' },
    { what: 'ledger / bare', median: (chained / bare).toFixed(2), target: '>= 0.90' },
    { what: `verify, entries / s, of ${whole(ENTRIES)}`, median: whole(median(verify)), target: '>= 200,000' },
    { what: 'database bytes / entry', median: whole(statSync(big).size / ENTRIES), target: '' },
  ])
} finally {
  rmSync(scratch, { recursive: true })
}
