import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import type { LedgerEntry } from '../../shared/contract/schemas/ledger.ts'
import { openLedger } from '../../shared/core/ledger/ledger.ts'
import { MAX_BODY_BYTES } from '../../shared/core/ledger/body-text.ts'
import { wholeCalls } from '../support/strace.ts'
import { CHILD, scratch, hasStrace, isRoot, ONE, TWO, newFile, open, fill, verified, startChild, firstLine, mountTmpfs } from './ledger-fixture.ts'

describe('entries', () => {
  test('come back as they were appended, from this process and the next', async () => {
    const file = newFile()
    const ledger = open(file)
    const body = { z: 1, a: ['é', null, { deep: 0 }], gone: undefined, '\ud800': '\u0000' }
    const appended = [ledger.append('host/stopped', null, body), ledger.append('session/resumed', ONE, {}), ledger.append('session/resumed', TWO, {})]
    expect(appended[0]).toMatchObject({ sequence: 1, at: 1_700_000_000_000, kind: 'host/stopped', sessionId: null })
    expect(JSON.stringify(ledger.read({ after: 0, limit: 1 }).entries[0]?.body)).toBe('{"a":["é",null,{"deep":0}],"z":1,"\\ud800":"\\u0000"}')
    expect(ledger.read({ after: 0, limit: 10 }).entries).toEqual(appended)
    ledger.close()
    const again = open(file)
    expect(again.read({ after: 0, limit: 10 }).entries).toEqual(appended)
    expect(again.read({ after: 1, limit: 1 }).entries).toEqual([appended[1]])
    expect(again.read({ after: 0, limit: 10, sessionId: TWO }).entries).toEqual([appended[2]])
    expect(again.read({ after: 3, limit: 10, sessionId: TWO }).entries).toEqual([])
    expect(again.tail(2).entries).toEqual(appended.slice(1))
    expect(await again.verify()).toEqual({
      ok: true,
      entries: 3,
      headHash: appended[2]?.hash,
      faults: [],
      signed: { through: 0, seals: 0, publicKey: null, problem: null },
    })
    again.close()
  })

  test('of one session are read alone, between any two sequences, both ways, however few of many they are', () => {
    const ledger = open(newFile())
    for (let n = 1; n <= 300; n += 1) ledger.append('session/resumed', [63, 64, 65, 127, 128, 300].includes(n) ? TWO : ONE, {})
    const sequences = ({ entries }: { entries: readonly LedgerEntry[] }): number[] => entries.map(({ sequence }) => sequence)
    expect(sequences(ledger.read({ after: 0, limit: 10, sessionId: TWO }))).toEqual([63, 64, 65, 127, 128, 300])
    expect(sequences(ledger.read({ after: 63, limit: 3, sessionId: TWO }))).toEqual([64, 65, 127])
    expect(sequences(ledger.read({ after: 127, limit: 10, sessionId: TWO }))).toEqual([128, 300])
    expect(sequences(ledger.tail(10, { sessionId: TWO, before: 128 }))).toEqual([63, 64, 65, 127])
    expect(sequences(ledger.tail(2, { sessionId: TWO }))).toEqual([128, 300])
    expect(ledger.tail(1_000, { sessionId: ONE }).entries).toHaveLength(294)
    ledger.close()
  })

  test('that wait for the disk together stand in the order of their calls, and are told of in that order once they are durable', async () => {
    const file = newFile()
    const told: number[] = []
    const ledger = openLedger({ file, clock: { now: () => 1 }, onAppended: ({ sequence }) => told.push(sequence) })
    const soon = ledger.appendSoon('session/paused', ONE, { reason: 'a' })
    const later = ledger.appendSoon('session/paused', TWO, { reason: 'b' })
    expect(told).toEqual([])
    const between = ledger.append('session/resumed', ONE, {})
    expect(told).toEqual([1, 2, 3])
    const last = ledger.appendSoon('session/resumed', TWO, {})
    expect([(await soon).sequence, (await later).sequence, between.sequence, (await last).sequence]).toEqual([1, 2, 3, 4])
    expect(told).toEqual([1, 2, 3, 4])
    const cut = ledger.appendSoon('session/resumed', TWO, {})
    ledger.close()
    expect(() => ledger.appendSoon('session/resumed', TWO, {})).toThrow('not open')
    await cut.catch(() => undefined)
    const again = open(file)
    expect(await again.verify()).toMatchObject({ ok: true, entries: 5 })
    again.close()
  })

  test('that announce no effect are written at once, and told of once the next entry, or some time, has made them durable', async () => {
    const file = newFile()
    const told: number[] = []
    const alone = Promise.withResolvers<void>()
    const onAppended = ({ sequence }: LedgerEntry) => void (told.push(sequence) === 3 && alone.resolve())
    const ledger = openLedger({ file, clock: { now: () => 1 }, onAppended })
    const later = ledger.appendLater('session/paused', ONE, { reason: 'a' })
    expect(ledger.tail(9).entries).toEqual([later])
    expect(told).toEqual([])
    ledger.append('session/resumed', ONE, {})
    expect(told).toEqual([1, 2])
    ledger.appendLater('session/paused', ONE, { reason: 'b' })
    await alone.promise
    ledger.appendLater('session/resumed', ONE, {})
    ledger.close()
    const again = open(file)
    expect(await again.verify()).toMatchObject({ ok: true, entries: 4 })
    again.close()
  })

  test('with a body over 256 KiB, or one that is not JSON, are refused as bad-params and leave no trace', async () => {
    const ledger = open(newFile())
    const append = (body: Record<string, unknown>) => () => ledger.append('host/stopped', null, body)
    expect(append({ t: 'é'.repeat((MAX_BODY_BYTES - 8) / 2) })).not.toThrow()
    expect(append({ t: `${'é'.repeat((MAX_BODY_BYTES - 8) / 2)}x` })).toThrow(expect.objectContaining({ code: 'bad-params' }))
    expect(append({ n: 1n })).toThrow(expect.objectContaining({ code: 'bad-params' }))
    expect(await ledger.verify()).toMatchObject({ ok: true, entries: 1 })
    ledger.close()
  })

  test('cannot be changed, removed or replaced through SQL', async () => {
    const file = newFile()
    fill(file, 2)
    const database = new BetterSqlite3(file)
    for (const sql of [
      "UPDATE entry SET kind = 'host/started'",
      'DELETE FROM entry',
      "INSERT OR REPLACE INTO entry VALUES (1, 1, 'k', NULL, '{}', '', '', '')",
      "INSERT INTO entry VALUES (9, 1, 'k', NULL, '{}', '', '', '')",
    ]) {
      expect(() => database.exec(sql)).toThrow(/append-only/)
    }
    database.close()
    expect(await verified(file)).toEqual([])
  })

  test('are in files only their owner can read', () => {
    const file = newFile()
    const ledger = open(file)
    ledger.append('host/stopped', null, {})
    for (const name of [file, `${file}-wal`, `${file}.head`]) expect(statSync(name).mode & 0o777).toBe(0o600)
    ledger.close()
    chmodSync(file, 0o644)
    open(file).close()
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })
})

describe('one writer', () => {
  test('a second opener is told host-busy, in this process and in another, until the first closes', async () => {
    const file = newFile()
    const ledger = open(file)
    expect(() => open(file)).toThrow(expect.objectContaining({ code: 'host-busy' }))
    expect(await firstLine(startChild('hold', file))).toBe('host-busy')
    ledger.append('host/stopped', null, {})
    ledger.close()
    expect(await firstLine(startChild('hold', file))).toBe('open')
  })

  test('of several started at once exactly one gets it, and SIGKILL frees it for the next round', async () => {
    const file = newFile()
    for (let round = 0; round < 3; round += 1) {
      const started = Array.from({ length: 5 }, () => startChild('hold', file))
      const said = await Promise.all(started.map(firstLine))
      expect(said.toSorted()).toEqual(['host-busy', 'host-busy', 'host-busy', 'host-busy', 'open'])
      const winner = started[said.indexOf('open')]
      winner?.kill('SIGKILL')
      if (winner !== undefined) await once(winner, 'exit')
    }
    expect(await verified(file)).toEqual([])
  })
})

test.skipIf(!hasStrace)('an append is synced to disk before it returns', async () => {
  const trace = join(scratch, 'trace')
  const command = ['-f', '-e', 'trace=fsync,fdatasync,write', '-o', trace, process.execPath, CHILD, 'load', newFile(), '10']
  expect(spawnSync('strace', command, { env: {} }).status).toBe(0)
  const calls = wholeCalls(readFileSync(trace, 'utf8')).join('\n').match(/f(?:data)?sync\(\d+\)|write\(1, "\d+/g) ?? []
  const beforeEach = calls.flatMap((call, index) => (call.startsWith('write') ? [calls[index - 1]?.slice(0, 1)] : []))
  expect(beforeEach).toEqual(Array.from({ length: 20 }, () => 'f'))
})

describe('a disk or file that cannot be used', () => {
  test.skipIf(!isRoot)('full disk: the append says disk-full, and goes on from the same head once there is space', async () => {
    const folder = mountTmpfs('size=512k')
    const ballast = join(folder, 'ballast')
    writeFileSync(ballast, Buffer.alloc(128 * 1024))
    const ledger = open(join(folder, 'ledger.db'))
    let acknowledged = 0
    expect(() => {
      for (;;) acknowledged = ledger.append('alarm/raised', null, { message: 'x'.repeat(2_000) }).sequence
    }).toThrow(expect.objectContaining({ code: 'disk-full' }))
    expect(await ledger.verify()).toMatchObject({ ok: true, entries: acknowledged })
    rmSync(ballast)
    expect(ledger.append('host/stopped', null, {}).sequence).toBe(acknowledged + 1)
    expect(await ledger.verify()).toMatchObject({ ok: true, entries: acknowledged + 1 })
    ledger.close()
  })

  test('read-only folder: says read-only and makes nothing', () => {
    const folder = isRoot ? mountTmpfs('ro') : join(newFile(), '..')
    if (!isRoot) chmodSync(folder, 0o500)
    expect(() => open(join(folder, 'ledger.db'))).toThrow(expect.objectContaining({ code: 'read-only' }))
    expect(existsSync(join(folder, 'ledger.db'))).toBe(false)
  })

  test('damaged, foreign and newer files are refused by name and kept byte for byte', () => {
    const damaged = newFile()
    writeFileSync(damaged, 'not a database, but something someone may want back\n'.repeat(200))
    const foreign = newFile()
    const other = new BetterSqlite3(foreign)
    other.exec('CREATE TABLE theirs (x)')
    other.close()
    const newer = newFile()
    fill(newer, 1)
    const later = new BetterSqlite3(newer)
    later.pragma('user_version = 99')
    later.close()
    for (const [file, code, words] of [
      [damaged, 'ledger-unavailable', 'is damaged'],
      [foreign, 'ledger-unavailable', 'is a database of another program'],
      [newer, 'version-mismatch', 'was written by a newer Holdfast (format 99; this one knows 3)'],
    ] as const) {
      const before = readFileSync(file)
      expect(() => open(file)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(`${file} ${words}`) }))
      expect(readFileSync(file).equals(before)).toBe(true)
    }
  })

  test('a missing folder is named', () => {
    expect(() => open(join(scratch, 'nowhere', 'ledger.db'))).toThrow(/folder of .*nowhere\/ledger\.db does not exist/)
  })

  test('a closed ledger refuses to append', () => {
    const ledger = open(newFile())
    ledger.close()
    ledger.close()
    expect(() => ledger.append('host/stopped', null, {})).toThrow(expect.objectContaining({ code: 'ledger-unavailable' }))
  })
})
