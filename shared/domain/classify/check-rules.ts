import { readShell } from './classify-shell.ts'
import { FAMILIES, familyOf } from './families/index.ts'
import { matchingRules, readArguments, type Rule } from './family.ts'

/** The rules that match one command's program and arguments. */
export const rulesFor = (command: string): readonly Rule[] => {
  const argv = readShell(command).commands[0]?.argv ?? []
  const family = familyOf(argv[0] ?? '')
  return family === undefined ? [] : matchingRules(family, readArguments(argv.slice(1), family.valueOptions))
}

/** Examples that the rule does not hold: such as it should match and does not, or the other way round. */
export const brokenExamplesOf = (rule: Rule): readonly string[] => [
  ...rule.yes.filter((example) => !rulesFor(example).includes(rule)),
  ...rule.no.filter((example) => rulesFor(example).includes(rule)),
]

/** The same of all rules. Empty when all is well. */
export const brokenExamples = (): readonly string[] => FAMILIES.flatMap(({ rules }) => rules.flatMap(brokenExamplesOf))
