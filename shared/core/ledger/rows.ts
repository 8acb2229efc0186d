import type { Statement } from 'better-sqlite3'
import type { ChainRow } from '../../domain/ledger-chain.ts'
import type { Database } from '../storage/database.ts'
import { BLOCK } from './session-blocks.ts'

/** SQLite's row ids lie between: wider than safe integers, and a forged row may have any. */
export const LOWEST = -(2 ** 63)
export const HIGHEST = 2 ** 63

const COLUMNS = 'sequence, at, kind, entry.session_id AS sessionId, body, body_hash AS bodyHash, previous_hash AS previousHash, hash'

/** Entries as the chain sees them; `rest` is what comes after the table's name. */
export const selectRows = <Values extends unknown[]>(database: Database, rest: string): Statement<Values, ChainRow> =>
  database.prepare<Values, ChainRow>(`SELECT ${COLUMNS} FROM entry ${rest}`)

/** One session's entries between two sequences, neither of them included. */
export const selectSessionRows = (database: Database, order: 'ASC' | 'DESC') => {
  const rows: Statement<[{ sessionId: string; after: number; before: number; from: number; to: number }], ChainRow> = database.prepare(
    `SELECT ${COLUMNS} FROM session_block CROSS JOIN entry
     WHERE session_block.session_id = @sessionId AND block BETWEEN @from AND @to
       AND sequence > max(@after, block * ${BLOCK} - 1) AND sequence < min(@before, (block + 1) * ${BLOCK})
       AND entry.session_id = @sessionId
     ORDER BY block ${order}, sequence ${order}`,
  )
  return (after: number, before: number, sessionId: string): IterableIterator<ChainRow> =>
    rows.iterate({ sessionId, after, before, from: Math.floor(after / BLOCK), to: Math.floor(before / BLOCK) })
}
