import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SessionId, ToolCallId } from '../../shared/contract/ids.ts'
import { openLedger } from '../../shared/core/ledger/ledger.ts'
import { openSearchIndex, type Searched, type SearchIndex } from '../../shared/core/ledger/search-index.ts'
import type { Ledger } from '../../shared/core/ports.ts'
import { matcherOf, searchableText } from '../../shared/domain/ledger-search.ts'

const ONE = SessionId.parse('ses_222222222222')
const TWO = SessionId.parse('ses_bcdfghjkmnpq')
const CALL = ToolCallId.parse('call_222222222222')
let folder = ''
const opened: Ledger[] = []
let now = 1_000

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-search-'))
  now = 1_000
})
afterEach(() => {
  for (const ledger of opened.splice(0)) ledger.close()
  rmSync(folder, { recursive: true, force: true })
})

const index = (): string => join(folder, 'search.db')
let search: SearchIndex | null = null
const open = (name = 'ledger.db'): Ledger => {
  const openSearch = (searched: Searched): SearchIndex => (search = openSearchIndex(index(), searched))
  const ledger = openLedger({ file: join(folder, name), clock: { now: () => (now += 1) }, openSearch })
  opened.push(ledger)
  return ledger
}
const say = (ledger: Ledger, message: string, sessionId: SessionId | null = ONE): number => ledger.append('alarm/raised', sessionId, { message }).sequence
const found = (ledger: Ledger, text: string, more: object = {}): number[] => ledger.tail(100, { text, ...more }).entries.map(({ sequence }) => sequence)
/** Has the index take up everything, sooner than it would by itself. */
const takeUp = (ledger: Ledger): void => {
  while (search?.step() === true);
  expect(search?.reached()).toBe(ledger.tail(1).entries[0]?.sequence)
}

test('finds whole words one after the other in what an entry says and not in how it is written', () => {
  const ledger = open()
  const first = say(ledger, 'rm -rf build/tmp\nÜber_alles 42')
  const second = say(ledger, 'npm run build', TWO)
  const check = (): void => {
    expect(found(ledger, 'build')).toEqual([first, second])
    expect(found(ledger, 'RM -rf Build')).toEqual([first])
    expect(found(ledger, 'rf rm')).toEqual([])
    expect(found(ledger, 'über_ALLES 42')).toEqual([first])
    expect(found(ledger, 'über_al')).toEqual([])
    expect(found(ledger, '42')).toEqual([first])
    expect(found(ledger, '4')).toEqual([])
    expect(found(ledger, 'uild')).toEqual([])
    expect(found(ledger, 'message')).toEqual([])
    expect(found(ledger, '"; DROP')).toEqual([])
    expect(found(ledger, '&&')).toEqual([])
    expect(found(ledger, 'build', { sessionId: TWO })).toEqual([second])
    expect(found(ledger, 'build', { before: second })).toEqual([first])
    expect(found(ledger, 'build', { since: 1_002 })).toEqual([second])
    expect(found(ledger, 'build', { until: 1_002 })).toEqual([first])
    expect(ledger.read({ after: 0, limit: 1, text: 'build' })).toMatchObject({ entries: [{ sequence: first }], next: first })
    expect(ledger.read({ after: first, limit: 1, text: 'build' }).entries.map(({ sequence }) => sequence)).toEqual([second])
  }
  check()
  takeUp(ledger)
  check()
  const third = say(ledger, 'build again')
  expect(found(ledger, 'build')).toEqual([first, second, third])
})

test('finds the same with the index and without, for any text', () => {
  const word = fc.constantFrom('npm', 'run', 'ru', 'É_x', 'straße', 'x', '42', '１２', 'naïve', '日本', 'ΣΑΣ')
  const gap = fc.constantFrom(' ', '/', '-', '\n', '. ', '"', '_')
  const text = fc.array(fc.tuple(word, gap), { minLength: 1, maxLength: 5 }).map((parts) => parts.flat().join(''))
  const messages = fc.sample(text, 150)
  const ledger = open()
  for (const message of messages) say(ledger, message)
  takeUp(ledger)
  const plain = messages.map((message) => JSON.stringify({ message }))
  fc.assert(
    fc.property(text, (sought) => {
      const matches = matcherOf(sought)
      const expected = plain.flatMap((body, at) => (matches(body) ? [at + 1] : [])).slice(-100)
      expect(found(ledger, sought)).toEqual(expected)
    }),
    { numRuns: 150 },
  )
})

test('an index that is lost, damaged, of another format or of another ledger is made anew, for its owner alone', () => {
  const ledger = open()
  say(ledger, 'the needle')
  takeUp(ledger)
  expect(statSync(index()).mode & 0o777).toBe(0o600)
  ledger.close()
  const earlier = new BetterSqlite3(index())
  earlier.exec('DROP TABLE words_0; PRAGMA user_version = 0; CREATE VIRTUAL TABLE words USING fts5(body)')
  earlier.close()
  const migrated = open()
  takeUp(migrated)
  expect(found(migrated, 'needle')).toEqual([1])
  migrated.close()
  writeFileSync(index(), 'no database at all '.repeat(1_000))
  const again = open()
  expect(found(again, 'needle')).toEqual([1])
  takeUp(again)
  expect(found(again, 'needle')).toEqual([1])
  again.close()
  const other = open('other.db')
  say(other, 'hay')
  expect(found(other, 'needle')).toEqual([])
  takeUp(other)
  expect(found(other, 'hay')).toEqual([1])
  other.close()
  rmSync(index())
  expect(found(open(), 'needle')).toEqual([1])
})

test('what was pruned is in no index any more', async () => {
  const ledger = open()
  ledger.append('tool-call/outcome', ONE, { toolCallId: CALL, ok: true, summary: 'canaryword here', durationMs: 1 })
  say(ledger, 'stays')
  takeUp(ledger)
  expect(found(ledger, 'canaryword')).toEqual([1])
  await ledger.prune(now + 10)
  takeUp(ledger)
  expect(found(ledger, 'canaryword')).toEqual([])
  expect(found(ledger, 'stays')).toEqual([2])
  ledger.close()
  for (const name of [index(), `${index()}-wal`]) if (existsSync(name)) expect(readFileSync(name).includes('canaryword')).toBe(false)
})

test('a search through many entries goes on from page to page, forwards and backwards, and finds each once', () => {
  open().close()
  const database = new BetterSqlite3(join(folder, 'ledger.db'))
  database.exec(`
    DROP TRIGGER entry_insert;
    WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
    INSERT INTO entry SELECT i, i, 'alarm/raised', NULL, '{"message":"' || iif(i % 10000 = 1, 'rare one', 'one rare') || '"}', '${'0'.repeat(64)}', '${'0'.repeat(64)}', NULL FROM n`)
  database.close()
  rmSync(join(folder, 'ledger.db.head'))
  const ledger = open()
  takeUp(ledger)
  const forwards: number[] = []
  for (let after: number | null = 0; after !== null; ) {
    const page = ledger.read({ after, limit: 2, text: 'rare one' })
    forwards.push(...page.entries.map(({ sequence }) => sequence))
    after = page.next
  }
  const backwards: number[] = []
  for (let before: number | null | undefined; before !== null; ) {
    const page = ledger.tail(2, { text: 'rare one', before })
    backwards.unshift(...page.entries.map(({ sequence }) => sequence))
    before = page.next
  }
  expect(forwards).toEqual([1, 10_001, 20_001, 30_001, 40_001])
  expect(backwards).toEqual(forwards)
})

test('a body’s values are searched, at any depth, and a pruned one has none', () => {
  expect(searchableText('{"a":"one","b":{"c":["two",3,true,null]}}')).toBe('one\ntwo\n3\ntrue')
  expect(searchableText('')).toBe('')
})
