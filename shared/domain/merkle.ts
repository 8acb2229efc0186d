import type { Sha256 } from './ledger-chain.ts'

/** Takes leaves one by one and keeps only the roots of perfect subtrees: constant amortised time, logarithmic memory. */
export interface MerkleTree {
  /** Adds an entry's hash. */
  add(leaf: string): void
  /** The root over the leaves so far; null when there is none. */
  root(): string | null
}

const FORMAT = 'holdfast-merkle-1\n'

/** In the tree shape of RFC 6962 section 2.1: leaves are hashes already, and inner nodes carry a prefix of their own. */
export const createMerkleTree = (sha256: Sha256): MerkleTree => {
  const subtrees: { size: number; root: string }[] = []
  const join = (left: string, right: string): string => sha256(`${FORMAT}${left}\n${right}`)
  return {
    add: (leaf) => {
      let size = 1
      let root = leaf
      for (let last = subtrees.at(-1); last?.size === size; last = subtrees.at(-1)) {
        subtrees.pop()
        size *= 2
        root = join(last.root, root)
      }
      subtrees.push({ size, root })
    },
    root: () => subtrees.reduceRight<string | null>((right, { root }) => (right === null ? root : join(root, right)), null),
  }
}
