import { isKnown } from './unknown.ts'

/** One piece of shell that a name of the project stands for. */
export interface Target {
  readonly name: string
  /** null where it cannot be judged: longer than that, or made while make reads. */
  readonly script: string | null
}

/** What is judged of a tool's own files. */
export interface Targets {
  readonly targets: readonly Target[]
  /** What would be read, and cannot be told or be seen. */
  readonly unread: readonly string[]
}

/** The text of a file, null for one that cannot be seen, undefined where there is none. */
export type ReadText = (path: string) => string | null | undefined

const MAX_TARGETS = 64

const SHORT: ReadonlySet<string> = new Set(['test', 'start', 'stop', 'restart', 't', 'tst'])
const RUN: ReadonlySet<string> = new Set(['run', 'run-script', 'rum'])

/** Options that take the next argument, and what they say of where a script stands. */
const FOLDER = /^(--prefix|-C|--dir|--cwd)$/
const MEMBER = /^(--workspace|-w|--filter|-F|--filter-prod)$/
const OTHER_VALUE = /^(--loglevel|--registry|--cache|--userconfig|--config|-c|--reporter|--env-file)$/
const ALL_MEMBERS: Readonly<Record<string, RegExp>> = { npm: /^(--workspaces|-ws)$/, pnpm: /^(-r|--recursive)$/ }
/** Words before the script's name. */
const BEFORE_NAME = /^(run|run-script|rum|workspaces?|foreach)$/

interface ScriptArguments {
  /** The script; null when none is run. */
  readonly name: string | null
  /** Folders to go to, the last one wins. */
  readonly folder: string | null
  /** Names or folders of the packages of a workspace that it is run in. */
  readonly members: readonly string[]
  readonly unread: string[]
}

/** What a package manager is asked to run, and where; options may stand anywhere before `--`. */
const readScriptArguments = (program: string, given: readonly string[]): ScriptArguments => {
  const end = given.indexOf('--')
  const args = end < 0 ? given : given.slice(0, end)
  const words: string[] = []
  const members: string[] = []
  const unread: string[] = []
  let folder: string | null = null
  for (let at = 0; at < args.length; at += 1) {
    const argument = args[at] ?? ''
    const [option = '', ...rest] = argument.startsWith('--') ? argument.split('=') : [argument]
    // What stands behind its name is the script's own, but for npm.
    const isOwn = program !== 'npm' && words.some((word, index) => !BEFORE_NAME.test(word) && words[index - 1] !== 'workspace')
    const isFlag = program !== 'npm' && option === '-w'
    const value = (): string => (rest.length > 0 ? rest.join('=') : (args[(at += 1)] ?? ''))
    if (isOwn) words.push(argument)
    else if (FOLDER.test(option)) folder = value()
    else if (MEMBER.test(option) && !isFlag) members.push(value())
    else if (option === '--script-shell') unread.push(`what ${value()} makes of it`)
    else if (OTHER_VALUE.test(option)) value()
    else if (ALL_MEMBERS[program]?.test(option) === true) unread.push('the scripts of every package')
    else if (!argument.startsWith('-')) words.push(argument)
  }
  if (program === 'yarn' && words[0] === 'workspace') members.push(...words.splice(0, 2).slice(1))
  if (program === 'yarn' && words[0] === 'workspaces') {
    unread.push('the scripts of every package')
    words.splice(0, words[1] === 'foreach' ? 2 : 1)
  }
  return { name: scriptNameOf(program, words), folder, members, unread }
}

const scriptNameOf = (program: string, words: readonly string[]): string | null => {
  const [first] = words
  if (first === undefined) return null
  // Behind the value of an option that is not known here, too.
  const run = words.findIndex((word) => RUN.has(word))
  if (run >= 0) return words[run + 1] ?? null
  const short = program === 'npm' ? words.find((word) => SHORT.has(word)) : SHORT.has(first) ? first : undefined
  if (short !== undefined) return short.startsWith('t') ? 'test' : short
  return program === 'yarn' || program === 'pnpm' ? first : null
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

const parsed = (text: string | null | undefined): Record<string, unknown> => {
  try {
    const value: unknown = JSON.parse(text ?? '')
    return isRecord(value) ? value : {}
  } catch {
    return {}
  }
}

/** Where the packages of a workspace lie, as patterns. */
const patternsOf = (read: ReadText): readonly string[] => {
  const { workspaces } = parsed(read('package.json'))
  const listed = Array.isArray(workspaces) ? workspaces : isRecord(workspaces) && Array.isArray(workspaces['packages']) ? workspaces['packages'] : []
  const lines = [...(read('pnpm-workspace.yaml') ?? '').matchAll(/^\s*-\s*['"]?([^'"\s#]+)/gm)].map(([, pattern = '']) => pattern)
  return [...listed.filter((pattern) => typeof pattern === 'string'), ...lines]
}

/** The folder of a package of the workspace, by that or by its name; null where it cannot be told. */
const memberFolder = (read: ReadText, member: string): string | null => {
  if (!isKnown(member) || /[*{}!^]|\.\.\./.test(member)) return null
  if (typeof read(`${member}/package.json`) === 'string') return member
  const last = member.slice(member.lastIndexOf('/') + 1)
  const folders = patternsOf(read).map((pattern) => pattern.replace(/\/\*{1,2}$/, `/${last}`))
  return folders.find((folder) => !folder.includes('*') && parsed(read(`${folder}/package.json`))['name'] === member) ?? null
}

/** What a package manager runs for these arguments, folder by folder: the script, what comes before and after it, and the scripts those run in turn. */
export const scriptsOf = (read: ReadText, program: string, given: readonly string[]): readonly (Targets & { readonly folder: string })[] => {
  const { name, folder, members, unread } = readScriptArguments(program, given)
  if (name === null) return []
  const start = folder ?? '.'
  if (!isKnown(start)) return [{ folder: '.', targets: [], unread: [start] }]
  const within = (path: string): string | null | undefined => read(start === '.' ? path : `${start}/${path}`)
  const folders = members.flatMap((member) => {
    const found = memberFolder(within, member)
    if (found === null) unread.push(`the scripts of ${member}`)
    return found === null ? [] : [start === '.' ? found : `${start}/${found}`]
  })
  const places = members.length > 0 ? folders : [start]
  return [{ folder: start, targets: [], unread }, ...places.map((place) => ({ folder: place, ...scriptsIn(read, place, name) }))]
}

const scriptsIn = (read: ReadText, folder: string, wanted: string): Targets => {
  const file = folder === '.' ? 'package.json' : `${folder}/package.json`
  const text = read(file)
  if (typeof text !== 'string') return { targets: [], unread: text === null ? [file] : [] }
  const { scripts: declared } = parsed(text)
  const scripts = isRecord(declared) ? declared : {}
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
  return { targets: [...found].map(([name, script]) => ({ name, script })), unread: [] }
}
