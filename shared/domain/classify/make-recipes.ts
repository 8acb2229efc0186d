import type { MakeArguments } from './make-arguments.ts'
import { addTo, createExpander, type Makefiles, parseMakefile, type Rule, stemOf } from './make-file.ts'
import type { ReadText, Targets } from './project-targets.ts'

const MAX_TARGETS = 64
const DEFAULT_FILES = ['GNUmakefile', 'makefile', 'Makefile']
/** Any other stands for what only make knows. */
const PLAIN_NAME = /^[\w./+@%:-]+$/
const PLAIN_SHELL = /^((\/usr(\/local)?)?\/bin\/)?(env +)?(ba|da|z|k|a)?sh( |$)|^\$[({]shell +(which|command -v) +\w+[)}]$/

/** What make runs for these arguments, as far as its files tell in plain rules: the targets named, or the first, and what they need. */
export const recipesOf = (read: ReadText, given: MakeArguments): Targets => {
  if (given.isHelp) return { targets: [], unread: [] }
  const variables = new Map([
    ['RM', 'rm -f'], ['MAKE', given.isDry ? 'make -n' : 'make'], ['SHELL', '/bin/sh'], ['CC', 'cc'], ['CXX', 'c++'], ['CURDIR', '.'], ['MAKEFLAGS', ''], ['MFLAGS', ''], ...given.variables,
  ])
  const all: Makefiles = { rules: new Map(), variables, fixed: new Set(given.variables.map(([name]) => name)), atOnce: [], unread: new Set(), first: null }
  const expand = createExpander(variables)
  const wordsOf = (text: string): string[] => (expand(text) ?? '').split(/\s+/).filter((word) => word !== '')

  /** Files that were looked for: make brings them up to date first, by their own rules. */
  const files = new Set<string>()
  const readFile = (path: string): boolean => {
    if (files.has(path)) return true
    files.add(path)
    const text = read(path)
    if (text === null) all.unread.add(path)
    else if (text !== undefined) parseMakefile(text, all, include)
    return text !== undefined
  }
  const include = (names: string): void => {
    const expanded = expand(names)?.replace(/\$[({]wildcard\s([^$(){}*?[]*)[)}]/g, '$1') ?? '$'
    for (const name of expanded.split(/\s+/)) {
      if (name === '') continue
      if (/[$*?[]/.test(name)) all.unread.add(name)
      else if (!readFile(name) && !name.startsWith('/')) given.includeFolders.some((folder) => readFile(`${folder}/${name}`))
    }
  }
  for (const text of given.texts) parseMakefile(text, all, include)
  if (given.files.length > 0) for (const file of given.files) readFile(file)
  else DEFAULT_FILES.some(readFile)

  const rules = new Map<string, Rule[]>()
  for (const [names, own] of all.rules) for (const name of new Set(wordsOf(names))) addTo(rules, name, own)
  const patterns = [...rules].filter(([name]) => name.includes('%'))

  const found = new Map<string, string | null>()
  /** One more than can be judged stands for all further ones. */
  const take = (name: string, lines: readonly string[]): void => {
    const expanded = lines.map((line) => expand(line.replace(/^[@\s+-]+/, '')))
    const script = expanded.includes(null) || found.size >= MAX_TARGETS ? null : expanded.join('\n').replaceAll('$@', PLAIN_NAME.test(name) ? name : '${target}').replaceAll('$<', 'source').replaceAll('$^', 'sources').replaceAll('$$', '$')
    found.set(name, script)
  }
  const rulesFor = (name: string): readonly Rule[] => {
    const own = rules.get(name) ?? []
    if (own.some(({ lines }) => lines.length > 0)) return own
    const implicit = patterns.flatMap(([pattern, fitting]) => {
      const stem = stemOf(pattern, name)
      return stem === null ? [] : fitting.map(({ needs, lines }) => ({ needs: needs.replaceAll('%', stem), lines: lines.map((line) => line.replaceAll('$*', stem)) }))
    })
    return [...own, ...(own.length + implicit.length === 0 ? (rules.get('.DEFAULT') ?? []) : implicit)]
  }
  const add = (name: string, isDry: boolean): void => {
    if (found.has(name) || found.size > MAX_TARGETS) return
    const own = rulesFor(name)
    if (own.length === 0) return
    const lines = own.flatMap((rule) => rule.lines)
    take(name, isDry ? lines.filter((line) => /^[@\s-]*\+|\$[({]MAKE[)}]/.test(line)) : lines)
    for (const { needs } of own) for (const need of wordsOf(needs)) add(need, isDry)
  }

  const [shell = '', flags] = [variables.get('SHELL')?.trim(), variables.get('.SHELLFLAGS')]
  if (!PLAIN_SHELL.test(shell)) all.unread.add(`what ${shell} makes of it`)
  else if (/sh +-/.test(shell)) all.atOnce.push(`${shell} :`)
  if (flags !== undefined) all.atOnce.push(`sh ${flags} :`)
  if (all.atOnce.length > 0) take('$(shell)', all.atOnce)
  for (const file of files) add(file, false)
  const goal = variables.get('.DEFAULT_GOAL') ?? all.first
  for (const name of given.targets.length > 0 ? given.targets : goal === null ? [] : wordsOf(goal)) add(name, given.isDry)
  return { targets: [...found].filter(([, script]) => script !== '').map(([name, script]) => ({ name, script })), unread: [...all.unread] }
}
