/** One piece of shell that a name of the project stands for. */
export interface Target {
  readonly name: string
  readonly script: string
}

const MAX_TARGETS = 16

const SHORT: ReadonlySet<string> = new Set(['test', 'start', 'stop', 'restart'])

/** The script that a package manager is asked to run; null when none. */
const scriptNameOf = (program: string, args: readonly string[]): string | null => {
  const words = args.filter((argument) => !argument.startsWith('-'))
  const [first, second] = words
  if (first === undefined) return null
  if (first === 'run' || first === 'run-script' || first === 'rum') return second ?? null
  if (SHORT.has(first) || first === 't' || first === 'tst') return first.startsWith('t') ? 'test' : first
  return program === 'yarn' || program === 'pnpm' ? first : null
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/** What a package manager runs for these arguments: the script, what comes before and after it, and the scripts those run in turn. */
export const scriptsOf = (readPackage: () => string | null, program: string, args: readonly string[]): readonly Target[] => {
  const wanted = scriptNameOf(program, args)
  const text = wanted === null ? null : readPackage()
  if (wanted === null || text === null) return []
  let scripts: Record<string, unknown> = {}
  try {
    const parsed: unknown = JSON.parse(text)
    if (isRecord(parsed) && isRecord(parsed['scripts'])) scripts = parsed['scripts']
  } catch {
    return []
  }
  const found = new Map<string, string>()
  const add = (name: string): void => {
    for (const each of [`pre${name}`, name, `post${name}`]) {
      const script = Object.hasOwn(scripts, each) ? scripts[each] : undefined
      if (typeof script !== 'string' || found.has(each) || found.size >= MAX_TARGETS) continue
      found.set(each, script)
      for (const [, next = ''] of script.matchAll(/\b(?:npm|pnpm|yarn|bun)\s+(?:-\S+\s+)*(?:run(?:-script)?\s+)?(?:-\S+\s+)*([\w:.-]+)/g)) add(next)
    }
  }
  add(wanted)
  return [...found].map(([name, script]) => ({ name, script }))
}

interface Rule {
  readonly needs: readonly string[]
  readonly lines: readonly string[]
}

const MAX_EXPANSIONS = 4

/** Recipes as the shell gets them: `$(X)` of plain assignments put in, `@`, `-` and `+` taken off. */
const expandVariables = (line: string, variables: ReadonlyMap<string, string>): string => {
  let text = line
  for (let round = 0; round < MAX_EXPANSIONS && /\$[({]\w+[)}]/.test(text) && text.length < 20_000; round += 1) {
    text = text.replace(/\$[({](\w+)[)}]/g, (whole, name: string) => variables.get(name) ?? whole.replace('(', '{').replace(')', '}').replaceAll('$', '$$$$'))
  }
  return text.replaceAll('$@', 'target').replaceAll('$<', 'source').replaceAll('$^', 'sources').replaceAll('$$', '$')
}

const parseMakefile = (text: string): { rules: Map<string, Rule>, variables: Map<string, string>, first: string | null } => {
  const variables = new Map([['RM', 'rm -f'], ['MAKE', 'make'], ['SHELL', '/bin/sh'], ['CC', 'cc'], ['CXX', 'c++']])
  const rules = new Map<string, Rule>()
  let first: string | null = null
  let names: string[] = []
  for (const line of text.replace(/\\\r?\n/g, ' ').split(/\r?\n/)) {
    if (line.startsWith('\t')) {
      for (const name of names) {
        const rule = rules.get(name)
        if (rule !== undefined) rules.set(name, { ...rule, lines: [...rule.lines, line.slice(1)] })
      }
      continue
    }
    const [, variable, value = ''] = /^(?:export\s+|override\s+)?([\w.-]+)\s*(?::{0,3}|\?|\+)=\s*(.*)$/.exec(line) ?? []
    if (variable !== undefined) {
      variables.set(variable, value)
      continue
    }
    const [, targets, needs = '', recipe] = /^([^\s#:=][^:=#]*?)\s*::?(?!=)([^;]*)(?:;(.*))?$/.exec(line) ?? []
    if (targets === undefined) continue
    names = targets.split(/\s+/)
    for (const name of names) {
      const before = rules.get(name)
      rules.set(name, { needs: [...(before?.needs ?? []), ...needs.trim().split(/\s+/)], lines: [...(before?.lines ?? []), ...(recipe === undefined ? [] : [recipe])] })
      if (first === null && !name.startsWith('.')) first = name
    }
  }
  return { rules, variables, first }
}

/** What make runs for these arguments, as far as its file tells in plain rules: the targets named, or the first, and what they need. */
export const recipesOf = (readFile: (name: string) => string | null, args: readonly string[]): readonly Target[] => {
  if (args.some((argument) => /^(-n|--dry-run|--just-print|--recon|-q|--version|-v|--help|-h)$/.test(argument))) return []
  const at = args.findIndex((argument) => /^(-f|--file|--makefile)$/.test(argument))
  if (args.some((argument) => /^(-C|--directory)/.test(argument))) return []
  const text = at >= 0 ? readFile(args[at + 1] ?? '') : (readFile('GNUmakefile') ?? readFile('makefile') ?? readFile('Makefile'))
  if (text === null) return []
  const { rules, variables, first } = parseMakefile(text)
  const asked = args.filter((argument, index) => !argument.startsWith('-') && !/^(-f|--file|--makefile|-j|-l|-o|-W|-I)$/.test(args[index - 1] ?? ''))
  for (const assignment of asked.filter((word) => word.includes('='))) variables.set(assignment.slice(0, assignment.indexOf('=')), assignment.slice(assignment.indexOf('=') + 1))
  const targets = asked.filter((word) => !word.includes('='))
  const found = new Map<string, string>()
  const add = (name: string): void => {
    const rule = rules.get(name)
    if (rule === undefined || found.has(name) || found.size >= MAX_TARGETS) return
    found.set(name, rule.lines.map((line) => expandVariables(line.replace(/^[@\s+-]+/, ''), variables)).join('\n'))
    for (const need of rule.needs) add(need)
  }
  for (const name of targets.length > 0 ? targets : first === null ? [] : [first]) add(name)
  return [...found].filter(([, script]) => script !== '').map(([name, script]) => ({ name, script }))
}
