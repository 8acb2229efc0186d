/** One piece of shell that a name of the project stands for. */
export interface Target {
  readonly name: string
  /** null where it is longer than can be judged. */
  readonly script: string | null
}

const MAX_TARGETS = 64

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

/** What stands below one line of targets. */
interface Rule {
  readonly needs: readonly string[]
  readonly lines: string[]
}

const MAX_EXPANSIONS = 4
/** Characters that the variables of one Makefile may grow to, all recipes together. */
const MAX_EXPANDED = 256 * 1024

/**
 * Recipes as the shell gets them: `$(X)` of plain assignments put in, `@`, `-` and `+` taken off. null once all
 * together have become longer than can be judged.
 */
const createExpander = (variables: ReadonlyMap<string, string>): ((line: string) => string | null) => {
  let left = MAX_EXPANDED
  const valueOf = (whole: string, name: string): string => {
    const value = variables.get(name) ?? whole.replace('(', '{').replace(')', '}').replaceAll('$', '$$$$')
    left -= value.length
    return left < 0 ? '' : value
  }
  return (line) => {
    let text = line
    for (let round = 0; round < MAX_EXPANSIONS && left >= 0 && /\$[({]\w+[)}]/.test(text); round += 1) text = text.replace(/\$[({](\w+)[)}]/g, valueOf)
    return left < 0 ? null : text.replaceAll('$@', 'target').replaceAll('$<', 'source').replaceAll('$^', 'sources').replaceAll('$$', '$')
  }
}

/** What make runs while it reads a line that is no recipe: `$(shell …)`, to its own closing parenthesis, and `X != …`. */
const shellIn = (line: string): string[] => {
  const found = /^[\w.-]+\s*!=(.*)$/.exec(line)?.slice(1) ?? []
  for (let at = line.search(CALLS_SHELL); at >= 0; ) {
    const begin = at + '$(shell '.length
    let depth = 1
    let end = begin
    for (; end < line.length && depth > 0; end += 1) depth += OPENS.includes(line.charAt(end)) ? 1 : CLOSES.includes(line.charAt(end)) ? -1 : 0
    found.push(line.slice(begin, depth === 0 ? end - 1 : end))
    const next = line.slice(end).search(CALLS_SHELL)
    at = next < 0 ? -1 : end + next
  }
  return found
}
const CALLS_SHELL = /\$[({]shell\s/
const [OPENS, CLOSES] = ['({', ')}']

/** `targets: needs ; recipe`, or null. By hand: a pattern would look at a long line over and over. */
const readRule = (line: string): { readonly targets: string; readonly needs: string; readonly recipe: string | null } | null => {
  const colon = line.indexOf(':')
  const targets = line.slice(0, Math.max(colon, 0)).trimEnd()
  if (targets === '' || /^\s|[#=]/.test(targets)) return null
  const rest = line.slice(colon).replace(/^::?/, '')
  if (rest.startsWith('=')) return null
  const semicolon = rest.indexOf(';')
  return semicolon < 0 ? { targets, needs: rest, recipe: null } : { targets, needs: rest.slice(0, semicolon), recipe: rest.slice(semicolon + 1) }
}

const parseMakefile = (text: string): { rules: Map<string, Rule[]>, variables: Map<string, string>, first: string | null, atOnce: readonly string[] } => {
  const atOnce: string[] = []
  const variables = new Map([['RM', 'rm -f'], ['MAKE', 'make'], ['SHELL', '/bin/sh'], ['CC', 'cc'], ['CXX', 'c++']])
  const rules = new Map<string, Rule[]>()
  let first: string | null = null
  let last: Rule | null = null
  for (const line of text.replace(/\\\r?\n/g, ' ').split(/\r?\n/)) {
    if (line.startsWith('\t')) {
      last?.lines.push(line.slice(1))
      continue
    }
    atOnce.push(...shellIn(line))
    const [, variable, value = ''] = /^(?:export\s+|override\s+)?([\w.-]+)\s*(?::{0,3}|\?|\+)=\s*(.*)$/.exec(line) ?? []
    if (variable !== undefined) {
      variables.set(variable, value)
      continue
    }
    const found = readRule(line)
    if (found === null) continue
    last = { needs: found.needs.trim().split(/\s+/), lines: found.recipe === null ? [] : [found.recipe] }
    for (const name of new Set(found.targets.split(/\s+/))) {
      rules.set(name, rules.get(name) ?? [])
      rules.get(name)?.push(last)
      if (first === null && !name.startsWith('.')) first = name
    }
  }
  return { rules, variables, first, atOnce }
}

/** What make runs for these arguments, as far as its file tells in plain rules: the targets named, or the first, and what they need. */
export const recipesOf = (readFile: (name: string) => string | null, args: readonly string[]): readonly Target[] => {
  if (args.some((argument) => /^(-n|--dry-run|--just-print|--recon|-q|--version|-v|--help|-h)$/.test(argument))) return []
  const at = args.findIndex((argument) => /^(-f|--file|--makefile)$/.test(argument))
  if (args.some((argument) => /^(-C|--directory)/.test(argument))) return []
  const text = at >= 0 ? readFile(args[at + 1] ?? '') : (readFile('GNUmakefile') ?? readFile('makefile') ?? readFile('Makefile'))
  if (text === null) return []
  const { rules, variables, first, atOnce } = parseMakefile(text)
  const asked = args.filter((argument, index) => !argument.startsWith('-') && !/^(-f|--file|--makefile|-j|-l|-o|-W|-I)$/.test(args[index - 1] ?? ''))
  for (const assignment of asked.filter((word) => word.includes('='))) variables.set(assignment.slice(0, assignment.indexOf('=')), assignment.slice(assignment.indexOf('=') + 1))
  const targets = asked.filter((word) => !word.includes('='))
  const found = new Map<string, string | null>()
  const expand = createExpander(variables)
  /** One more than can be judged stands for all further ones. */
  const take = (name: string, lines: readonly string[]): void => {
    const expanded = lines.map((line) => expand(line.replace(/^[@\s+-]+/, '')))
    found.set(name, found.size >= MAX_TARGETS || expanded.includes(null) ? null : expanded.join('\n'))
  }
  const add = (name: string): void => {
    const own = rules.get(name)
    if (own === undefined || found.has(name) || found.size > MAX_TARGETS) return
    take(name, own.flatMap((rule) => rule.lines))
    for (const rule of own) for (const need of rule.needs) add(need)
  }
  if (atOnce.length > 0) take('$(shell)', atOnce)
  for (const name of targets.length > 0 ? targets : first === null ? [] : [first]) add(name)
  return [...found].filter(([, script]) => script !== '').map(([name, script]) => ({ name, script }))
}
