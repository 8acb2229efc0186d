import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { hash } from 'node:crypto'
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import BetterSqlite3 from 'better-sqlite3'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SessionId, ToolCallId } from '../../shared/contract/ids.ts'
import { MAX_BODY_BYTES } from '../../shared/core/ledger/body-text.ts'
import { openLedger } from '../../shared/core/ledger/ledger.ts'
import { generateKey, signerOf } from '../../shared/core/ledger/signing.ts'
import { type ChainRow, GENESIS, hashInput } from '../../shared/domain/ledger-chain.ts'

const CHILD = new URL('../fixtures/ledger-child.ts', import.meta.url).pathname
const hasStrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0
const sha256 = (text: string): string => hash('sha256', text)
const isRoot = process.getuid?.() === 0
const ONE = SessionId.parse('ses_bcdfghjkmnpq')
const TWO = SessionId.parse('ses_222222222222')

let scratch = ''
let count = 0
const newFile = (): string => {
  count += 1
  const folder = join(scratch, String(count))
  mkdirSync(folder)
  return join(folder, 'ledger.db')
}
const open = (file: string) => openLedger({ file, clock: { now: () => 1_700_000_000_000 } })
const signer = signerOf(generateKey())
const TRUST = { trustedKey: signer.publicKey, anchors: [], problem: null }
const CALL = ToolCallId.parse('call_222222222222')
const fill = (file: string, entries: number): void => {
  const ledger = open(file)
  for (let n = 1; n <= entries; n += 1) {
    if (n % 2 === 0) ledger.append('tool-call/outcome', TWO, { toolCallId: CALL, ok: true, summary: 'Bash', durationMs: 1, n })
    else ledger.append('alarm/raised', ONE, { message: 'Bash', n })
  }
  ledger.close()
}
const seal = (file: string): void => {
  const ledger = open(file)
  ledger.seal(signer)
  ledger.close()
}
const editing = (file: string, edit: (database: BetterSqlite3.Database) => void): void => {
  const database = new BetterSqlite3(file)
  for (const trigger of ['entry_insert', 'entry_update', 'entry_delete']) database.exec(`DROP TRIGGER ${trigger}`)
  edit(database)
  database.close()
}
const verified = async (file: string): Promise<string[]> => {
  const ledger = open(file)
  const { faults } = await ledger.verify(TRUST)
  ledger.close()
  return faults.map(({ sequence, problem }) => `${sequence} ${problem}`)
}
const children: ChildProcess[] = []
const startChild = (mode: 'hold' | 'load', file: string) => {
  const child = spawn(process.execPath, [CHILD, mode, file], { env: {}, stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  return child
}
const firstLine = async (child: ReturnType<typeof startChild>): Promise<string> => {
  for await (const line of createInterface({ input: child.stdout })) return line
  return ''
}

const mounted: string[] = []
const mountTmpfs = (options: string): string => {
  const folder = join(scratch, `mount-${mounted.length}`)
  mkdirSync(folder)
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'pipe' })
  mounted.push(folder)
  return folder
}

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'holdfast-ledger-'))
})
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  for (const folder of mounted) execFileSync('umount', [folder])
  rmSync(scratch, { recursive: true, force: true })
})

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
  const calls = readFileSync(trace, 'utf8').match(/f(?:data)?sync\(\d+\)|write\(1, "\d+/g) ?? []
  const beforeEach = calls.flatMap((call, index) => (call.startsWith('write') ? [calls[index - 1]?.slice(0, 1)] : []))
  expect(beforeEach).toEqual(Array.from({ length: 20 }, () => 'f'))
})

describe('tampering', () => {
  const ENTRIES = 12
  /** The entry that seals those before it. */
  const SEAL = 10
  let template = ''
  let early = ''
  beforeAll(() => {
    template = newFile()
    fill(template, 5)
    early = newFile()
    copyFileSync(template, early)
    fill(template, SEAL - 6)
    seal(template)
    fill(template, ENTRIES - SEAL)
  })
  const tampered = (from = template): string => {
    const file = newFile()
    copyFileSync(from, file)
    copyFileSync(`${template}.head`, `${file}.head`)
    return file
  }
  /** Makes the chain and the head file fit what the rows hold now. */
  const rehash = (database: BetterSqlite3.Database, file: string): void => {
    let previousHash = GENESIS.hash
    const rows = database
      .prepare<[], ChainRow>('SELECT sequence, at, kind, session_id AS sessionId, body FROM entry ORDER BY sequence')
      .all()
    for (const row of rows) {
      const bodyHash = sha256(row.body)
      const hash = sha256(hashInput({ ...row, bodyHash, previousHash }))
      database.prepare('UPDATE entry SET body_hash = ?, previous_hash = ?, hash = ? WHERE sequence = ?').run(bodyHash, previousHash, hash, row.sequence)
      previousHash = hash
    }
    writeFileSync(`${file}.head`, JSON.stringify({ sequence: rows.length, hash: previousHash, seal: null }))
  }
  const shift = (database: BetterSqlite3.Database, from: number): void => {
    database.exec(`UPDATE entry SET sequence = -sequence - 1 WHERE sequence >= ${from}; UPDATE entry SET sequence = -sequence WHERE sequence < 0`)
  }

  test('of any kind is found, and its first bad entry named, in 300 random mutations', async () => {
    const sequence = fc.integer({ min: 1, max: ENTRIES })
    const column = fc.constantFrom('at', 'kind', 'session_id', 'body', 'body_hash', 'previous_hash', 'hash')
    const mutation = fc.oneof(
      fc.record({ does: fc.constant('flip' as const), n: sequence, column, at: fc.nat(), bit: fc.integer({ min: 0, max: 6 }) }),
      fc.record({ does: fc.constant('move-to-session' as const), n: sequence }),
      fc.record({ does: fc.constant('move' as const), n: sequence, to: fc.integer({ min: 20, max: 99 }) }),
      fc.record({ does: fc.constant('drop' as const), n: sequence }),
      fc.record({ does: fc.constant('drop-and-close-up' as const), n: fc.integer({ min: 1, max: ENTRIES - 1 }) }),
      fc.record({ does: fc.constant('swap' as const), n: fc.integer({ min: 1, max: ENTRIES - 1 }), by: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ does: fc.constant('repeat' as const), n: sequence }),
      fc.record({ does: fc.constant('insert' as const), n: sequence }),
      fc.record({ does: fc.constant('truncate' as const), n: sequence }),
      fc.record({ does: fc.constant('edit' as const), n: sequence }),
      fc.record({ does: fc.constant('blank' as const), n: sequence }),
      fc.record({ does: fc.constant('rewrite' as const), n: fc.integer({ min: 1, max: SEAL }) }),
    )
    const seen = new Set<string>()
    await fc.assert(
      fc.asyncProperty(mutation, async (m) => {
        seen.add(m.does)
        const file = tampered()
        let first = m.n
        editing(file, (database) => {
          const run = (sql: string, ...values: unknown[]) => database.prepare(sql).run(...values)
          switch (m.does) {
            case 'flip': {
              const old = database.prepare(`SELECT ${m.column} FROM entry WHERE sequence = ?`).pluck().get(m.n)
              if (typeof old === 'number') return run(`UPDATE entry SET at = ? WHERE sequence = ?`, old ^ (1 << m.bit), m.n)
              const bytes = Buffer.from(String(old))
              const at = m.at % bytes.length
              bytes[at] = (bytes[at] ?? 0) ^ (1 << m.bit)
              return run(`UPDATE entry SET ${m.column} = ? WHERE sequence = ?`, bytes.toString(), m.n)
            }
            case 'move-to-session':
              return run("UPDATE entry SET session_id = 'ses_333333333333' WHERE sequence = ?", m.n)
            case 'move':
              return run('UPDATE entry SET sequence = ? WHERE sequence = ?', m.to, m.n)
            case 'drop':
              return run('DELETE FROM entry WHERE sequence = ?', m.n)
            case 'drop-and-close-up':
              run('DELETE FROM entry WHERE sequence = ?', m.n)
              return database.exec('UPDATE entry SET sequence = -sequence; UPDATE entry SET sequence = -sequence - (-sequence > ' + m.n + ')')
            case 'swap': {
              const other = Math.min(m.n + m.by, ENTRIES)
              run('UPDATE entry SET sequence = 1000 WHERE sequence = ?', m.n)
              run('UPDATE entry SET sequence = ? WHERE sequence = ?', m.n, other)
              return run('UPDATE entry SET sequence = ? WHERE sequence = 1000', other)
            }
            case 'repeat':
              first = m.n + 1
              shift(database, m.n + 1)
              return database.exec(
                `INSERT INTO entry SELECT ${m.n + 1}, at, kind, session_id, body, previous_hash, hash, body_hash FROM entry WHERE sequence = ${m.n}`,
              )
            case 'insert':
              shift(database, m.n)
              return run(`INSERT INTO entry VALUES (?, 1, 'host/started', NULL, '{}', ?, ?, NULL)`, m.n, 'a'.repeat(64), 'b'.repeat(64))
            case 'truncate':
              return run('DELETE FROM entry WHERE sequence >= ?', m.n)
            case 'edit':
              return run(`UPDATE entry SET body = replace(body, ':', ': ') WHERE sequence = ?`, m.n)
            case 'blank':
              return run(`UPDATE entry SET body = '' WHERE sequence = ?`, m.n)
            case 'rewrite':
              // Whoever can write all files makes every hash and the head fit; only the seal shows it.
              first = SEAL
              run(`UPDATE entry SET body = replace(body, ':', ': ') WHERE sequence = ?`, m.n)
              return rehash(database, file)
          }
        })
        const ledger = open(file)
        const { ok, faults } = await ledger.verify(TRUST)
        ledger.close()
        rmSync(join(file, '..'), { recursive: true })
        expect({ ok, first: faults[0]?.sequence }, m.does).toEqual({ ok: false, first })
      }),
      { numRuns: 300 },
    )
    expect(seen.size).toBe(12)
  })

  test('with a byte anywhere in the file is refused, found, or changes nothing that is read', async () => {
    const ledger = open(template)
    const whole = () => [undefined, ONE, TWO].map((sessionId) => ({ after: 0, limit: 99, ...(sessionId === undefined ? {} : { sessionId }) }))
    const truth = whole().map((query) => ledger.read(query))
    ledger.close()
    const size = statSync(template).size
    let found = 0
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: size - 1 }), fc.integer({ min: 0, max: 7 }), async (at, bit) => {
        const file = tampered()
        const bytes = readFileSync(file)
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
        writeFileSync(file, bytes)
        try {
          const damaged = open(file)
          try {
            if ((await damaged.verify()).ok) expect(whole().map((query) => damaged.read(query))).toEqual(truth)
            else found += 1
          } finally {
            damaged.close()
          }
        } catch (error) {
          if (!(error instanceof Error && error.name === 'HoldfastError')) throw error
          found += 1
        }
        rmSync(join(file, '..'), { recursive: true })
      }),
      { numRuns: 300 },
    )
    expect(found).toBeGreaterThan(0)
  })

  test('by putting an earlier copy of the database back is found, and nothing is added on top', async () => {
    const file = tampered(early)
    const head = readFileSync(`${file}.head`, 'utf8')
    const ledger = open(file)
    expect((await ledger.verify()).faults).toEqual([{ sequence: 6, problem: 'truncated', message: 'entry 6: entries 6 to 12 are missing at the end' }])
    expect(() => ledger.append('host/stopped', null, {})).toThrow(expect.objectContaining({ code: 'ledger-unavailable' }))
    ledger.close()
    expect(readFileSync(`${file}.head`, 'utf8')).toBe(head)
    expect(await verified(file)).toEqual(['6 truncated'])
  })

  test('by removing the database or the head alone is found', async () => {
    const noDatabase = tampered()
    rmSync(noDatabase)
    expect(await verified(noDatabase)).toEqual(['1 truncated'])
    const noHead = tampered()
    rmSync(`${noHead}.head`)
    expect(await verified(noHead)).toEqual(['12 unreadable'])
    expect(existsSync(`${noHead}.head`)).toBe(false)
  })

  test('under an open ledger is found, though its pages are cached', async () => {
    const file = tampered()
    const ledger = open(file)
    expect((await ledger.verify()).ok).toBe(true)
    const bytes = readFileSync(file)
    const at = bytes.indexOf('"n":3')
    bytes.write('"n":8', at)
    writeFileSync(file, bytes, { flag: 'r+' })
    expect((await ledger.verify()).ok).toBe(false)
    ledger.close()
  })

  test('that hides an entry from its session alone is found', async () => {
    const file = tampered()
    const database = new BetterSqlite3(file)
    database.unsafeMode()
    database.exec(`
      PRAGMA writable_schema = ON;
      UPDATE sqlite_schema SET sql = sql || ' AND sequence <> 3' WHERE name = 'entry_by_session';
      PRAGMA writable_schema = RESET;
      REINDEX entry_by_session;
      PRAGMA writable_schema = ON;
      UPDATE sqlite_schema SET sql = replace(sql, ' AND sequence <> 3', '') WHERE name = 'entry_by_session'`)
    database.close()
    expect(await verified(file)).toEqual(['0 unreadable'])
  })
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
      [newer, 'version-mismatch', 'was written by a newer Holdfast (format 99; this one knows 2)'],
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
