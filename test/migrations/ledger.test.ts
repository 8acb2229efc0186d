import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SessionId } from '../../shared/contract/ids.ts'
import { bodyOf } from '../../shared/contract/schemas/ledger-bodies.ts'
import { openLedger } from '../../shared/core/ledger/ledger.ts'
import { generateKey, signerOf } from '../../shared/core/ledger/signing.ts'

/** The head file as each format left it beside its ledger. */
const HEADS = {
  1: '{"sequence":18,"hash":"e22f355179fe14590834cfe081f6292bd51fae826a30000a97a39ebfacca4fbc"}',
  2: '{"sequence":42,"hash":"0520115faf7af3030d87bc6ab50697452217d0e5de7b5f10ae224dbdea02e85a","seal":{"to":41,"root":"524fa3538af098f1ebff64f203f416acd25b929116390806cab3233c49657963"}}',
}
/** The key that sealed the ledger of format 2. */
const KEY = 'MCowBQYDK2VwAyEAyAfBlj44qjk0NfL0PcfHTu5PA/QBSZ/LJgwjgU3tNPE='

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-migrations-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const restore = (name: string, format: keyof typeof HEADS = 1): string => {
  const file = join(folder, name)
  const database = new BetterSqlite3(file)
  database.exec(readFileSync(new URL(`./ledger-${format}.sql`, import.meta.url), 'utf8'))
  database.close()
  writeFileSync(`${file}.head`, HEADS[format])
  return file
}
const open = (file: string) => openLedger({ file, clock: { now: () => 1_800_000_000_000 } })

test('a ledger of format 1 opens, keeps every hash, and verifies together with what is added', async () => {
  const file = restore('whole.db')
  const ledger = open(file)
  const before = ledger.read({ after: 0, limit: 100 }).entries
  expect(before).toHaveLength(18)
  expect(before.at(-1)).toMatchObject({ hash: JSON.parse(HEADS[1]).hash as string, bodyHash: null, pruned: false })
  ledger.append('session/resumed', SessionId.parse('ses_222222222222'), {})
  const signer = signerOf(generateKey())
  ledger.seal(signer)
  ledger.close()
  const again = open(file)
  expect(again.read({ after: 0, limit: 18 }).entries).toEqual(before)
  expect(await again.verify({ trustedKey: signer.publicKey, anchors: [], problem: null })).toMatchObject({ ok: true, entries: 20, signed: { through: 19, seals: 1 } })
  again.close()
})

test('every kind of entry that format 1 wrote still reads as its schema says', () => {
  const ledger = open(restore('kinds.db'))
  const { entries } = ledger.read({ after: 0, limit: 100 })
  ledger.close()
  expect(entries.filter((entry) => bodyOf(entry, entry.kind) === null).map(({ kind }) => kind)).toEqual([])
  expect(new Set(entries.map(({ kind }) => kind)).size).toBe(18)
})

test('an entry of format 1 cannot be emptied: its hash covers its content', async () => {
  const file = restore('prune.db')
  const ledger = open(file)
  expect(await ledger.prune(1_800_000_000_000)).toMatchObject({ entries: 0 })
  expect((await ledger.verify()).ok).toBe(true)
  ledger.close()
  const database = new BetterSqlite3(file)
  expect(() => database.exec("UPDATE entry SET body = '' WHERE sequence = 11")).toThrow(/append-only/)
  database.exec("DROP TRIGGER entry_update; UPDATE entry SET body = '' WHERE sequence = 11")
  database.close()
  const tampered = open(file)
  expect((await tampered.verify()).faults[0]).toMatchObject({ sequence: 11, problem: 'altered' })
  tampered.close()
})

test('a ledger of format 2 opens, and its chain, its seals and what it says was pruned still verify, with what is added too', async () => {
  const ledger = open(restore('second.db', 2))
  const trust = { trustedKey: KEY, anchors: [], problem: null }
  expect(await ledger.verify(trust)).toMatchObject({ ok: true, entries: 42, faults: [], signed: { through: 41, seals: 2 } })
  expect(ledger.read({ after: 0, limit: 1 }).entries).toMatchObject([{ kind: 'tool-call/outcome', pruned: true, body: {} }])
  ledger.append('session/resumed', SessionId.parse('ses_222222222222'), {})
  expect(await ledger.verify(trust)).toMatchObject({ ok: true, entries: 43 })
  ledger.close()
})

test('every kind of entry that format 2 wrote still reads as its schema says', () => {
  const ledger = open(restore('second-kinds.db', 2))
  const { entries } = ledger.read({ after: 1, limit: 100 })
  ledger.close()
  expect(entries.filter((entry) => bodyOf(entry, entry.kind) === null).map(({ kind }) => kind)).toEqual([])
  expect(new Set(entries.map(({ kind }) => kind)).size).toBe(40)
})

test('the newest format has its ledger here: who changes it adds one', () => {
  const newest = restore('newest.db', 2)
  const before = new BetterSqlite3(newest)
  const format = before.pragma('user_version', { simple: true })
  before.close()
  open(newest).close()
  const after = new BetterSqlite3(newest)
  expect(after.pragma('user_version', { simple: true })).toBe(format)
  after.close()
})
