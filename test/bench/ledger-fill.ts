import { hash } from 'node:crypto'
import BetterSqlite3 from 'better-sqlite3'
import { ID_ALPHABET, SessionId, ToolCallId } from '../../shared/contract/ids.ts'
import { openLedger } from '../../shared/core/ledger/ledger.ts'
import { canonicalJson, GENESIS, hashInput } from '../../shared/domain/ledger-chain.ts'

export const SESSIONS = 2_000
/** As a tool call's intent is. */
export const BODY = {
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
export const sessionOf = (n: number): SessionId =>
  SessionId.parse(`ses_${Array.from({ length: 12 }, (_, at) => ID_ALPHABET[Math.floor(n / ID_ALPHABET.length ** at) % ID_ALPHABET.length]).join('')}`)

/** Fills a ledger in few transactions: the same rows `append` would have made, sooner. */
export const fillLedger = (file: string, entries: number): void => {
  openLedger({ file, clock: { now: Date.now } }).close()
  const database = new BetterSqlite3(file)
  const insert = database.prepare('INSERT INTO entry (sequence, at, kind, session_id, body, previous_hash, hash, body_hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
  const text = canonicalJson(BODY)
  const sessions = Array.from({ length: SESSIONS }, (_, n) => sessionOf(n))
  const row = { at: Date.now(), kind: 'tool-call/intent', body: text, bodyHash: hash('sha256', text) }
  let previousHash = GENESIS.hash
  const add = database.transaction((from: number, to: number) => {
    for (let sequence = from; sequence <= to; sequence += 1) {
      const sessionId = sessions[Math.floor(sequence / 500) % SESSIONS] ?? null
      const own = hash('sha256', hashInput({ ...row, sessionId, sequence, previousHash }))
      insert.run(sequence, row.at, row.kind, sessionId, row.body, previousHash, own, row.bodyHash)
      previousHash = own
    }
  })
  for (let from = 1; from <= entries; from += 100_000) add(from, Math.min(from + 99_999, entries))
  database.close()
}
