import { z } from 'zod'
import type { LedgerKind, LedgerVerification } from '../contract/schemas/ledger.ts'
import { beginChain, type ChainRow, endChain, fault, type LedgerHead, type Sha256, stepChain } from './ledger-chain.ts'
import { createSealFold, type SealTrust, type VerifySignature } from './ledger-seal.ts'

/** The kinds that hold what agents asked for and got: their bodies may be pruned. Sessions, people's answers, secrets' names and alarms stay. */
export const CONTENT_KINDS: ReadonlySet<string> = new Set<LedgerKind>([
  'tool-call/proposed',
  'tool-call/intent',
  'tool-call/decision',
  'tool-call/outcome',
  'model-request/intent',
  'model-request/outcome',
  'approval/requested',
  'file/changed',
])

const Pruned = z.object({ through: z.number().int().positive() })
const MAX_RUNS = 1_000

/** Whether each body that is gone was pruned: the chain holds a later `ledger/pruned` entry that says so. */
const createPruneFold = () => {
  /** Gone bodies that nothing covers yet, as runs with no content entry left between them. */
  let runs: { from: number; to: number }[] = []
  let isOpen = false
  let wrong = Infinity
  return {
    step({ sequence, kind, body }: ChainRow): void {
      if (body === '') {
        if (!CONTENT_KINDS.has(kind)) wrong = Math.min(wrong, sequence)
        const last = runs.at(-1)
        if (last !== undefined && (isOpen || runs.length === MAX_RUNS)) last.to = sequence
        else runs.push({ from: sequence, to: sequence })
        isOpen = true
      } else if (CONTENT_KINDS.has(kind)) isOpen = false
      else if (kind === 'ledger/pruned') {
        const { through } = Pruned.parse(JSON.parse(body))
        runs = runs.flatMap(({ from, to }) => (to <= through ? [] : [{ from: Math.max(from, through + 1), to }]))
      }
    },
    firstUncovered: (): number | null => {
      const first = Math.min(runs[0]?.from ?? Infinity, wrong)
      return first === Infinity ? null : first
    },
  }
}

export interface LedgerProof {
  /** Takes the next row, in the order of sequence. */
  step(row: ChainRow): void
  /** The sequence that the next row should have. */
  next(): number
  end(): Omit<LedgerVerification, 'signed'> & { readonly signed: { readonly through: number; readonly seals: number } }
}

/**
 * Proves a whole ledger: the chain of entries, the signed seals over it, and that what is gone was pruned.
 * `expected` is the head kept outside the database.
 */
export const createLedgerProof = (deps: SealTrust & {
  readonly expected: LedgerHead | null
  readonly sha256: Sha256
  readonly verifySignature: VerifySignature
}): LedgerProof => {
  let chain = beginChain(deps.expected)
  const seals = createSealFold(deps)
  const pruned = createPruneFold()
  let isSound = true
  return {
    step: (row) => {
      chain = stepChain(chain, row, deps.sha256)
      // What seals and pruning say means nothing after a break in the chain.
      isSound &&= chain.faults.length === 0
      if (!isSound) return
      seals.step(row)
      pruned.step(row)
    },
    next: () => chain.last.sequence + 1,
    end: () => {
      const verdict = endChain(chain)
      const { through, seals: count, faults } = seals.end()
      const gone = pruned.firstUncovered()
      const own = isSound ? faults.map(({ sequence, problem, what }) => fault(sequence, problem, what)) : []
      const uncovered = gone === null ? [] : [fault(gone, 'altered', 'its content is gone, and nothing says that it was pruned')]
      const all = [...verdict.faults]
      for (const found of [...own, ...uncovered]) {
        if (!all.some(({ sequence }) => sequence === found.sequence)) all.push(found)
      }
      all.sort((a, b) => a.sequence - b.sequence)
      return { ok: all.length === 0, entries: verdict.entries, headHash: verdict.headHash, faults: all, signed: { through, seals: count } }
    },
  }
}

/** The verdict when entries from this sequence on cannot be read. */
export const unreadable = (verification: LedgerVerification, sequence: number, message: string): LedgerVerification => ({
  ...verification,
  ok: false,
  faults: [
    ...verification.faults.filter((fault) => fault.sequence < sequence),
    { sequence, problem: 'unreadable', message },
  ],
})
