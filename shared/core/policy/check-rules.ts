import { brokenExamplesOf } from '../../domain/classify/check-rules.ts'
import { FAMILIES } from '../../domain/classify/families/index.ts'
import type { Rule } from '../../domain/classify/family.ts'

/** A host that has just started has other things to do. */
const FIRST_MS = 2_000

/**
 * Holds what is known about programs against its own examples on this machine's runtime, soon after the start: a rule at
 * a time, between other work. Raises one alarm when any does not hold. Returns what gives it up.
 */
export const checkRulesMeanwhile = (
  raise: (message: string) => void,
  { rules = FAMILIES.flatMap((family) => family.rules), firstMs = FIRST_MS }: { readonly rules?: readonly Rule[]; readonly firstMs?: number } = {},
): (() => void) => {
  const broken: string[] = []
  let turn: NodeJS.Immediate | undefined
  const check = (at: number): void => {
    const rule = rules[at]
    if (rule !== undefined) {
      broken.push(...brokenExamplesOf(rule))
      turn = setImmediate(check, at + 1).unref()
    } else if (broken.length > 0) {
      raise(`Calls are not judged as they should be here: ${broken.length} examples of what is known about programs do not hold, such as ${JSON.stringify(broken[0])}. Install Holdfast anew.`)
    }
  }
  const first = setTimeout(check, firstMs, 0).unref()
  return () => {
    clearTimeout(first)
    clearImmediate(turn)
  }
}
