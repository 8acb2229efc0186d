import { Argument, type Command } from 'commander'
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

/** The same for zsh, by its own way of running bash's completions (zshcompsys, "bashcompinit"). */
export const zshCompletion = (program: Command): string => `autoload -Uz compinit bashcompinit\n(( $+functions[compdef] )) || compinit -u\nbashcompinit\n${bashCompletion(program)}`

/** The same for fish. */
export const fishCompletion = (program: Command): string => {
  const places = placesOf(program)
  return `function __holdfast_words
  set -l at
  for word in (commandline -opc)[2..-1]
    test "$word" = --; and return
    contains -- "$at $word" ${places.slice(1).map(({ path }) => `'${path}'`).join(' ')}; and set at "$at $word"
  end
  switch "$at"
${places.map(({ path, words }) => `    case '${path}'\n      string split ' ' -- '${words.join(' ')}'`).join('\n')}
  end
end
complete -c holdfast -e
complete -c holdfast -a '(__holdfast_words)'
`
}

const SHELLS: Readonly<Record<string, (program: Command) => string>> = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }

/** `completion`: made from the commands themselves. */
export const addCompletionCommand = (program: Command): void => {
  program
    .command('completion')
    .summary('print what makes the Tab key complete commands')
    .addArgument(new Argument('<shell>').choices(Object.keys(SHELLS)))
    .addHelpText('after', examples('eval "$(holdfast completion bash)"', 'eval "$(holdfast completion zsh)"', 'holdfast completion fish > ~/.config/fish/completions/holdfast.fish'))
    .action((shell: string) => void process.stdout.write(SHELLS[shell]?.(program) ?? ''))
}
