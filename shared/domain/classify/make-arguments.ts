/** Options that take a value, by letter and by name; make takes the beginning of a name too. */
const VALUES: ReadonlyMap<string, string> = new Map([
  ['f', 'file'], ['C', 'directory'], ['I', 'include-dir'], ['E', 'eval'], ['o', 'old-file'], ['W', 'what-if'],
  ['file', 'file'], ['makefile', 'file'], ['directory', 'directory'], ['include-dir', 'include-dir'], ['eval', 'eval'], ['old-file', 'old-file'],
  ['assume-old', 'old-file'], ['what-if', 'what-if'], ['assume-new', 'what-if'], ['new-file', 'what-if'],
])
const LONG = [...VALUES].filter(([name]) => name.length > 1)

export interface MakeArguments {
  /** Folders to go to, one after the other. */
  readonly folders: readonly string[]
  readonly files: readonly string[]
  readonly includeFolders: readonly string[]
  readonly texts: readonly string[]
  readonly targets: readonly string[]
  readonly variables: readonly (readonly [string, string])[]
  /** Runs no recipe, but what is run while a Makefile is read. */
  readonly isDry: boolean
  readonly isHelp: boolean
}

/** Options stand anywhere, as getopt(3) has it. */
export const readMakeArguments = (args: readonly string[]): MakeArguments => {
  const values = new Map<string, string[]>()
  const words: string[] = []
  let [isDry, isHelp] = [false, false]
  const keep = (option: string, value: string): void => void values.set(option, [...(values.get(option) ?? []), value])
  for (let at = 0; at < args.length; at += 1) {
    const argument = args[at] ?? ''
    if (argument === '--') {
      words.push(...args.slice(at + 1))
      break
    }
    if (argument.startsWith('--')) {
      const [name = '', ...rest] = argument.slice(2).split('=')
      const option = LONG.find(([long]) => long.startsWith(name))?.[1]
      isDry ||= /^(dry-run|just-print|recon|question)$/.test(name)
      isHelp ||= /^(version|help)$/.test(name)
      if (option !== undefined && name !== '') keep(option, rest.length > 0 ? rest.join('=') : (args[(at += 1)] ?? ''))
    } else if (argument.startsWith('-') && argument.length > 1) {
      for (let letter = 1; letter < argument.length; letter += 1) {
        const option = VALUES.get(argument.charAt(letter))
        isDry ||= 'nq'.includes(argument.charAt(letter))
        isHelp ||= 'vh'.includes(argument.charAt(letter))
        if (option !== undefined) keep(option, argument.slice(letter + 1) || (args[(at += 1)] ?? ''))
        if (option !== undefined || 'jlO'.includes(argument.charAt(letter))) break
      }
      if (/^-[a-zA-Z]*[jl]$/.test(argument) && /^[\d.]+$/.test(args[at + 1] ?? '')) at += 1
    } else words.push(argument)
  }
  const [assignments, targets] = [words.filter((word) => word.includes('=')), words.filter((word) => !word.includes('='))]
  return {
    folders: values.get('directory') ?? [],
    files: values.get('file') ?? [],
    includeFolders: values.get('include-dir') ?? [],
    texts: values.get('eval') ?? [],
    targets,
    variables: assignments.map((word) => [word.slice(0, word.indexOf('=')).replace(/[:?+!]+$/, ''), word.slice(word.indexOf('=') + 1)] as const),
    isDry,
    isHelp,
  }
}
