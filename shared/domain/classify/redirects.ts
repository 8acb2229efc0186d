import type { Redirect, Redirection } from 'unbash'
import { destructive, shown } from './finding.ts'
import { judgeWrittenPath } from './paths.ts'
import type { Input, ShellState } from './shell-state.ts'
import { isBlank, isHidden, isKnown, UNKNOWN } from './unknown.ts'
import { textOfParts, valueOfWord } from './words.ts'

/** Of a script even what is known in part is worth reading. */
const inputOfText = (text: string): Input => (isBlank(text) && !isKnown(text) ? inputOf(text) : { text })

/** What a text is to whoever reads it. */
export const inputOf = (text: string): Input => (isKnown(text) ? { text } : isHidden(text) ? 'hidden' : 'unknown')

/** What the last of the redirects gives a command to read; null when none does. */
export const inputOfRedirects = (redirects: readonly Redirection[], state: ShellState): Input | null => {
  let input: Input | null = null
  for (const redirect of redirects) {
    if (redirect.type === 'HereDoc') {
      const { body } = redirect
      input = inputOfText(body.parts === undefined ? body.text : textOfParts(body.parts, state.variables))
    } else if (redirect.type === 'HereString') {
      input = redirect.target === undefined ? 'unknown' : inputOfText(valueOfWord(redirect.target, state.variables))
    } else if (redirect.operator === '<' || redirect.operator === '<>') {
      const target = redirect.target === undefined ? '' : valueOfWord(redirect.target, state.variables)
      input = target === '/dev/null' ? 'none' : 'unknown'
    }
  }
  return input
}

/** What it means where a redirect leads; found goes to `state`. */
export const judgeRedirect = (redirect: Redirect, state: ShellState): void => {
  const target = redirect.target === undefined ? UNKNOWN : valueOfWord(redirect.target, state.variables)
  if (/^\/dev\/(tcp|udp)\//.test(target)) state.findings.push(destructive(`opens a connection: ${shown(target)}`))
  else if (redirect.operator === '<' || redirect.operator === '<&') return
  else if (redirect.operator === '>&' && /^(\d+|-|\d+-)$/.test(target)) return
  else state.findings.push(judgeWrittenPath(target, state.place))
}
