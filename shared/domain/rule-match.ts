import type { PolicyRule } from '../contract/schemas/profile.ts'
import type { PolicyEffect } from '../contract/schemas/tool-call.ts'
import { familyOf } from './classify/families/index.ts'
import { resolvePath } from './classify/paths.ts'
import { programOf } from './classify/call.ts'
import { readShell, type ShellReading } from './classify/classify-shell.ts'
import { KNOWN_TOOLS } from './classify/classify-tool.ts'
import { nearestName } from './nearest-name.ts'
import { isHostRule, matchesHost } from './network-host.ts'

/** A tool call as rules see it. A Bash command is read once, when a rule first needs it. */
export interface RuleSubject {
  readonly tool: string
  readonly fields: Readonly<Record<string, unknown>>
  readonly cwd: string
  readonly home: string | undefined
  readonly shell: () => ShellReading
}

const RULE = /^([A-Za-z_][\w-]*\*?|\*)(?:\((.*)\))?$/s
const READING_TOOLS = ['Read', 'Grep', 'Glob', 'LS', 'NotebookRead']
const EDITING_TOOLS = ['Edit', 'Write', 'MultiEdit', 'NotebookEdit']
const PATH_FIELDS = ['file_path', 'notebook_path', 'path']
const NAME_FIELDS: Readonly<Record<string, readonly string[]>> = {
  Task: ['subagent_type'],
  Agent: ['subagent_type'],
  Skill: ['skill', 'command'],
  SlashCommand: ['command'],
}
/** In the parentheses of an MCP tool's allow rule: its destructive calls are meant as well. */
const KNOWING = 'destructive'
const WITH_SPECIFIER = ['Bash', 'WebFetch', 'Network', ...READING_TOOLS, ...EDITING_TOOLS, ...Object.keys(NAME_FIELDS)]

export type ParsedRule = { readonly ok: true; readonly rule: PolicyRule } | { readonly ok: false; readonly problem: string }

/** Reads a rule, or says what is wrong with it and what would be valid. */
export const parseRule = (text: string): ParsedRule => {
  const match = RULE.exec(text)
  const bad = (problem: string): ParsedRule => ({ ok: false, problem })
  if (match === null) return bad('is not a rule; valid are Tool, Tool(prefix:*), Tool(glob), mcp__server__tool and mcp__server')
  const [, tool = '', specifier] = match
  if (specifier === undefined || specifier === '*') {
    const near = tool.startsWith('mcp__') || tool.endsWith('*') || KNOWN_TOOLS.includes(tool) ? null : nearestName(tool, KNOWN_TOOLS)
    if (near !== null) return bad(`names the tool ${tool}, which is not known; did you mean ${near}?`)
    return { ok: true, rule: { text, tool, specifier: null } }
  }
  if (specifier.trim() === '') return bad('has empty parentheses, which match nothing; leave them out to mean the whole tool')
  if (specifier.length > 1_000 || specifier.split('*').length > 12) return bad('is too long, or has more than 11 stars')
  if (tool.startsWith('mcp__')) {
    if (specifier === KNOWING && tool.split('__').length > 2 && !tool.endsWith('*')) return { ok: true, rule: { text, tool, specifier } }
    return bad(`has parentheses, which ${tool} does not take; only mcp__server__tool(${KNOWING}), under allow, which lets its destructive calls pass too`)
  }
  if (!WITH_SPECIFIER.includes(tool)) {
    const near = nearestName(tool, WITH_SPECIFIER)
    return bad(`has parentheses, which ${tool} does not take${near === null ? '' : `; did you mean ${near}?`}`)
  }
  if (tool === 'WebFetch' && !specifier.startsWith('domain:')) return bad('must read WebFetch(domain:example.com)')
  if (tool === 'Network' && !isHostRule(specifier)) return bad('must name a host: Network(example.com), Network(*.example.com) or Network(example.com:443)')
  return { ok: true, rule: { text, tool, specifier } }
}

export const createSubject = (tool: string, input: unknown, cwd: string, home?: string): RuleSubject => {
  const fields = typeof input === 'object' && input !== null ? (input as Record<string, unknown>) : {}
  let reading: ShellReading | undefined
  const shell = (): ShellReading => {
    const { command } = fields
    reading ??= readShell(typeof command === 'string' ? command : '', { cwd, home })
    return reading
  }
  return { tool, fields, cwd, home, shell }
}

/** `*` stands for any text. Linear: each piece is looked for once. */
const matchesWildcard = (pattern: string, text: string): boolean => {
  const pieces = pattern.split('*')
  const [first = ''] = pieces
  if (pieces.length === 1) return pattern === text
  const last = pieces.at(-1) ?? ''
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false
  let at = first.length
  for (const piece of pieces.slice(1, -1)) {
    const found = text.indexOf(piece, at)
    if (found < 0) return false
    at = found + piece.length
  }
  return at <= text.length - last.length
}

const matchesCommand = (specifier: string, text: string): boolean => {
  if (!specifier.endsWith(':*')) return matchesWildcard(specifier, text)
  const prefix = specifier.slice(0, -2)
  return text === prefix || text.startsWith(`${prefix} `)
}

/** One command in the spellings a rule may mean: as it is, without folder, and without options before its first word. */
const spellingsOf = (argv: readonly string[]): string[] => {
  const program = programOf(argv[0] ?? '') ?? argv[0] ?? ''
  const args = argv.slice(1)
  const valueOptions = familyOf(program)?.valueOptions
  let start = 0
  while (start < args.length && args[start]?.startsWith('-')) start += valueOptions?.has(args[start] ?? '') ? 2 : 1
  return [argv.join(' '), [program, ...args].join(' '), [program, ...args.slice(start)].join(' ')]
}

const matchesBash = (specifier: string, subject: RuleSubject, effect: PolicyEffect): boolean => {
  const { command } = subject.fields
  if (typeof command !== 'string') return false
  const { commands, understood } = subject.shell()
  if (effect === 'allow') {
    const written = commands.filter((entry) => entry.written)
    return understood && written.length > 0 && written.every((entry) => matchesCommand(specifier, entry.argv.join(' ')))
  }
  return matchesCommand(specifier, command.trim())
    || commands.some((entry) => spellingsOf(entry.argv).some((text) => matchesCommand(specifier, text)))
}

const globToRegExp = (glob: string, flags: string): RegExp => {
  const source = glob.replace(/[.+^${}()|[\]\\]/g, '\\$&').replace(/\*\*\/?|\*|\?/g, (star) =>
    star === '**/' ? '(?:.*/)?' : star === '**' ? '.*' : star === '*' ? '[^/]*' : '[^/]')
  return new RegExp(`^${source}(?:/.*)?$`, flags)
}

/** Paths follow gitignore: a bare name at any depth, `/x` from the project, `//x` from the root, `~/x` from home. */
const matchesPath = (specifier: string, subject: RuleSubject, effect: PolicyEffect): boolean => {
  const given = PATH_FIELDS.map((name) => subject.fields[name]).find((value) => typeof value === 'string')
  const place = { projectFolder: subject.cwd, folder: subject.cwd, home: subject.home }
  const path = resolvePath(typeof given === 'string' ? given.slice(0, 4_096) : '.', place)
  const bare = specifier.replace(/\/$/, '')
  let pattern: string
  if (bare.startsWith('//')) pattern = bare.slice(1)
  else if (bare.startsWith('~')) pattern = resolvePath(bare, place)
  else if (bare.startsWith('/')) pattern = `${subject.cwd}${bare}`
  else if (bare.startsWith('./') || bare.includes('/')) pattern = `${subject.cwd}/${bare.replace(/^\.\//, '')}`
  else pattern = `**/${bare}`
  return globToRegExp(pattern, effect === 'allow' ? '' : 'i').test(path)
}

/** As web addresses are read today: `\\` ends a host as `/` does, and any number of either may stand before it. */
const HOST = /^\s*https?:[/\\]*(?:[^/?#\\]*@)?([^/?#:\\]+)/i

const matchesDomain = (specifier: string, subject: RuleSubject, effect: PolicyEffect): boolean => {
  const { url } = subject.fields
  const host = typeof url === 'string' ? HOST.exec(url)?.[1]?.toLowerCase().replace(/\.$/, '') : undefined
  const wanted = specifier.slice('domain:'.length).toLowerCase()
  if (host === undefined) return false
  return host === wanted || matchesWildcard(wanted, host) || (effect !== 'allow' && host.endsWith(`.${wanted}`))
}

const matchesNetwork = (specifier: string, { fields }: RuleSubject): boolean => {
  const { host, port } = fields
  return typeof host === 'string' && typeof port === 'number' && matchesHost(specifier, { host, port })
}

const coversTool = (rule: PolicyRule, tool: string): boolean => {
  if (rule.tool === tool || rule.tool === '*') return true
  if (rule.tool.endsWith('*')) return tool.startsWith(rule.tool.slice(0, -1))
  if (rule.tool.startsWith('mcp__')) return rule.tool.split('__').length === 2 && tool.startsWith(`${rule.tool}__`)
  if (rule.tool === 'Edit') return EDITING_TOOLS.includes(tool)
  return rule.tool === 'Read' && rule.specifier !== null && READING_TOOLS.includes(tool)
}

/**
 * Whether a rule is about a call. An allow rule for Bash must cover every command in the line, and never matches a line
 * that cannot be parsed; a deny or ask rule needs one of them, also inside sudo, `sh -c` and the like.
 */
export const matchesRule = (rule: PolicyRule, subject: RuleSubject, effect: PolicyEffect): boolean => {
  if (!coversTool(rule, subject.tool)) return false
  const { specifier } = rule
  if (specifier === null || rule.tool.startsWith('mcp__')) return true
  if (rule.tool === 'Bash') return matchesBash(specifier, subject, effect)
  if (rule.tool === 'WebFetch') return matchesDomain(specifier, subject, effect)
  if (rule.tool === 'Network') return matchesNetwork(specifier, subject)
  const names = NAME_FIELDS[rule.tool]
  if (names !== undefined) return names.some((name) => matchesCommand(specifier, String(subject.fields[name] ?? '')))
  return matchesPath(specifier, subject, effect)
}

/** `mcp__server__tool(destructive)`: good under allow alone. */
export const saysDestructive = ({ tool, specifier }: PolicyRule): boolean => tool.startsWith('mcp__') && specifier === KNOWING

/**
 * Whether a rule names this one call and no other, as far as its syntax can: the whole Bash command or path without a
 * star. The name of an MCP tool says nothing of its arguments, so it counts only where the rule adds that it means
 * destructive calls too. For the network a host, or all names below one, is as exact as it gets.
 */
export const isExactFor = (rule: PolicyRule, subject: RuleSubject): boolean => {
  if (rule.tool === 'Network' && rule.specifier !== null) return matchesRule(rule, subject, 'allow')
  if (rule.tool !== subject.tool || /[*?]/.test(rule.text)) return false
  if (rule.tool.startsWith('mcp__')) return saysDestructive(rule)
  if (rule.specifier === null) return false
  if (rule.tool === 'Bash') return String(subject.fields['command'] ?? '').trim() === rule.specifier.trim()
  return matchesRule(rule, subject, 'allow') && PATH_FIELDS.some((name) => {
    const path = subject.fields[name]
    return typeof path === 'string' && (path === rule.specifier || `/${path}` === rule.specifier || path === `${subject.cwd}/${rule.specifier}`)
  })
}
