import type { ParsedScript, SyntaxNode } from 'unbash'
import { programOf } from './call.ts'
import { commandBehind } from './commands.ts'
import { inputOf, inputOfRedirects } from './redirects.ts'
import { isShell } from './run-code.ts'
import type { Input, ShellState } from './shell-state.ts'
import { HIDDEN, UNKNOWN } from './unknown.ts'
import { expandArgument, textOfPrint } from './words.ts'
import { PRINTS_VARIABLES } from './wrappers.ts'

/** What commands print, as far as that can be told. */
export const createOutputs = (state: ShellState) => {
  /** What a command prints. What another program makes of text that is known is hidden. */
  const outputOf = (node: SyntaxNode, piped: Input): Input => {
    if (node.type !== 'Command' || node.name === undefined) return 'unknown'
    const argv = commandBehind([node.name, ...node.args].flatMap((argument) => expandArgument(argument, state.variables)))
    const program = programOf(argv[0] ?? '')
    if (program === 'echo' || program === 'printf') return inputOf(textOfPrint([program, ...argv.slice(1)]))
    if (program === ':' || program === 'true') return { text: '' }
    if (program !== null && !state.functions.has(program) && PRINTS_VARIABLES.test([program, ...argv.slice(1)].join(' '))) return { text: '' }
    if (program === 'nproc' && !state.functions.has(program)) return { text: '8' }
    if (program === 'cat' && argv.length === 2 && argv[1] === '/dev/null') return { text: '' }
    const input = inputOfRedirects(node.redirects, state) ?? piped
    if (program === 'cat' && argv.length === 1) return inputOfRedirects(node.redirects, state) === 'none' ? { text: '' } : input
    if (program === 'eval' || program === null || isShell(program) || state.functions.has(program)) return 'hidden'
    return typeof input === 'object' || input === 'hidden' ? 'hidden' : 'unknown'
  }

  /** What a substitution becomes: that of one command or pipeline is followed. */
  const outputOfScript = (script: ParsedScript): string => {
    const node = script.commands.length === 1 ? script.commands[0]?.command : undefined
    if (node === undefined) return UNKNOWN
    const commands = node.type === 'Pipeline' ? node.commands : [node]
    const output = commands.reduce<Input>((input, command) => outputOf(command, input), 'none')
    return typeof output === 'object' ? output.text.replace(/\n+$/, '') : output === 'hidden' ? HIDDEN : UNKNOWN
  }

  return { outputOf, outputOfScript }
}
