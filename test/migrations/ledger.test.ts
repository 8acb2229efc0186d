import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SessionId } from '../../shared/contract/ids.ts'
import { bodyOf } from '../../shared/contract/schemas/ledger-bodies.ts'
import { openLedger } from '../../shared/core/ledger/ledger.ts'
import { generateKey, signerOf } from '../../shared/core/ledger/signing.ts'

/** The head file as each format left it beside its ledger. */
const HEADS = {
  1: '{"sequence":18,"hash":"e22f355179fe14590834cfe081f6292bd51fae826a30000a97a39ebfacca4fbc"}',
  2: '{"sequence":42,"hash":"0520115faf7af3030d87bc6ab50697452217d0e5de7b5f10ae224dbdea02e85a","seal":{"to":41,"root":"524fa3538af098f1ebff64f203f416acd25b929116390806cab3233c49657963"}}',
  3: '{"sequence":43,"hash":"474353399f3f8da744630ab3fb8f555f5f121297a8c6a4fbb40055d73c1df6d5","seal":{"to":41,"root":"6acd174a68678467d660b0a9ac81e2167501ec46d1e76a7ac7a787769709788b"}}',
}
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

describe.each([
  { format: 2, key: 'MCowBQYDK2VwAyEAyAfBlj44qjk0NfL0PcfHTu5PA/QBSZ/LJgwjgU3tNPE=', entries: 42, signed: { through: 41, seals: 2 } },
  { format: 3, key: 'MCowBQYDK2VwAyEAQf1AOGPlaSLNZG9Mmg/EBFqLwT8IHeqijTKpjpsjpMg=', entries: 43, signed: { through: 41, seals: 2 } },
] as const)('a ledger of format $format', ({ format, key, entries, signed }) => {
  test('opens, and its chain, its seals and what it says was pruned still verify, with what is added too', async () => {
    const ledger = open(restore(`${format}.db`, format))
    const trust = { trustedKey: key, anchors: [], problem: null }
    expect(await ledger.verify(trust)).toMatchObject({ ok: true, entries, faults: [], signed })
    expect(ledger.read({ after: 0, limit: 1 }).entries).toMatchObject([{ kind: 'tool-call/outcome', pruned: true, body: {} }])
    ledger.append('session/resumed', SessionId.parse('ses_222222222222'), {})
    expect(await ledger.verify(trust)).toMatchObject({ ok: true, entries: entries + 1 })
    ledger.close()
  })

  test('has every kind of entry it could write, and each still reads as its schema says', () => {
    const ledger = open(restore(`${format}-kinds.db`, format))
    const found = ledger.read({ after: 1, limit: 100 }).entries
    ledger.close()
    expect(found.filter((entry) => bodyOf(entry, entry.kind) === null).map(({ kind }) => kind)).toEqual([])
    expect(new Set(found.map(({ kind }) => kind)).size).toBe(40)
  })
})

test.each([1, 2, 3] as const)("a session's entries in a ledger of format %d are all found by the session", (format) => {
  const ledger = open(restore(`${format}-session.db`, format))
  const all = ledger.read({ after: 0, limit: 100 }).entries
  const sessionId = SessionId.parse('ses_222222222222')
  const own = all.filter((entry) => entry.sessionId === sessionId)
  expect(own.length).toBeGreaterThan(10)
  expect(ledger.read({ after: 0, limit: 100, sessionId }).entries).toEqual(own)
  ledger.close()
})

test('the newest format has its ledger here: who changes it adds one', () => {
  const newest = restore('newest.db', 3)
  const before = new BetterSqlite3(newest)
  const format = before.pragma('user_version', { simple: true })
  before.close()
  open(newest).close()
  const after = new BetterSqlite3(newest)
  expect(after.pragma('user_version', { simple: true })).toBe(format)
  after.close()
})
