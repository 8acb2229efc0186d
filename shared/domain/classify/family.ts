import type { ActionClass } from '../../contract/schemas/tool-call.ts'
import { type Finding, shown } from './finding.ts'
import { HIDDEN, isBlank, UNKNOWN } from './unknown.ts'
import { saysDestroys, saysReleases } from './verbs.ts'

/**
 * One piece of knowledge about a program. It matches when everything it states matches.
 * Regular expressions heed case, but for what stands in `(?i:…)`.
 */
export interface Rule {
  /**
   * The leading plain words: tokens apart by spaces, each a list of globs apart by `|`;
   * `**` stands for any number of words, so that `** delete-*` finds a verb wherever it stands.
   */
  readonly sub?: string
  /** Any of these options. `-f` is also found in `-xdf`, `--force` also as `--force=x` or cut short to `--forc`. */
  readonly flags?: readonly string[]
  /** Regular expression that one of the plain words after `sub` must match. */
  readonly arg?: string
  /** Regular expression over all arguments, joined by single spaces. */
  readonly line?: string
  /** No rule when one of these options is given, exactly so. */
  readonly unless?: readonly string[]
  /** No rule when all arguments, joined by single spaces, match this regular expression. */
  readonly unlessLine?: string
  /** Which plain words after `sub` are files that it writes; each is judged by its path as well. */
  readonly writes?: 'all' | 'last'
  readonly class: ActionClass
  /** What it does, for a person, continuing "git push -f: …". */
  readonly reason: string
  /** Commands that this rule matches, and commands that look like it and that it does not match: held by a test. */
  readonly yes: readonly string[]
  readonly no: readonly string[]
}

export interface Family {
  readonly programs: readonly string[]
  /** Options whose value is the next argument, so that it is not taken for a plain word. */
  readonly valueOptions?: readonly string[]
  /** Options whose value is a file that it writes. */
  readonly outputOptions?: readonly string[]
  /** A last word that asks for help, as `--help` does elsewhere. */
  readonly helpWord?: string
  /** Its plain words are subcommands: where no rule matches, one that says so by its name destroys, and `help` first asks for help. */
  readonly verbs?: true
  /** A write that names production becomes destructive. */
  readonly guardsProduction?: true
  readonly rules: readonly Rule[]
  /** What the programs do when no rule matches. */
  readonly otherwise: { readonly class: ActionClass; readonly reason: string }
}

/** The arguments of one command, taken apart. */
export interface Arguments {
  readonly all: readonly string[]
  readonly options: readonly string[]
  /** All arguments joined by single spaces, in overlapping pieces: one piece unless they are very long. */
  readonly pieces: readonly string[]
  readonly words: readonly string[]
  /** Options before the first plain word which may or may not have taken the next argument as their value. */
  readonly slack: number
}

interface CompiledRule {
  readonly rule: Rule
  readonly sub: RegExp | null
  /** As `sub`, where a word that is not known stands for any that the rule names; null when the rule may not be guessed at. */
  readonly guess: RegExp | null
  readonly arg: RegExp | null
  readonly line: RegExp | null
  readonly unlessLine: RegExp | null
}

export interface CompiledFamily {
  readonly family: Family
  readonly valueOptions: ReadonlySet<string>
  /** By first word of `sub`, when that is literal; the rest under ''. */
  readonly rules: ReadonlyMap<string, readonly CompiledRule[]>
}

/** A piece is kept short, as the time of a regular expression may grow with its square. */
const PIECE = 4_096
const OVERLAP = 1_024
const SEPARATOR = '\x1f'
const MAX_SUB_WORDS = 8
const PRODUCTION = /(^|[^a-z])(prod|production)($|[^a-z])/i

const compileSub = (sub: string, guesses: boolean): RegExp => {
  const unknown = guesses ? `|${UNKNOWN}\uFFFB?` : ''
  const tokens = sub.split(' ').map((token) => {
    if (token === '**') return `(?:[^${SEPARATOR}]*${SEPARATOR})*`
    const globs = token.split('|').map((glob) =>
      glob.replace(/[.+^${}()[\]\\]/g, '\\$&').replaceAll('?', '.').replaceAll('*', `[^${SEPARATOR}]*`))
    return `(?:${globs.join('|')}${unknown})${SEPARATOR}`
  })
  return new RegExp(`^${tokens.join('')}`)
}

const compileLine = (source: string | undefined): RegExp | null => (source === undefined ? null : new RegExp(source))

export const compileFamily = (family: Family): CompiledFamily => {
  const rules = new Map<string, CompiledRule[]>()
  for (const rule of family.rules) {
    const compiled = {
      rule,
      sub: rule.sub === undefined ? null : compileSub(rule.sub, false),
      guess: rule.sub === undefined || rule.class !== 'destructive' || rule.sub.startsWith('* ') ? null : compileSub(rule.sub, true),
      arg: compileLine(rule.arg),
      line: compileLine(rule.line),
      unlessLine: compileLine(rule.unlessLine),
    }
    const head = rule.sub?.split(' ')[0] ?? ''
    for (const key of /[*?]/.test(head) ? [''] : head.split('|')) {
      const bucket = rules.get(key)
      if (bucket === undefined) rules.set(key, [compiled])
      else bucket.push(compiled)
    }
  }
  return { family, valueOptions: new Set(family.valueOptions), rules }
}

const piecesOf = (line: string): string[] => {
  if (line.length <= PIECE) return [line]
  const pieces: string[] = []
  for (let at = 0; at < line.length; at += PIECE - OVERLAP) pieces.push(line.slice(at, at + PIECE))
  return pieces
}

/** Takes apart the arguments after a program's name. Promises linear time. */
export const readArguments = (all: readonly string[], valueOptions: ReadonlySet<string>): Arguments => {
  const options: string[] = []
  const words: string[] = []
  let slack = 0
  for (let i = 0; i < all.length; i += 1) {
    const argument = all[i] ?? ''
    if (argument === '--') {
      words.push(...all.slice(i + 1, i + 1 + 10_000))
      break
    }
    if (argument.length > 1 && argument.startsWith('-')) {
      options.push(argument)
      if (valueOptions.has(argument)) i += 1
      else if (words.length === 0 && !argument.includes('=')) slack += 1
    } else words.push(argument)
  }
  return { all, options, pieces: piecesOf(all.join(' ')), words, slack }
}

const isOff = (value: string): boolean => /^(none|false|no|off|0)$/i.test(value)

/** Whether an option is given, exactly: what lowers a class has to be certain. */
const hasExactly = (args: Arguments, flag: string, valueOptions: ReadonlySet<string>): boolean =>
  args.options.some((option) => {
    if (option === flag) return true
    if (flag.length > 2) return option.startsWith(`${flag}=`) && !isOff(option.slice(flag.length + 1))
    return inCluster(option, flag, valueOptions)
  })

const inCluster = (option: string, flag: string, valueOptions: ReadonlySet<string>): boolean => {
  if (option.startsWith('--') || option.length > 32) return false
  for (const letter of option.slice(1)) {
    if (letter === flag[1]) return true
    if (valueOptions.has(`-${letter}`)) return false
  }
  return false
}

const hasAbout = (args: Arguments, flag: string, valueOptions: ReadonlySet<string>): boolean =>
  args.options.some((option) => {
    const end = option.indexOf('=')
    const name = end < 0 ? option : option.slice(0, end)
    if (name === flag) return end < 0 || !isOff(option.slice(end + 1))
    if (flag.length === 2) return inCluster(option, flag, valueOptions)
    if (name.startsWith('--') !== flag.startsWith('--')) return name === `-${flag}`
    return name.length >= 4 && name.startsWith('--') && flag.startsWith(name)
  })

/** Whether the words may be those of a rule, when one of the first two is only known to the shell. */
const mayBe = (guess: RegExp, words: readonly string[], text: string): boolean =>
  (isBlank(words[0] ?? '') || (isBlank(words[1] ?? '') && !guess.source.startsWith('^(?:[^'))) && guess.test(text)

const matches = (compiled: CompiledRule, args: Arguments, valueOptions: ReadonlySet<string>): boolean => {
  const { rule } = compiled
  let after = 0
  if (compiled.sub !== null) {
    const offsets = rule.class === 'read' ? 0 : Math.min(args.slack, 2)
    let found = false
    for (let offset = 0; offset <= offsets && !found; offset += 1) {
      const words = args.words.slice(offset, offset + MAX_SUB_WORDS)
      const text = words.map((word) => word.slice(0, 200)).join(SEPARATOR) + SEPARATOR
      found = words.length > 0 && (compiled.sub.test(text) || (compiled.guess !== null && mayBe(compiled.guess, words, text)))
      after = offset + (rule.sub?.split(' ').filter((token) => token !== '**').length ?? 0)
    }
    if (!found) return false
  }
  if (rule.flags !== undefined && !rule.flags.some((flag) => hasAbout(args, flag, valueOptions))) return false
  if (rule.unless?.some((flag) => hasExactly(args, flag, valueOptions))) return false
  if (compiled.arg !== null) {
    const { arg } = compiled
    if (!args.words.slice(after).some((word) => arg.test(word))) return false
  }
  const { line, unlessLine } = compiled
  const { pieces } = args
  // What lowers a class has to be seen whole; what raises it may be found in any piece.
  if (pieces.length > 1) return rule.class !== 'read' && (line === null || pieces.some((piece) => line.test(piece)))
  const [whole = ''] = pieces
  return (line === null || line.test(whole)) && unlessLine?.test(whole) !== true
}

/** The rules of a family that match these arguments. */
export const matchingRules = (compiled: CompiledFamily, args: Arguments): readonly Rule[] => {
  const found: Rule[] = []
  const tried = new Set<CompiledRule>()
  const heads = args.words.slice(0, 1 + Math.min(args.slack, 2))
  const keys = heads.some(isBlank) ? compiled.rules.keys() : new Set(['', ...heads])
  for (const key of keys) {
    for (const candidate of compiled.rules.get(key) ?? []) {
      if (tried.has(candidate)) continue
      tried.add(candidate)
      if (matches(candidate, args, compiled.valueOptions)) found.push(candidate.rule)
    }
  }
  return found
}

/** `--help` or `--version` after nothing but plain words: prints and ends. */
const onlyAsksForHelp = (family: Family, args: Arguments): boolean => {
  const last = args.all.at(-1)
  if (last !== undefined && last === family.helpWord) return true
  if (family.verbs && args.all[0] === 'help') return true
  if (last !== '--help' && last !== '--version' && last !== '-help') return false
  if (args.options.length !== 1) return false
  return args.words.length === 0 || (family.rules.some((rule) => rule.sub !== undefined) && args.all.length <= 6)
}

/** The values given to one option: `-o x`, `-ox`, `--output x`, `--output=x`. */
export const valuesOfOption = (all: readonly string[], option: string): string[] => {
  const values: string[] = []
  all.forEach((argument, index) => {
    if (argument === option && index + 1 < all.length) values.push(all[index + 1] ?? '')
    else if (argument.startsWith(`${option}=`)) values.push(argument.slice(option.length + 1))
    else if (option.length === 2 && argument.length > 2 && argument.startsWith(option)) values.push(argument.slice(2))
  })
  return values
}

export interface FamilyVerdict {
  readonly findings: readonly Finding[]
  /** Files that it writes. */
  readonly written: readonly string[]
}

/** Whether a word may be an option, and which one cannot be told: `$(rev <<< f-)`, `--$X`. */
const hidesAnOption = (word: string): boolean => word.startsWith(HIDDEN) || /^(-|--[^=]*)\uFFFC/.test(word)

const canDestroy = (family: Family): boolean => family.otherwise.class !== 'read' || family.rules.some((rule) => rule.class === 'destructive')

const MAX_VERB_WORDS = 3

/** What the names of its subcommands say, where no rule knows them. */
const byVerb = (family: Family, args: Arguments, label: string): Finding | null => {
  if (!family.verbs || args.options.some((option) => /^--?(dry-?run|noop|check|what-?if)\b/.test(option))) return null
  const words = args.words.slice(0, MAX_VERB_WORDS)
  if (words.some(saysDestroys)) return { class: 'destructive', reason: `${label}: its name says that it destroys something` }
  return words.some(saysReleases) ? { class: 'destructive', reason: `${label}: its name says that it publishes or deploys` } : null
}

/** What one command of a known program does. */
export const judgeFamily = (compiled: CompiledFamily, argv: readonly string[]): FamilyVerdict => {
  const { family } = compiled
  const args = readArguments(argv.slice(1), compiled.valueOptions)
  const label = shown(argv.slice(0, 12).join(' '))
  if (onlyAsksForHelp(family, args)) return { findings: [{ class: 'read', reason: `${label}: prints help` }], written: [] }
  const rules = matchingRules(compiled, args)
  const written: string[] = []
  const findings: Finding[] = []
  for (const rule of rules) {
    findings.push({ class: rule.class, reason: `${label}: ${rule.reason}` })
    const skip = rule.sub?.split(' ').length ?? 0
    if (rule.writes === 'all') written.push(...args.words.slice(skip))
    else if (rule.writes === 'last' && args.words.length > skip) written.push(args.words.at(-1) ?? '')
  }
  if (args.all.some(hidesAnOption) && canDestroy(family)) findings.push({ class: 'destructive', reason: `${label}: is given options that cannot be seen here` })
  if (findings.length === 0) findings.push(byVerb(family, args, label) ?? { class: family.otherwise.class, reason: `${label}: ${family.otherwise.reason}` })
  for (const option of family.outputOptions ?? []) written.push(...valuesOfOption(args.all, option))
  if (family.guardsProduction && findings.some((finding) => finding.class === 'write') && args.pieces.some((piece) => PRODUCTION.test(piece))) {
    findings.push({ class: 'destructive', reason: `${label}: changes something in production` })
  }
  return { findings, written }
}
