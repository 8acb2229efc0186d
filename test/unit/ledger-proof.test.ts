import { hash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSealBatch, type SealAnchor, sealText } from '../../shared/domain/ledger-seal.ts'
import { canonicalJson, type ChainRow, GENESIS, hashInput, type LedgerHead } from '../../shared/domain/ledger-chain.ts'
import { createLedgerProof } from '../../shared/domain/ledger-verify.ts'
import { createMerkleTree } from '../../shared/domain/merkle.ts'
import { generateKey, signerOf, verifySignature } from '../../shared/core/ledger/signing.ts'

const sha256 = (text: string): string => hash('sha256', text)
const owner = signerOf(generateKey())
const forger = signerOf(generateKey())

/** Numbers, chains and hashes rows anew, as whoever can write every file would. */
const rechain = (rows: readonly ChainRow[]): ChainRow[] => {
  const chained: ChainRow[] = []
  for (const row of rows) {
    const linked = {
      ...row,
      sequence: chained.length + 1,
      bodyHash: row.body === '' ? row.bodyHash : sha256(row.body),
      previousHash: chained.at(-1)?.hash ?? GENESIS.hash,
    }
    chained.push({ ...linked, hash: sha256(hashInput(linked)) })
  }
  return chained
}

const entry = (kind: string, body: object): ChainRow => ({
  sequence: 0,
  at: 1_000,
  kind,
  sessionId: null,
  body: canonicalJson(body),
  bodyHash: null,
  previousHash: '',
  hash: '',
})

const sealed = (rows: readonly ChainRow[], signer = owner): ChainRow[] => {
  const chained = rechain(rows)
  const batch = createSealBatch(sha256)
  for (const row of chained) {
    if (row.kind === 'ledger/sealed') batch.clear()
    batch.add(row)
  }
  const claim = batch.claim()
  if (claim === null) throw new Error('nothing to seal')
  return rechain([...chained, entry('ledger/sealed', { ...claim, publicKey: signer.publicKey, signature: signer.sign(sealText(claim)) })])
}

const calls = (from: number, to: number): ChainRow[] =>
  Array.from({ length: to - from + 1 }, (_, at) => entry(at % 2 === 0 ? 'tool-call/outcome' : 'alarm/raised', { n: from + at }))

/** Entries 1 to 9, their seal as 10, 11 to 19, their seal as 20, and 21 to 24 not sealed yet. */
const LEDGER = rechain([...sealed([...sealed(calls(1, 9)), ...calls(11, 19)]), ...calls(21, 24)])
const ANCHORS = [10, 20].map((n) => JSON.parse(LEDGER[n - 1]?.body ?? '') as SealAnchor)
const headOf = (rows: readonly ChainRow[]): LedgerHead => rows.at(-1) ?? GENESIS

const prove = (rows: readonly ChainRow[], trust: { expected?: LedgerHead; anchors?: SealAnchor[]; trustedKey?: string | null } = {}) => {
  const proof = createLedgerProof({ expected: headOf(LEDGER), anchors: [], trustedKey: owner.publicKey, sha256, verifySignature, ...trust })
  for (const row of rows.toSorted((a, b) => a.sequence - b.sequence)) proof.step(row)
  const { ok, faults, signed } = proof.end()
  return { ok, found: faults.map(({ sequence, problem }) => `${sequence} ${problem}`), first: faults[0]?.sequence, signed }
}

describe('Merkle roots', () => {
  const rootOf = (leaves: readonly string[]) => {
    const tree = createMerkleTree(sha256)
    leaves.forEach(tree.add)
    return tree.root()
  }
  const node = (left: string, right: string): string => sha256(`holdfast-merkle-1\n${left}\n${right}`)

  test('have the shape of RFC 6962: the left subtree is the largest power of two', () => {
    expect(rootOf([])).toBe(null)
    expect(rootOf(['a'])).toBe('a')
    expect(rootOf(['a', 'b', 'c'])).toBe(node(node('a', 'b'), 'c'))
    expect(rootOf(['a', 'b', 'c', 'd', 'e', 'f', 'g'])).toBe(node(node(node('a', 'b'), node('c', 'd')), node(node('e', 'f'), 'g')))
  })

  test('differ when any leaf is changed, dropped, repeated or moved', () => {
    const leaves = Array.from({ length: 13 }, (_, n) => sha256(String(n)))
    const roots = leaves.flatMap((leaf, n) => [
      rootOf(leaves.with(n, sha256('other'))),
      rootOf(leaves.toSpliced(n, 1)),
      rootOf(leaves.toSpliced(n, 0, leaf)),
      rootOf(leaves.toSpliced(n, 2, leaves[n + 1] ?? '', leaf)),
    ])
    expect(new Set([...roots, rootOf(leaves)]).size).toBe(4 * 13 + 1)
  })
})

describe('a sealed ledger', () => {
  test('verifies, and says how far it is signed', () => {
    expect(prove(LEDGER)).toEqual({ ok: true, found: [], first: undefined, signed: { through: 19, seals: 2 } })
    expect(prove(LEDGER, { anchors: [{ to: 19, root: JSON.parse(LEDGER[19]?.body ?? '').root as string }] }).ok).toBe(true)
  })

  test('shows every change by whoever cannot write the head outside, in 2,000 random mutations', () => {
    const n = fc.integer({ min: 1, max: LEDGER.length })
    const other = fc.integer({ min: 1, max: LEDGER.length })
    const field = fc.constantFrom('at', 'kind', 'sessionId', 'body', 'bodyHash', 'previousHash', 'hash')
    const does = fc.constantFrom('flip', 'edit', 'blank', 'drop', 'close-up', 'swap', 'repeat', 'insert', 'truncate', 'roll-back')
    const flip = (value: string | number | null, at: number): string | number => {
      if (typeof value === 'number') return value ^ (1 << at % 20)
      const text = value ?? 'null'
      const place = at % text.length
      return text.slice(0, place) + String.fromCharCode(text.charCodeAt(place) ^ (1 << at % 7)) + text.slice(place + 1)
    }
    const seen = new Map<string, number>()
    fc.assert(
      fc.property(does, n, other, field, fc.nat({ max: 10_000 }), (kind, a, b, name, at) => {
        const row = LEDGER[a - 1] as ChainRow
        const set = (change: Partial<ChainRow>) => LEDGER.with(a - 1, { ...row, ...change })
        const renumber = (rows: readonly ChainRow[]) => rows.map((one, index) => ({ ...one, sequence: index + 1 }))
        let first = a
        const mutated = (): readonly ChainRow[] => {
          switch (kind) {
            case 'flip':
              return set({ [name]: flip(row[name], at) })
            case 'edit':
              return set({ body: `{"x":${at}}`, bodyHash: sha256(`{"x":${at}}`) })
            case 'blank':
              return set({ body: '' })
            case 'drop':
              first = a
              return LEDGER.toSpliced(a - 1, 1)
            case 'close-up':
              return renumber(LEDGER.toSpliced(a - 1, 1))
            case 'swap': {
              first = Math.min(a, b)
              return renumber(LEDGER.with(a - 1, LEDGER[b - 1] as ChainRow).with(b - 1, row))
            }
            case 'repeat':
              first = a + 1
              return renumber(LEDGER.toSpliced(a, 0, row))
            case 'insert':
              return renumber(LEDGER.toSpliced(a - 1, 0, { ...row, body: `{"x":${at}}`, bodyHash: sha256(`{"x":${at}}`), hash: sha256(String(at)) }))
            case 'truncate':
              return LEDGER.slice(0, a - 1)
            default:
              return rechain(LEDGER.slice(0, a - 1))
          }
        }
        if (kind === 'swap' && a === b) return
        seen.set(kind, (seen.get(kind) ?? 0) + 1)
        expect({ kind, ok: prove(mutated()).ok, first: prove(mutated()).first }).toEqual({ kind, ok: false, first })
      }),
      { numRuns: 2_200 },
    )
    expect([...seen.values()].reduce((sum, times) => sum + times)).toBeGreaterThanOrEqual(2_000)
    expect(seen.size).toBe(10)
  })

  test('shows a rewriting by whoever writes every file but has not the key: the seal after it does not fit', () => {
    for (let n = 1; n <= 20; n += 1) {
      const rewritten = rechain(LEDGER.with(n - 1, { ...(LEDGER[n - 1] as ChainRow), body: '{"x":1}' }))
      expect(prove(rewritten, { expected: headOf(rewritten) }).first, String(n)).toBe(n <= 10 ? 10 : 20)
      const dropped = rechain(LEDGER.toSpliced(n - 1, 1))
      expect(prove(dropped, { expected: headOf(dropped), anchors: ANCHORS }).ok, String(n)).toBe(false)
    }
  })

  test('shows seals made again with another key, and still checks seals where no key is known', () => {
    const forged = rechain([...sealed([...sealed(calls(1, 9)), ...calls(11, 19)], forger), ...calls(21, 24)])
    expect(prove(forged, { expected: headOf(forged) })).toMatchObject({ found: ['20 unsigned'], signed: { through: 9 } })
    expect(prove(forged, { expected: headOf(forged), trustedKey: null })).toMatchObject({ ok: true, signed: { through: 19 } })
    const broken = rechain(LEDGER.with(4, { ...(LEDGER[4] as ChainRow), body: '{"x":1}' }))
    expect(prove(broken, { expected: headOf(broken), trustedKey: null }).found).toEqual(['10 altered', '20 altered'])
  })

  test('shows that a seal kept outside is missing, when database and head were rolled back together', () => {
    const early = LEDGER.slice(0, 15)
    expect(prove(early, { expected: headOf(early) }).ok).toBe(true)
    expect(prove(early, { expected: headOf(early), anchors: ANCHORS }).found).toEqual(['16 truncated'])
    const other = sealed([...LEDGER.slice(0, 12), ...calls(13, 18)])
    expect(prove(other, { expected: headOf(other), anchors: ANCHORS }).ok).toBe(false)
  })
})

describe('pruned content', () => {
  const pruned = (through: number, rows = LEDGER): ChainRow[] => {
    const emptied = rows.map((row) => (row.sequence <= through && row.kind === 'tool-call/outcome' ? { ...row, body: '' } : row))
    return rechain([...emptied, entry('ledger/pruned', { through, before: 1 })])
  }
  const proveAll = (rows: readonly ChainRow[]) => prove(rows, { expected: headOf(rows) })

  test('verifies, seals included, when an entry says that it was pruned', () => {
    expect(proveAll(pruned(15))).toEqual({ ok: true, found: [], first: undefined, signed: { through: 19, seals: 2 } })
    expect(proveAll(pruned(23, pruned(7)))).toMatchObject({ ok: true, found: [] })
  })

  test('is a fault where no entry covers it, or where it is not content', () => {
    const beyond = pruned(7).map((row) => (row.sequence === 17 ? { ...row, body: '' } : row))
    expect(proveAll(beyond).found).toEqual(['17 altered'])
    const decision = pruned(7).map((row) => (row.sequence === 2 ? { ...row, body: '' } : row))
    expect(proveAll(decision).found).toEqual(['2 altered'])
  })
})
