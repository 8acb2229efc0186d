import fc from 'fast-check'
import { expect, it } from 'vitest'
import { changedLines, removeFromJson } from '../../shared/domain/audit/mend-text.ts'

it.each([
  ['the first of an object', '{"a":1,"b":2}', [['a']], '{"b":2}'],
  ['the last, with the comma before it', '{\n  "a": 1,\n  "b": 2\n}\n', [['b']], '{\n  "a": 1\n}\n'],
  ['the last, with a comma after it', '{\n  "a": 1,\n  "b": 2,\n}\n', [['b']], '{\n  "a": 1,\n}\n'],
  ['the only one', '{ "a": [1] }', [['a', 0]], '{ "a": [] }'],
  ['several of a list, whatever their order', '["x", "y", "z"]', [[0], [2]], '["y"]'],
  ['a key that stands there twice', '{"a":1,"b":2,"a":3}', [['a']], '{"b":2}'],
  ['with a comma in a comment', '{"a":1 /* , */ , "b":2}', [['a']], '{/* , */  "b":2}'],
  ['nothing, where nothing is', '{"a":1}', [['b'], ['a', 'c'], [0]], '{"a":1}'],
])('takes out %s', (_name, text, paths, expected) => {
  expect(removeFromJson(text, paths)).toBe(expected)
})

it('leaves of any object what was not named, as it was', () => {
  const key = fc.string({ minLength: 1 }).filter((name) => name !== '__proto__')
  fc.assert(fc.property(fc.dictionary(key, fc.jsonValue(), { minKeys: 1, noNullPrototype: true }), fc.nat(), fc.constantFrom(0, 2), (object, pick, indent) => {
    const names = Object.keys(object)
    const gone = names[pick % names.length] ?? ''
    const text = removeFromJson(JSON.stringify(object, null, indent), [[gone]])
    const kept = Object.fromEntries(Object.entries(object).filter(([name]) => name !== gone))
    expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(kept)))
  }))
})

it('shows the lines that went and came, with their numbers', () => {
  expect(changedLines('a\nb\nc\nd\n', 'a\nc2\nd\n')).toEqual(['- 2: b', '- 3: c', '+ 2: c2'])
  expect(changedLines('a\n', 'a\n')).toEqual([])
})
