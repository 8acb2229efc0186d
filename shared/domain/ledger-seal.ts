import { LedgerSeal } from '../contract/schemas/ledger.ts'
import { canonicalJson, type ChainRow, type Sha256 } from './ledger-chain.ts'
import { createMerkleTree } from './merkle.ts'

/** Whether the signature over the text's UTF-8 bytes is this key's. Arguments as in LedgerSeal; never throws. */
export type VerifySignature = (publicKey: string, text: string, signature: string) => boolean

/** A seal as it is kept outside the database. */
export type SealAnchor = Pick<LedgerSeal, 'to' | 'root'>

/** What a seal says, before it is signed. */
export type SealClaim = Pick<LedgerSeal, 'from' | 'to' | 'root'>

/** What a seal's signature is taken of. */
export const sealText = ({ from, to, root }: SealClaim): string => `holdfast-ledger-seal-1\n${canonicalJson({ from, to, root })}`

/** The entries since the last seal: what the next one will be over. */
export interface SealBatch {
  add(row: Pick<ChainRow, 'sequence' | 'hash'>): void
  /** null when there is no entry. */
  claim(): SealClaim | null
  /** Begins anew, with the row after those claimed. */
  clear(): void
}

export const createSealBatch = (sha256: Sha256): SealBatch => {
  let tree = createMerkleTree(sha256)
  let from: number | null = null
  let to = 0
  return {
    add: ({ sequence, hash }) => {
      from ??= sequence
      to = sequence
      tree.add(hash)
    },
    claim: () => {
      const root = tree.root()
      return root === null || from === null ? null : { from, to, root }
    },
    clear: () => {
      tree = createMerkleTree(sha256)
      from = null
    },
  }
}

export interface SealFault {
  readonly sequence: number
  readonly problem: 'altered' | 'truncated' | 'unsigned'
  readonly what: string
}

export interface SealVerdict {
  /** Entries 1 to here are under seals that hold, all of them by the trusted key when there is one. */
  readonly through: number
  readonly seals: number
  readonly faults: readonly SealFault[]
}

/** Follows the seals of one chain: `step` takes every row in order, then `end` judges. */
export interface SealFold {
  step(row: ChainRow): void
  end(): SealVerdict
}

export interface SealTrust {
  /** The key whose seals count, as in LedgerSeal; null when it is not known. */
  readonly trustedKey: string | null
  /** Seals kept outside the database. */
  readonly anchors: readonly SealAnchor[]
}

/** The seal in a `ledger/sealed` entry's body, or null when it is none: one text alone stands for each seal. */
export const parseSeal = (body: string): LedgerSeal | null => {
  try {
    const seal = LedgerSeal.parse(JSON.parse(body))
    return canonicalJson(seal) === body ? seal : null
  } catch {
    return null
  }
}

/**
 * Checks seals against the rows they are over. A seal is over every entry from the seal before it, that one included,
 * to the entry before its own, so that the last one that holds vouches for all before it. With a trusted key a seal by
 * any other is a fault; without, a seal only has to fit the key that it names itself, which shows damage but not who
 * made it. Each anchor must be met by a seal of the chain.
 */
export const createSealFold = (deps: SealTrust & { readonly sha256: Sha256; readonly verifySignature: VerifySignature }): SealFold => {
  const { trustedKey, anchors, verifySignature } = deps
  const batch = createSealBatch(deps.sha256)
  const faults: SealFault[] = []
  const missing = new Set(anchors)
  let seals = 0
  let through = 0
  let newest = 0

  const check = (row: ChainRow): void => {
    seals += 1
    const seal = parseSeal(row.body)
    const claim = batch.claim()
    batch.clear()
    const fault = (problem: SealFault['problem'], what: string) => void faults.push({ sequence: row.sequence, problem, what })
    if (seal === null) return fault('altered', 'the seal cannot be read')
    if (seal.from !== claim?.from || seal.to !== claim.to || seal.root !== claim.root) {
      return fault('altered', `the entries before it are not those that were sealed as ${seal.from} to ${seal.to}`)
    }
    if (!verifySignature(seal.publicKey, sealText(seal), seal.signature)) return fault('altered', 'the signature of the seal is false')
    for (const anchor of missing) if (anchor.to === seal.to && anchor.root === seal.root) missing.delete(anchor)
    if (trustedKey !== null && seal.publicKey !== trustedKey) return fault('unsigned', 'this seal was made with another key')
    if (faults.length === 0) through = seal.to
  }

  return {
    step: (row) => {
      if (row.kind === 'ledger/sealed') check(row)
      batch.add(row)
      newest = row.sequence
    },
    end: () => {
      const unmet = [...missing].map(({ to }): SealFault => ({
        sequence: Math.min(to, newest) + 1,
        problem: to >= newest ? 'truncated' : 'altered',
        what: `the seal of entries up to ${to}, kept outside the database, is not in it`,
      }))
      return { through, seals, faults: [...faults, ...unmet] }
    },
  }
}
