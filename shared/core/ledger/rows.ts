import type { Statement } from 'better-sqlite3'
import type { ChainRow } from '../../domain/ledger-chain.ts'
import type { Database } from '../storage/database.ts'

/** SQLite's row ids lie between: wider than safe integers, and a forged row may have any. */
export const LOWEST = -(2 ** 63)
export const HIGHEST = 2 ** 63

const COLUMNS = 'sequence, at, kind, session_id AS sessionId, body, body_hash AS bodyHash, previous_hash AS previousHash, hash'

/** Entries as the chain sees them; `rest` is what comes after the table's name. */
export const selectRows = <Values extends unknown[]>(database: Database, rest: string): Statement<Values, ChainRow> =>
  database.prepare<Values, ChainRow>(`SELECT ${COLUMNS} FROM entry ${rest}`)
