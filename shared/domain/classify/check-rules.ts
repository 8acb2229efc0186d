import { readShell } from './classify-shell.ts'
import { FAMILIES, familyOf } from './families/index.ts'
import { matchingRules, readArguments, type Rule } from './family.ts'

/** The rules that match one command's program and arguments. */
export const rulesFor = (command: string): readonly Rule[] => {
  const argv = readShell(command).commands[0]?.argv ?? []
  const family = familyOf(argv[0] ?? '')
  return family === undefined ? [] : matchingRules(family, readArguments(argv.slice(1), family.valueOptions))
}

/** Every example that its rule does not hold: one that it should match and does not, or the other way round. Empty when all is well. */
export const brokenExamples = (): readonly string[] =>
  FAMILIES.flatMap(({ rules }) => rules).flatMap((rule) => [
    ...rule.yes.filter((example) => !rulesFor(example).includes(rule)),
    ...rule.no.filter((example) => rulesFor(example).includes(rule)),
  ])
