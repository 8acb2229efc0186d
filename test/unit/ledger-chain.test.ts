import { hash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { beginChain, canonicalJson, type ChainRow, endChain, GENESIS, hashInput, type LedgerHead, stepChain } from '../../shared/domain/ledger-chain.ts'

const sha256 = (text: string): string => hash('sha256', text)

const makeChain = (length: number): ChainRow[] => {
  const rows: ChainRow[] = []
  for (let sequence = 1; sequence <= length; sequence += 1) {
    const previousHash = rows.at(-1)?.hash ?? GENESIS.hash
    const body = `{"n":${sequence}}`
    const row = { sequence, at: 1_000 + sequence, kind: 'host/started', sessionId: null, body, bodyHash: sha256(body), previousHash }
    rows.push({ ...row, hash: sha256(hashInput(row)) })
  }
  return rows
}

const headOf = (rows: readonly ChainRow[]): LedgerHead => rows.at(-1) ?? GENESIS

const verify = (rows: readonly ChainRow[], expected: LedgerHead | null) =>
  endChain(rows.toSorted((a, b) => a.sequence - b.sequence).reduce((state, row) => stepChain(state, row, sha256), beginChain(expected)))

const found = (rows: readonly ChainRow[], expected: LedgerHead | null) =>
  verify(rows, expected).faults.map(({ sequence, problem }) => `${sequence} ${problem}`)

describe('canonical JSON', () => {
  test('is the form RFC 8785 prints for its own example', () => {
    const value: unknown = JSON.parse(
      '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],' +
        '"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
    )
    expect(canonicalJson(value)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    )
  })

  test('sorts keys by UTF-16 code units, as the example of RFC 8785 section 3.2.3', () => {
    const value = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\ud83d\ude00': 5, '\u0080': 6, '\u00f6': 7 }
    expect(canonicalJson(value)).toBe('{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\ud83d\ude00":5,"\ufb33":3}')
  })

  test('reads back as the same value and is the same again for any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value)
        expect(canonicalJson(JSON.parse(text))).toBe(text)
        expect(JSON.stringify(JSON.parse(text))).toHaveLength(JSON.stringify(value).length)
      }),
    )
  })

  test('keeps a lone surrogate and a key named __proto__', () => {
    expect(canonicalJson(JSON.parse('{"b":"\\ud800","__proto__":1}'))).toBe('{"__proto__":1,"b":"\\ud800"}')
  })

  test('leaves out undefined properties and refuses what JSON cannot hold', () => {
    expect(canonicalJson({ a: undefined, b: 1 })).toBe('{"b":1}')
    const cycle: unknown[] = []
    cycle.push(cycle)
    for (const value of [NaN, Infinity, 1n, undefined, [undefined], () => 0, Symbol('s'), new Date(0), new Map(), cycle]) {
      expect(() => canonicalJson(value)).toThrow(TypeError)
    }
  })
})

describe('the hash input is fixed: another machine computes the same hash from the same entry', () => {
  const row = { sequence: 7, at: 1_700_000_000_000, kind: 'session/ended', sessionId: 'ses_bcdfghjkmnpq', body: '{"code":0}', previousHash: 'ab'.repeat(32) }
  const rest = `"kind":"session/ended","previousHash":"${'ab'.repeat(32)}","sequence":7,"sessionId":"ses_bcdfghjkmnpq"}`

  test('over the hash of the body', () => {
    const bodyHash = 'cd'.repeat(32)
    const { body: _, ...others } = row
    const input = `holdfast-ledger-2\n{"at":1700000000000,"bodyHash":"${bodyHash}",${rest}`
    expect(hashInput({ ...row, bodyHash })).toBe(input)
    expect(input.split('\n')[1]).toBe(canonicalJson({ ...others, bodyHash }))
  })

  test('and, in entries of the first format, over the body itself', () => {
    const input = `holdfast-ledger-1\n{"at":1700000000000,"body":{"code":0},${rest}`
    expect(hashInput({ ...row, bodyHash: null })).toBe(input)
    expect(input.split('\n')[1]).toBe(canonicalJson({ ...row, body: { code: 0 } }))
  })
})

describe('verification', () => {
  const chain = makeChain(6)
  const head = headOf(chain)
  const without = (sequence: number) => chain.filter((row) => row.sequence !== sequence)
  const rewrite = (sequence: number, change: Partial<ChainRow>) =>
    chain.map((row) => (row.sequence === sequence ? { ...row, ...change } : row))
  const rehash = (rows: readonly ChainRow[], sequence: number) =>
    rows.map((row) => (row.sequence === sequence ? { ...row, hash: sha256(hashInput(row)) } : row))

  test('finds nothing in an untouched chain, an empty one, or one that outran its head', () => {
    expect(verify(chain, head)).toEqual({ ok: true, entries: 6, headHash: head.hash, faults: [] })
    expect(verify([], null)).toEqual({ ok: true, entries: 0, headHash: GENESIS.hash, faults: [] })
    expect(found([], GENESIS)).toEqual([])
    expect(found(chain, chain[2] as LedgerHead)).toEqual([])
    expect(found(chain, GENESIS)).toEqual([])
  })

  test('names an altered entry, whichever field it was, and only that one', () => {
    for (const change of [{ at: 1 }, { kind: 'host/stopped' }, { sessionId: '' }, { body: '{"n":9}' }, { bodyHash: sha256('{}') }, { hash: 'f'.repeat(64) }]) {
      expect(found(rewrite(3, change), head)).toEqual(['3 altered'])
    }
    expect(found(rewrite(3, { previousHash: 'f'.repeat(64) }), head)).toEqual(['3 altered'])
    expect(found(rewrite(6, { body: '{}' }), head)).toEqual(['6 altered'])
  })

  test('names an entry that was altered together with its own hash', () => {
    const forged = { body: '{}', bodyHash: sha256('{}') }
    expect(found(rehash(rewrite(3, forged), 3), head)).toEqual(['3 altered'])
    expect(found(rehash(rewrite(1, forged), 1), head)).toEqual(['1 altered'])
    expect(found(rehash(rewrite(6, forged), 6), head)).toEqual(['6 altered'])
    const downgraded = { body: '{}', bodyHash: null }
    expect(found(rewrite(3, downgraded), head)).toEqual(['3 altered'])
  })

  test('names a removed entry', () => {
    expect(found(without(1), head)).toEqual(['1 removed'])
    expect(found(without(4), head)).toEqual(['4 removed'])
  })

  test('names a cut tail, and a whole ledger that is gone', () => {
    expect(found(chain.slice(0, 4), head)).toEqual(['5 truncated'])
    expect(found([], head)).toEqual(['1 truncated'])
  })

  test('names two entries that changed places, and where each came from', () => {
    const swapped = chain.map((row) => ({ ...(row.sequence === 2 ? chain[4] : row.sequence === 5 ? chain[1] : row), sequence: row.sequence }) as ChainRow)
    const { faults } = verify(swapped, head)
    expect(faults.map(({ message }) => message).slice(0, 1)).toEqual(['entry 2: holds what was recorded as entry 5'])
    expect(faults[0]?.problem).toBe('reordered')
  })

  test('names an inserted entry, forged or repeated', () => {
    const shifted = (from: number) => chain.map((row) => (row.sequence >= from ? { ...row, sequence: row.sequence + 1 } : row))
    const forged = { ...(chain[1] as ChainRow), sequence: 3, previousHash: (chain[1] as ChainRow).hash, body: '{"forged":true}', bodyHash: sha256('{"forged":true}') }
    expect(found(rehash([...shifted(3), forged], 3), head)[0]).toBe('3 inserted')
    expect(found([...shifted(3), { ...(chain[1] as ChainRow), sequence: 3 }], head)[0]).toBe('3 inserted')
    expect(found([...chain, { ...(chain[1] as ChainRow), sequence: -4 }], head)).toEqual(['0 inserted'])
  })

  test('names a rewritten end that is sound in itself but is not what the kept head says', () => {
    const other = makeChain(5).concat(rehash(rewrite(6, { body: '{"other":1}', bodyHash: sha256('{"other":1}') }), 6).slice(5))
    expect(found(other, head)).toEqual(['6 altered'])
  })

  test('reports a column of the wrong type instead of reading it as something else', () => {
    expect(found(rewrite(3, { at: '1003' as unknown as number }), head)).toEqual(['3 unreadable'])
    expect(found(rewrite(3, { bodyHash: 'x' }), head)).toEqual(['3 unreadable'])
    expect(found(rewrite(3, { body: null as unknown as string }), head)).toEqual(['3 unreadable'])
  })

  test('reports that the kept head is gone', () => {
    expect(found(chain, null)).toEqual(['6 unreadable'])
  })

  test('keeps the first 100 faults of the chain, and that of the head', () => {
    const { faults, entries } = verify(makeChain(300).map((row) => ({ ...row, at: 0 })), null)
    expect([entries, faults.length, faults[0]?.sequence]).toEqual([300, 101, 1])
  })
})
