const MAX_EXPANSIONS = 4
/** Characters that the variables of one Makefile may grow to, all recipes together. */
const MAX_EXPANDED = 256 * 1024

/**
 * Text as make expands it: `$(X)` of plain assignments put in, and `$(X:.c=.o)`. null once all together have become
 * longer than can be judged. What is not plain stays.
 */
export const createExpander = (variables: ReadonlyMap<string, string>): ((text: string) => string | null) => {
  let left = MAX_EXPANDED
  const valueOf = (whole: string, name: string, from?: string, to = ''): string => {
    const value = variables.get(name)
    if (value === undefined) return from === undefined ? whole.replace('(', '{').replace(')', '}').replaceAll('$', '$$$$') : whole
    const put = from === undefined ? value : value.split(/\s+/).map((word) => replaceEnd(word, from, to)).join(' ')
    left -= put.length
    return left < 0 ? '' : put
  }
  const reference = /\$[({](\w+)(?::([^=(){}\s]*)=([^(){}\s]*))?[)}]/g
  return (given) => {
    let text = given
    for (let round = 0; round < MAX_EXPANSIONS && left >= 0 && text.search(reference) >= 0; round += 1) text = text.replace(reference, valueOf)
    return left < 0 ? null : text
  }
}

const replaceEnd = (word: string, from: string, to: string): string => {
  const stem = from.includes('%') ? stemOf(from, word) : word.endsWith(from) ? word.slice(0, word.length - from.length) : null
  return stem === null ? word : from.includes('%') ? to.replace('%', stem) : stem + to
}

/** What `%` stands for where a pattern fits a name; null where it does not. */
export const stemOf = (pattern: string, name: string): string | null => {
  const [before = '', after = ''] = pattern.split('%')
  return name.length > before.length + after.length && name.startsWith(before) && name.endsWith(after) ? name.slice(before.length, name.length - after.length) : null
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

/** What stands below one line of targets. */
export interface Rule {
  readonly needs: string
  readonly lines: string[]
}

/** What several files say together, in the order they are read. */
export interface Makefiles {
  readonly rules: Map<string, Rule[]>
  readonly variables: Map<string, string>
  /** Set by the command line: the files set these in vain. */
  readonly fixed: ReadonlySet<string>
  /** What runs while they are read. */
  readonly atOnce: string[]
  /** What make would read or load, and cannot be told. */
  readonly unread: Set<string>
  first: string | null
}

const ASSIGNS = /^ *((?:export\s+|override\s+|private\s+)*)([\w.-]+)\s*(:{0,3}|\?|\+)=\s*(.*)$/

/** Adds what one file says, and hands on the names after `include`. */
export const parseMakefile = (text: string, into: Makefiles, include: (names: string) => void): void => {
  let last: Rule | null = null
  for (const line of text.replace(/\\\r?\n/g, ' ').split(/\r?\n/)) {
    if (line.startsWith('\t')) {
      last?.lines.push(line.slice(1))
      continue
    }
    into.atOnce.push(...shellIn(line))
    const code = /\$[({](eval|guile)\s|^ *-?(load)\s/.exec(line)
    if (code !== null) into.unread.add(`what ${code[1] ?? code[2]} makes of it`)
    const included = /^ *(?:-include|sinclude|include)\s(.*)$/.exec(line)?.[1]
    if (included !== undefined) {
      include(included.replace(/(^|\s)#.*$/, ''))
      continue
    }
    const [, how = '', variable, operator, value = ''] = ASSIGNS.exec(line) ?? []
    if (variable !== undefined) {
      const before = into.variables.get(variable)
      if (how.includes('export')) into.atOnce.push(`export ${variable}='${value.replaceAll("'", '')}'`)
      if ((into.fixed.has(variable) && !how.includes('override')) || (operator === '?' && before !== undefined)) continue
      into.variables.set(variable, operator === '+' && before !== undefined ? `${before} ${value}`.slice(-MAX_EXPANDED) : value)
      continue
    }
    const found = readRule(line)
    if (found === null) continue
    last = { needs: found.needs, lines: found.recipe === null ? [] : [found.recipe] }
    const names = found.targets.trim()
    addTo(into.rules, names, [last])
    const first = names.split(/\s+/)[0] ?? ''
    if (into.first === null && !/^\.\w|%/.test(first)) into.first = first
  }
}

export const addTo = <Item>(map: Map<string, Item[]>, name: string, items: readonly Item[]): void => {
  const known = map.get(name)
  if (known === undefined) map.set(name, [...items])
  else for (const item of items) known.push(item)
}
