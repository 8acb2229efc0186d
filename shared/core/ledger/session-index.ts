import { randomInt } from 'node:crypto'
import type { ChainRow } from '../../domain/ledger-chain.ts'
import type { Database } from '../storage/database.ts'

const PRIME = 67_108_859

/**
 * Whether the index by session lists just the entries that the rows themselves say: without that, an entry could be
 * hidden from a search by session alone. Compares counts and a sum per session, salted anew each time, so that no
 * change of the index can be made to fit.
 */
export const createSessionIndexCheck = (database: Database) => {
  const salt = randomInt(1, PRIME)
  const expected = new Map<string, { count: number; sum: number }>()
  return {
    step: ({ sessionId, sequence }: ChainRow): void => {
      if (sessionId === null) return
      const known = expected.get(sessionId) ?? { count: 0, sum: 0 }
      expected.set(sessionId, known)
      known.count += 1
      known.sum += ((sequence % PRIME) * salt) % PRIME
    },
    holds: (until: number): boolean => {
      const found = database
        .prepare<[number, number], { sessionId: string; count: number; sum: number }>(
          `SELECT session_id AS sessionId, count(*) AS count, sum((sequence % ${PRIME}) * ? % ${PRIME}) AS sum
           FROM entry INDEXED BY entry_by_session WHERE session_id IS NOT NULL AND sequence <= ? GROUP BY session_id`,
        )
        .all(salt, until)
      return (
        found.length === expected.size &&
        found.every(({ sessionId, count, sum }) => expected.get(sessionId)?.count === count && expected.get(sessionId)?.sum === sum)
      )
    },
  }
}
