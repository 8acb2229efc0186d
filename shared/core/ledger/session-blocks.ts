import { randomInt } from 'node:crypto'
import type { ChainRow } from '../../domain/ledger-chain.ts'
import type { Database } from '../storage/database.ts'

/** Sequences to a block, as the database's own trigger counts them. */
export const BLOCK = 64
const PRIME = 67_108_859
const blockOf = (sequence: number): number => Math.floor(sequence / BLOCK)

/**
 * Whether the database notes each session in just the blocks where the rows themselves have entries of it: without
 * that, an entry could be hidden from a search by session alone. Compares counts and a sum per session, salted anew each
 * time, so that no change of the notes can be made to fit. In the block of `until` more may be noted by now.
 */
export const createSessionBlockCheck = (database: Database, until: number) => {
  const salt = randomInt(1, PRIME)
  const lastBlock = blockOf(until)
  const expected = new Map<string, { count: number; sum: number; last: number }>()
  const inLastBlock = new Set<string>()
  return {
    step: ({ sessionId, sequence }: ChainRow): void => {
      if (sessionId === null) return
      const block = blockOf(sequence)
      if (block === lastBlock) {
        inLastBlock.add(sessionId)
        return
      }
      const known = expected.get(sessionId) ?? { count: 0, sum: 0, last: -1 }
      expected.set(sessionId, known)
      if (known.last === block) return
      known.last = block
      known.count += 1
      known.sum += ((block % PRIME) * salt) % PRIME
    },
    holds: (): boolean => {
      const found = database
        .prepare<[number, number], { sessionId: string; count: number; sum: number }>(
          `SELECT session_id AS sessionId, count(*) AS count, sum((block % ${PRIME}) * ? % ${PRIME}) AS sum FROM session_block WHERE block < ? GROUP BY session_id`,
        )
        .all(salt, lastBlock)
      const isLast = database.prepare<[string, number], 1>('SELECT 1 FROM session_block WHERE session_id = ? AND block = ?').pluck()
      return (
        found.length === expected.size &&
        found.every(({ sessionId, count, sum }) => expected.get(sessionId)?.count === count && expected.get(sessionId)?.sum === sum) &&
        [...inLastBlock].every((sessionId) => isLast.get(sessionId, lastBlock) === 1)
      )
    },
  }
}
