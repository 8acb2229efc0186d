import { type Command, InvalidArgumentError } from 'commander'
import { examples } from '../program-output.ts'

interface Place {
  /** The words that lead there, each with a space before it. */
  readonly path: string
  /** What may follow. */
  readonly words: readonly string[]
}

const placesOf = (command: Command, path = ''): Place[] => [
  { path, words: [...command.commands.map((child) => child.name()), ...command.options.flatMap(({ long }) => long ?? []), '--help'] },
  ...command.commands.flatMap((child) => placesOf(child, `${path} ${child.name()}`)),
]

/** A script for bash that completes commands and options; after `--` and where none fits, file names. */
export const bashCompletion = (program: Command): string => {
  const places = placesOf(program)
  return `_holdfast() {
  local at= word words
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [ "$word" = -- ] && return
    case "$at $word" in
      ${places.slice(1).map(({ path }) => `'${path}'`).join('|')}) at="$at $word" ;;
    esac
  done
  case "$at" in
${places.map(({ path, words }) => `    '${path}') words='${words.join(' ')}' ;;`).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _holdfast holdfast
`
}

const parseShell = (text: string): string => {
  if (text !== 'bash') throw new InvalidArgumentError('There is a completion for bash alone so far.')
  return text
}

/** `completion`: made from the commands themselves. */
export const addCompletionCommand = (program: Command): void => {
  program
    .command('completion')
    .summary('print what makes the Tab key complete commands')
    .argument('<shell>', 'bash', parseShell)
    .addHelpText('after', examples('eval "$(holdfast completion bash)"', 'holdfast completion bash > ~/.local/share/bash-completion/completions/holdfast'))
    .action(() => void process.stdout.write(bashCompletion(program)))
}
