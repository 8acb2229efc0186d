import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { diffLines, diffParts } from '../../shared/domain/text-diff.ts'

const shown = (before: string, after: string): string[] => diffLines(before, after).map(({ sign, text }) => sign + text)

describe('the difference of two texts', () => {
  it.each([
    ['a\nb\nc\n', 'a\nx\nc\n', [' a', '-b', '+x', ' c']],
    ['', 'a\n', ['+a']],
    ['a\n', '', ['-a']],
    ['a\n', 'a\n', [' a']],
    ['a', 'a\n', ['-a\n\\ no line end', '+a']],
    ['a\nb\nc\na\nb\nb\na\n', 'c\nb\na\nb\na\nc\n', ['-a', '-b', ' c', '+b', ' a', ' b', '-b', ' a', '+c']],
  ])('of %j and %j keeps what stays', (before, after, lines) => {
    expect(shown(before, after)).toEqual(lines)
  })

  it('tells the numbers of its lines on each side', () => {
    expect(diffLines('a\nb\n', 'b\nc\n').map(({ before, after }) => [before, after])).toEqual([[1, null], [2, 1], [null, 2]])
  })

  it('leaves out what lies far from a change, and says how much', () => {
    const before = Array.from({ length: 20 }, (_, index) => `${index}\n`).join('')
    const parts = diffParts(before, before.replace('10\n', 'ten\n'))
    expect(parts.map((part) => ('skipped' in part ? part.skipped : part.sign + part.text))).toEqual([7, ' 7', ' 8', ' 9', '-10', '+ten', ' 11', ' 12', ' 13', 6])
    expect(diffParts(before, before)).toEqual([])
  })

  it('holds both texts whole, whatever they are', () => {
    const text = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 30 }).map((lines) => lines.map((line) => `${line}\n`).join(''))
    fc.assert(
      fc.property(text, text, (before, after) => {
        const lines = diffLines(before, after)
        const side = (without: string): string => lines.filter(({ sign }) => sign !== without).map((line) => `${line.text}\n`).join('')
        expect([side('+'), side('-')]).toEqual([before, after])
      }),
    )
  })

  it('of texts with nothing in common ends all the same', () => {
    const many = (word: string): string => Array.from({ length: 5_000 }, (_, index) => `${word} ${index}\n`).join('')
    expect(diffLines(many('a'), many('b'))).toHaveLength(10_000)
  })
})
