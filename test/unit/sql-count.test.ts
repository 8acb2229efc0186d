import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { rowCountOf } from '../../shared/domain/foresight/sql-count.ts'

describe('the rows that a statement is about', () => {
  test.each([
    ['DELETE FROM users', 'SELECT count(*) AS n FROM "users"', 'deletes'],
    ['delete from Users where Id = 3;', 'SELECT count(*) AS n FROM "users" WHERE "id" = 3', 'deletes'],
    ["DELETE FROM a.logs WHERE kind = 'Drop; it''s' AND NOT (n < 5 OR n IS NULL)", `SELECT count(*) AS n FROM "a"."logs" WHERE "kind" = 'Drop; it''s' and not ( "n" < 5 or "n" is null )`, 'deletes'],
    ["UPDATE t SET a = lower(b), c = 1 WHERE d LIKE 'x%' -- all of them", `SELECT count(*) AS n FROM "t" WHERE "d" like 'x%'`, 'changes'],
    ['update "My Table" set a = 1', 'SELECT count(*) AS n FROM "My Table"', 'changes'],
    ['/* now */ TRUNCATE TABLE t CASCADE', 'SELECT count(*) AS n FROM "t"', 'empties a table with'],
    ['DROP TABLE IF EXISTS t', 'SELECT count(*) AS n FROM "t"', 'drops a table with'],
  ])('%s', (statement, sql, does) => {
    expect(rowCountOf(statement)).toMatchObject({ sql, does })
  })

  test.each([
    ['DELETE FROM a; DELETE FROM b'],
    ['DELETE FROM a WHERE id IN (SELECT id FROM b)'],
    ['DELETE FROM a WHERE load_extension(1)'],
    ['DELETE FROM a WHERE writefile (1, 2) = 3'],
    ['DELETE FROM a USING b'],
    ['DELETE FROM a LIMIT 3'],
    ['DELETE FROM a WHERE'],
    ['WITH x AS (SELECT 1) DELETE FROM a'],
    ['UPDATE a SET b = (SELECT 1) WHERE c = 1'],
    ['UPDATE a SET b = 1 FROM c'],
    ["DELETE FROM a WHERE b = 'open"],
    ['DELETE FROM a WHERE b @> 1'],
    ['DROP DATABASE a'],
    ['DROP TABLE a, b'],
    ['SELECT 1'],
    [''],
  ])('is not guessed at for %j', (statement) => {
    expect(rowCountOf(statement)).toBeNull()
  })

  test('whatever a statement holds, what is asked is one SELECT that changes nothing', () => {
    const database = new DatabaseSync(':memory:')
    database.exec('CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 2), (3, 4)')
    const piece = fc.constantFrom(' ', ';', "'", '"', '--', '/*', '*/', '(', ')', ',', '=', 'a', 'b', '1', 'and', 'or', 'DROP TABLE t', 'DELETE FROM t', 'union select', "''", '\n', 'not')
    fc.assert(fc.property(fc.constantFrom('DELETE FROM t WHERE ', 'UPDATE t SET a = 1 WHERE ', 'DELETE FROM t '), fc.array(piece, { maxLength: 12 }), (start, pieces) => {
      const count = rowCountOf(start + pieces.join(' '))
      if (count === null) return true
      expect(count.sql).toMatch(/^SELECT count\(\*\) AS n FROM "t"/)
      try {
        database.prepare(count.sql).get()
      } catch {
        // A condition that does not hold together is refused as a whole.
      }
      return database.prepare('SELECT count(*) AS n FROM t').get()?.['n'] === 2
    }), { numRuns: 2_000 })
    database.close()
  })
})
