import { createHash } from 'node:crypto'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HoldfastError } from '../../shared/contract/errors.ts'
import { SessionId, ToolCallId } from '../../shared/contract/ids.ts'
import { createMemorySecrets } from '../../shared/core/demo/memory-secrets.ts'
import { createAlarmListener } from '../../shared/core/ledger/alarm-listener.ts'
import { beginAnew } from '../../shared/core/ledger/begin-anew.ts'
import { openLedger } from '../../shared/core/ledger/ledger.ts'
import { createSealer, type Sealer } from '../../shared/core/ledger/sealer.ts'
import { fromPem, toPem } from '../../shared/core/ledger/signing.ts'
import { verifyExport } from '../../shared/core/ledger/verify-export.ts'
import type { Ledger, SecretStore } from '../../shared/core/ports.ts'
import { csvHeading, csvLine, jsonLine } from '../../shared/domain/ledger-export.ts'
import { createClock } from '../support/fakes.ts'

const SESSION = SessionId.parse('ses_222222222222')
const CALL = ToolCallId.parse('call_222222222222')
const noKeychain: SecretStore = {
  get: () => Promise.reject(new HoldfastError('secret-unavailable', 'No keychain runs on this session bus.')),
  set: () => Promise.reject(new HoldfastError('secret-unavailable', 'No keychain runs on this session bus.')),
  remove: () => Promise.resolve(false),
  list: () => Promise.resolve([]),
}

let folder = ''
let keys: SecretStore
let alarms: string[]
const clock = createClock(1_000)
const opened: Ledger[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-seal-'))
  keys = createMemorySecrets(clock, {})
  alarms = []
})
afterEach(() => {
  for (const ledger of opened.splice(0)) ledger.close()
  rmSync(folder, { recursive: true, force: true })
})

const file = (): string => join(folder, 'ledger.db')
const open = (store = keys): { ledger: Ledger; sealer: Sealer } => {
  const ledger = openLedger({ file: file(), clock, onAppended: (entry) => sealer.saw(entry) })
  const sealer = createSealer({ ledger, keys: store, raiseAlarm: (message) => alarms.push(message) })
  opened.push(ledger)
  return { ledger, sealer }
}
const work = (ledger: Ledger, calls: number): void => {
  for (let n = 0; n < calls; n += 1) ledger.append('tool-call/outcome', SESSION, { toolCallId: CALL, ok: true, summary: `call ${n}`, durationMs: n })
}
const end = (ledger: Ledger) => ledger.append('session/ended', SESSION, { exitCode: 0 })

describe('a seal', () => {
  test('is made at the end of a session and every 500 entries, and vouches for all before it', async () => {
    const { ledger, sealer } = open()
    work(ledger, 3)
    end(ledger)
    expect(await ledger.verify(await sealer.trust())).toMatchObject({ ok: true, entries: 5, signed: { through: 4, seals: 1, problem: null } })
    work(ledger, 500)
    expect(await ledger.verify(await sealer.trust())).toMatchObject({ ok: true, signed: { seals: 2 } })
    const { entries } = ledger.tail(1, { kinds: ['ledger/sealed'] })
    expect(entries[0]?.body).toMatchObject({ from: 5, publicKey: fromPem(toPem(await sealer.publicKey())) })
  })

  test('goes on after a restart where the last one ended, with the same key', async () => {
    const first = open()
    work(first.ledger, 2)
    await first.sealer.close()
    first.ledger.close()
    const second = open()
    work(second.ledger, 2)
    await second.sealer.close()
    expect(await second.ledger.verify(await second.sealer.trust())).toMatchObject({ ok: true, entries: 6, signed: { through: 5, seals: 2 } })
    expect(await second.sealer.publicKey()).toBe(await first.sealer.publicKey())
    expect(alarms).toEqual([])
  })

  test('is not made without a keychain: entries are chained, the reason is told, and no key lies in a file', async () => {
    const { ledger, sealer } = open(noKeychain)
    work(ledger, 2)
    end(ledger)
    await sealer.seal()
    expect(await ledger.verify(await sealer.trust())).toMatchObject({
      ok: true,
      entries: 3,
      signed: { through: 0, seals: 0, publicKey: null, problem: 'No keychain runs on this session bus.' },
    })
  })

  test('by a key that is gone raises an alarm, and is a fault from then on', async () => {
    const before = open()
    work(before.ledger, 2)
    await before.sealer.close()
    before.ledger.close()
    await keys.remove('ledger-key')
    const { ledger, sealer } = open()
    work(ledger, 2)
    await sealer.seal()
    expect(alarms).toEqual([expect.stringContaining('no longer in the keychain')])
    expect((await ledger.verify(await sealer.trust())).faults).toEqual([{ sequence: 3, problem: 'unsigned', message: 'entry 3: this seal was made with another key' }])
  })

  test('kept in the keychain shows that database and head file were both put back to an earlier copy', async () => {
    const before = open()
    work(before.ledger, 4)
    await before.sealer.close()
    before.ledger.close()
    for (const name of ['ledger.db', 'ledger.db.head']) copyFileSync(join(folder, name), join(folder, `${name}.early`))
    const later = open()
    work(later.ledger, 4)
    await later.sealer.close()
    later.ledger.close()
    for (const name of ['ledger.db', 'ledger.db.head']) copyFileSync(join(folder, `${name}.early`), join(folder, name))
    const { ledger, sealer } = open()
    expect((await ledger.verify()).ok).toBe(true)
    expect((await ledger.verify(await sealer.trust())).faults).toEqual([
      { sequence: 6, problem: 'truncated', message: 'entry 6: the seal of entries up to 9, kept outside the database, is not in it' },
    ])
  })
})

describe('pruning', () => {
  test('empties content for good and keeps the rest: the ledger still verifies, and says what was pruned', async () => {
    const { ledger, sealer } = open()
    ledger.append('tool-call/outcome', SESSION, { toolCallId: CALL, ok: true, summary: 'the quick brown fox', durationMs: 1 })
    ledger.append('approval/decided', SESSION, {
      approvalId: 'apr_222222222222' as never,
      toolCallId: CALL,
      bindingHash: 'a'.repeat(64),
      state: 'approved',
      scope: 'once',
      reason: 'a lazy dog',
      waitedMs: 1,
    })
    await sealer.seal()
    clock.move(1_000)
    ledger.append('tool-call/outcome', SESSION, { toolCallId: CALL, ok: true, summary: 'a later one', durationMs: 1 })
    expect(await ledger.prune(clock.now())).toEqual({ through: 3, entries: 1 })
    const { entries } = ledger.read({ after: 0, limit: 10 })
    expect(entries.map(({ kind, pruned }) => `${kind}${pruned ? ' pruned' : ''}`)).toEqual([
      'tool-call/outcome pruned',
      'approval/decided',
      'ledger/sealed',
      'tool-call/outcome',
      'ledger/pruned',
    ])
    expect(await ledger.verify(await sealer.trust())).toMatchObject({ ok: true, signed: { through: 2 } })
    ledger.close()
    const bytes = readFileSync(file()).toString('latin1')
    expect([bytes.includes('quick brown fox'), bytes.includes('a lazy dog'), bytes.includes('a later one')]).toEqual([false, true, true])
  })
})

describe('an export', () => {
  const exported = async (): Promise<{ path: string; lines: string[]; key: string }> => {
    const { ledger, sealer } = open()
    ledger.append('alarm/raised', null, { message: 'é "quoted",\n=SUM(A1) \u2028 \ud800' })
    work(ledger, 5)
    clock.move(10_000)
    await ledger.prune(2_000)
    work(ledger, 3)
    await sealer.seal()
    const { entries } = ledger.read({ after: 0, limit: 100 })
    const path = join(folder, 'export.jsonl')
    const lines = entries.map(jsonLine)
    writeFileSync(path, lines.map((line) => `${line}\n`).join(''))
    return { path, lines, key: await sealer.publicKey() }
  }

  test('verifies on another machine with the public key alone', async () => {
    const { path, lines, key } = await exported()
    expect(await verifyExport(path, key)).toMatchObject({ ok: true, entries: lines.length, faults: [], signed: { through: lines.length - 1, seals: 1 } })
    expect(await verifyExport(path, null)).toMatchObject({ ok: true, signed: { publicKey: null } })
    const stranger = createSealer({ ledger: opened[0] as Ledger, keys: createMemorySecrets(clock, {}), raiseAlarm: () => undefined })
    expect((await verifyExport(path, await stranger.publicKey())).faults).toEqual([
      { sequence: lines.length, problem: 'unsigned', message: `entry ${lines.length}: this seal was made with another key` },
    ])
  })

  test('shows any changed, dropped, moved or repeated line, and any byte, at its place', async () => {
    const { path, lines, key } = await exported()
    const line = fc.integer({ min: 0, max: lines.length - 1 })
    const does = fc.constantFrom('flip', 'drop', 'swap', 'repeat', 'field', 'twice')
    await fc.assert(
      fc.asyncProperty(does, line, line, fc.nat(), async (kind, a, b, at) => {
        if (kind === 'swap' && a === b) return
        if (kind === 'drop' && a === lines.length - 1) return
        const text = lines[a] ?? ''
        const place = at % text.length
        const changed: Record<typeof kind, () => string[]> = {
          flip: () => lines.with(a, text.slice(0, place) + String.fromCharCode(text.charCodeAt(place) ^ 1) + text.slice(place + 1)),
          drop: () => lines.toSpliced(a, 1),
          swap: () => lines.with(a, lines[b] ?? '').with(b, text),
          repeat: () => lines.toSpliced(a, 0, text),
          field: () => lines.with(a, text.replace('"at":', '"at":1')),
          twice: () => lines.with(a, text.replace('{', '{"body":{"forged":true},')),
        }
        writeFileSync(path, changed[kind]().map((one) => `${one}\n`).join(''))
        const { ok, faults } = await verifyExport(path, key)
        const first = kind === 'swap' ? Math.min(a, b) + 1 : kind === 'repeat' ? a + 1 : a + 1
        expect({ kind, ok, near: Math.abs((faults[0]?.sequence ?? -99) - first) <= 1 }).toEqual({ kind, ok: false, near: true })
      }),
      { numRuns: 400 },
    )
  })

  test('that is not one is refused in words', async () => {
    const path = join(folder, 'other.jsonl')
    writeFileSync(path, 'x'.repeat(3_000_000))
    await expect(verifyExport(path, null)).rejects.toThrow('a line is longer than any entry')
    await expect(verifyExport(join(folder, 'none'), null)).rejects.toThrow('cannot be read (ENOENT)')
  })

  test('as CSV keeps one entry a row and runs no formula', () => {
    const { ledger } = open()
    const { hash } = ledger.append('alarm/raised', SESSION, { message: '=1+1, "x"' })
    const [entry] = ledger.read({ after: 0, limit: 1 }).entries
    expect(csvHeading()).toBe('"sequence","at","kind","session","body","hash"')
    expect(entry && csvLine(entry)).toBe(
      `"1","${new Date(clock.now()).toISOString()}","alarm/raised","ses_222222222222","{""message"":""=1+1, \\""x\\""""}","${hash}"`,
    )
  })
})

describe('beginning anew', () => {
  test('keeps a damaged ledger as it is, and the new one points to it by name, hash and last head', async () => {
    const { ledger } = open()
    work(ledger, 3)
    const last = ledger.tail(1).entries[0]
    ledger.close()
    writeFileSync(file(), 'damaged, and evidence all the same')
    expect(() => open()).toThrow(/begin-anew/)
    const kept = await beginAnew({ file: file(), clock })
    expect(readFileSync(kept, 'utf8')).toBe('damaged, and evidence all the same')
    const again = open()
    expect(again.ledger.read({ after: 0, limit: 9 }).entries.map(({ kind, body }) => ({ kind, body }))).toEqual([
      {
        kind: 'ledger/began',
        body: {
          previous: {
            file: basename(kept),
            sha256: createHash('sha256').update('damaged, and evidence all the same').digest('hex'),
            head: { sequence: 3, hash: last?.hash },
          },
        },
      },
    ])
    expect((await again.ledger.verify(await again.sealer.trust())).ok).toBe(true)
  })

  test('is refused while a host uses the ledger, and where there is none', async () => {
    const { ledger } = open()
    await expect(beginAnew({ file: file(), clock })).rejects.toMatchObject({ code: 'host-busy' })
    ledger.close()
    await expect(beginAnew({ file: join(folder, 'none.db'), clock })).rejects.toMatchObject({ code: 'not-found' })
  })
})

test('an alarm over the stream follows the entry that raised it', async () => {
  const ledger = openLedger({ file: file(), clock, onAppended: (entry) => listener.saw(entry) })
  opened.push(ledger)
  const listener = createAlarmListener({
    ledger,
    raise: (sessionId, message, rule) => void ledger.append('alarm/raised', sessionId, { message, rule }),
    log: (line) => alarms.push(line),
  })
  const started = { agent: 'a', adapter: 'none', command: ['a'], cwd: '/', container: 'off' as const, profile: {}, profileHash: 'a'.repeat(64), modelKey: null }
  ledger.append('session/started', SESSION, started)
  for (let n = 0; n < 10; n += 1) {
    ledger.append('tool-call/decision', SESSION, { toolCallId: CALL, tool: 'Bash', input: { command: `rm -rf /${n}` }, effect: 'denied', reason: 'no', decision: null })
  }
  await Promise.resolve()
  expect(ledger.tail(2).entries.map(({ kind, body }) => [kind, body['rule']])).toEqual([
    ['tool-call/decision', undefined],
    ['alarm/raised', 'denials'],
  ])
  expect(alarms).toEqual([])
})

test('a search looks at a bounded number of entries at a time, and goes on where it stopped', () => {
  const { ledger } = open(noKeychain)
  ledger.close()
  const database = new BetterSqlite3(file())
  database.exec(`
    DROP TRIGGER entry_insert;
    WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 25000)
    INSERT INTO entry SELECT i, i * 10, 'alarm/raised', NULL, '{"message":"entry ' || i || ' of many"}', '${'0'.repeat(64)}', '${'0'.repeat(64)}', NULL FROM n`)
  database.close()
  rmSync(`${file()}.head`)
  const again = open(noKeychain).ledger
  expect(again.read({ after: 0, limit: 10, text: 'ENTRY 24000 of' })).toEqual({ entries: [], next: 4_000 })
  expect(again.read({ after: 22_000, limit: 10, text: 'ENTRY 24000 of' })).toMatchObject({ entries: [{ sequence: 24_000 }], next: null })
  expect(again.read({ after: 0, limit: 2, since: 200_000, until: 200_015 })).toMatchObject({ entries: [{ sequence: 20_000 }, { sequence: 20_001 }], next: 20_001 })
  expect(again.tail(3, { before: 100 })).toMatchObject({ entries: [{ sequence: 97 }, { sequence: 98 }, { sequence: 99 }], next: 97 })
  expect(statSync(`${file()}`).mode & 0o777).toBe(0o600)
})
