import { describe, expect, test } from 'vitest'
import { matchingRules, readArguments } from '../../shared/domain/classify/family.ts'
import { FAMILIES, familyOf } from '../../shared/domain/classify/families/index.ts'
import { classifyShell, readShell } from '../../shared/domain/classify/classify-shell.ts'

const rulesFor = (command: string) => {
  const argv = readShell(command).commands[0]?.argv ?? []
  const family = familyOf(argv[0] ?? '')
  return family === undefined ? [] : matchingRules(family, readArguments(argv.slice(1), family.valueOptions))
}

describe('every rule holds its own examples', () => {
  for (const family of FAMILIES) {
    for (const rule of family.rules) {
      test(`${family.programs[0]}: ${rule.reason} (${rule.sub ?? rule.line ?? rule.flags?.join(' ')})`, () => {
        for (const example of rule.yes) {
          expect(rulesFor(example), example).toContain(rule)
          if (rule.class === 'destructive') expect(classifyShell(example).class, example).toBe('destructive')
        }
        for (const example of rule.no) expect(rulesFor(example), example).not.toContain(rule)
      })
    }
  }
})

test('every rule has an example that it matches', () => {
  expect(FAMILIES.flatMap((family) => family.rules).filter((rule) => rule.yes.length === 0)).toEqual([])
})

test('no program is in two families', () => {
  const programs = FAMILIES.flatMap((family) => family.programs)
  expect(programs.filter((program, index) => programs.indexOf(program) !== index)).toEqual([])
})
