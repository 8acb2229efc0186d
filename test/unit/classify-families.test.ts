import { describe, expect, test } from 'vitest'
import { checkRulesMeanwhile } from '../../shared/core/policy/check-rules.ts'
import { brokenExamples, rulesFor } from '../../shared/domain/classify/check-rules.ts'
import { FAMILIES } from '../../shared/domain/classify/families/index.ts'
import { classifyShell } from '../../shared/domain/classify/classify-shell.ts'

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

test('the check that a doctor runs finds none that does not hold, and would find one', () => {
  expect(brokenExamples()).toEqual([])
  const [rule] = FAMILIES.flatMap((family) => family.rules).filter(({ yes }) => yes.length > 1)
  const yes = rule?.yes as string[]
  yes.push('ls no-such-example')
  expect(brokenExamples()).toEqual(['ls no-such-example'])
  yes.pop()
})

test('a host that has started raises one alarm about rules that do not hold, and none where all do', async () => {
  const [rule] = FAMILIES.flatMap((family) => family.rules)
  if (rule === undefined) throw new Error('no rule')
  const bad = { ...rule, yes: ['ls no-such-example'] }
  const { promise, resolve } = Promise.withResolvers<string>()
  const raised: string[] = []
  checkRulesMeanwhile((message) => raised.push(message), { rules: [rule], firstMs: 0 })
  checkRulesMeanwhile(resolve, { rules: [bad, bad], firstMs: 0 })
  expect(await promise).toContain('2 examples of what is known about programs do not hold, such as "ls no-such-example"')
  expect(raised).toEqual([])
})
