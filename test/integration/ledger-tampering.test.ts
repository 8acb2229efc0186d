import { copyFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { type ChainRow, GENESIS, hashInput } from '../../shared/domain/ledger-chain.ts'
import { sha256, ONE, TWO, newFile, open, TRUST, fill, seal, editing, verified } from './ledger-fixture.ts'

/** A full run has 2,000 of each; each needs a ledger of its own to be opened. */
const MUTATIONS = Number(process.env['HOLDFAST_LEDGER_MUTATIONS'] ?? 300)

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

  test(`of any kind is found, and its first bad entry named, in ${MUTATIONS} random mutations`, async () => {
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
      { numRuns: MUTATIONS },
    )
    expect(seen.size).toBe(12)
  }, 600_000)

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
      { numRuns: MUTATIONS },
    )
    expect(found).toBeGreaterThan(0)
  }, 600_000)

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

  test.each([
    ['that hides a session from the newest entries', 'DELETE FROM session_block WHERE block = 2'],
    ['that hides some of its entries', "DELETE FROM session_block WHERE block = 0 AND session_id LIKE 'ses_2%'"],
    ['that moves the note of where they are', "UPDATE session_block SET block = 9 WHERE block = 1 AND session_id LIKE 'ses_2%'"],
    ['that adds one to hide how much was taken', "INSERT INTO session_block VALUES ('ses_333333333333', 0)"],
  ])('%s is found, though every entry is whole', async (_, change) => {
    const file = newFile()
    fill(file, 150)
    const database = new BetterSqlite3(file)
    expect(() => database.exec(change.replace(/^INSERT.*/, 'DELETE FROM session_block'))).toThrow(/append-only/)
    database.exec(`DROP TRIGGER session_block_update; DROP TRIGGER session_block_delete; ${change}`)
    database.close()
    expect(await verified(file)).toEqual(['0 unreadable'])
  })

  test('is not seen where a session has its first entry while the ledger is verified', async () => {
    const ledger = open(newFile())
    // More than are verified in one go.
    for (let n = 1; n <= 2_050; n += 1) ledger.appendLater('session/resumed', ONE, {})
    const verification = ledger.verify()
    await Promise.resolve().then(() => ledger.append('session/resumed', TWO, {}))
    expect(await verification).toMatchObject({ ok: true, entries: 2_050 })
    ledger.close()
  })
})
