import type { Classification } from '../../contract/schemas/tool-call.ts'
import { destructive, type Finding, read, shown, summarize, write } from './finding.ts'

interface Token {
  /** Words in lower case; strings as `'…`, quoted names as `"…`. */
  readonly text: string
  readonly depth: number
}

const MAX_TOKENS = 400_000
const MAX_HEADS = 32
const MAX_CONDITION = 20_000
const MAX_LEVEL = 3

const TOKEN =
  /--[^\n]*|#[^\n]*|\/\*(?!!)[\s\S]*?(?:\*\/|$)|\/\*!\d*|\*\/|'(?:[^'\\]|''|\\[\s\S])*'?|"(?:[^"\\]|""|\\[\s\S])*"?|`[^`]*`?|\[[A-Za-z_][^[\]\n]{0,127}\]|\$([A-Za-z_]\w*)?\$|[A-Za-z_][\w$]*|\d[\w.]*|[<>!=]=?|<>|[^\s]/g

/** Statements as lists of tokens. Comments are dropped, except MySQL's `/*!`, which it executes. */
const tokenize = (sql: string): { statements: Token[][]; bodies: string[]; complete: boolean } => {
  const statements: Token[][] = []
  const bodies: string[] = []
  let statement: Token[] = []
  let depth = 0
  let count = 0
  TOKEN.lastIndex = 0
  for (let match = TOKEN.exec(sql); match !== null; match = TOKEN.exec(sql)) {
    const [text] = match
    count += 1
    if (count > MAX_TOKENS) return { statements, bodies, complete: false }
    if (text.startsWith('--') || text.startsWith('/*') || text === '*/' || text.startsWith('#')) continue
    if (/^\$\w*\$$/.test(text)) {
      const end = sql.indexOf(text, TOKEN.lastIndex)
      const stop = end < 0 ? sql.length : end
      bodies.push(sql.slice(TOKEN.lastIndex, stop))
      statement.push({ text: '$$', depth })
      TOKEN.lastIndex = stop + text.length
    } else if (text === ';') {
      statements.push(statement)
      statement = []
      depth = 0
    } else if (text === ')') {
      depth = Math.max(0, depth - 1)
      statement.push({ text, depth })
    } else {
      statement.push({ text: text.toLowerCase(), depth })
      if (text === '(') depth += 1
    }
  }
  statements.push(statement)
  return { statements: statements.filter((tokens) => tokens.length > 0), bodies, complete: true }
}

const HEADS_AFTER = new Set(['(', ')', 'explain', 'analyze', 'analyse', 'verbose', 'begin', 'then', 'else', 'loop', 'as', 'go', 'do'])
const READING = new Set(['select', 'show', 'describe', 'desc', 'values', 'table', 'use', 'pragma', 'explain', 'with', 'help', 'list', 'from'])
const SESSION = new Set(['begin', 'commit', 'rollback', 'start', 'set', 'savepoint', 'release', 'end', 'abort', 'go', 'declare', 'reset', 'discard'])
const CODE_IN_STRINGS = new Set(['exec', 'execute', 'prepare', 'call', 'do', 'sp_executesql'])
const DANGEROUS_CALLS =
  /^(pg_terminate_backend|pg_cancel_backend|pg_read_file|pg_write_file|pg_file_unlink|lo_import|lo_export|lo_unlink|xp_cmdshell|pg_drop_\w+|pg_create_\w+_slot|load_extension|pg_reload_conf|pg_switch_wal|dblink_exec|sys_exec|sys_eval|writefile|query_to_xml)$/

/** A function or procedure whose own name says that it destroys. */
const NAMED_DESTROYERS = /^\w*?(?:^|_)(drop|delete|purge|truncate|terminate|wipe|kill|destroy|flush)_\w+$/

const isIdentifier = (text: string): boolean => /^[a-z_"`[]/.test(text) && !/^(true|false|not|and|or|null|is|exists|like|between|in)$/.test(text)

/** Whether a condition holds for every row, as far as its words tell: `1=1`, `true`, `id = id`, `… OR 1`. */
const isAlwaysTrue = (condition: readonly Token[]): boolean => {
  const base = condition[0]?.depth ?? 0
  const branches: Token[][] = [[]]
  for (const token of condition) {
    if (token.text === 'or' && token.depth === base) branches.push([])
    else branches.at(-1)?.push(token)
  }
  return branches.some((branch) => {
    const texts = branch.map((token) => token.text).filter((text) => text !== '(' && text !== ')')
    if (texts.length === 0) return condition.length === 0 || branches.length > 1
    if (texts.length === 3 && texts[1] === '=' && texts[0] === texts[2]) return true
    if (texts.length === 1 && /^(0|false|null)$/.test(texts[0] ?? '')) return false
    if (texts.join(' ') === '1 = 0' || texts.join(' ') === '0 = 1') return false
    return !texts.some((text) => isIdentifier(text) || text === '$$' || text === '?' || text === ':' || text === '@' || text === '%')
  })
}

/** From `start`, whether a WHERE that means something follows before the statement, or its parenthesis, ends. Too far off counts as none. */
const hasRealWhere = (tokens: readonly Token[], start: number): boolean => {
  const depth = tokens[start]?.depth ?? 0
  let where = -1
  for (let i = start; i < tokens.length; i += 1) {
    const token = tokens[i]
    if (i - start > MAX_CONDITION) return false
    if (token === undefined || token.depth < depth) return where >= 0 && !isAlwaysTrue(tokens.slice(where + 1, i))
    if (token.depth === depth && token.text === 'where') where = i
    else if (token.depth === depth && where >= 0 && /^(returning|limit|order)$/.test(token.text)) {
      return !isAlwaysTrue(tokens.slice(where + 1, i))
    }
  }
  return where >= 0 && !isAlwaysTrue(tokens.slice(where + 1))
}

const judgeHead = (tokens: readonly Token[], i: number, label: string): Finding | null => {
  const word = tokens[i]?.text ?? ''
  const next = tokens[i + 1]?.text ?? ''
  switch (word) {
    case 'drop':
      return destructive(`${label}: drops ${next || 'something'}`)
    case 'truncate':
      return next === '(' ? null : destructive(`${label}: empties a table`)
    case 'delete':
      return hasRealWhere(tokens, i) ? write(`${label}: deletes rows`) : destructive(`${label}: deletes every row`)
    case 'update':
      if (next === 'set' || next === 'of' || next === '') return write(`${label}: changes rows`)
      return hasRealWhere(tokens, i) ? write(`${label}: changes rows`) : destructive(`${label}: changes every row`)
    case 'grant':
    case 'revoke':
    case 'deny':
      return destructive(`${label}: changes permissions`)
    case 'shutdown':
    case 'kill':
    case 'purge':
      return destructive(`${label}: ends or purges something`)
    case 'insert':
    case 'create':
    case 'merge':
    case 'replace':
      return next === '(' ? null : write(`${label}: changes data or its shape`)
    default:
      return null
  }
}

const judgeStatement = (tokens: readonly Token[], label: string, level: number): Finding[] => {
  const found: Finding[] = []
  let heads = 0
  const first = tokens[0]?.text ?? ''
  const texts = new Set(tokens.map((token) => token.text))
  if (first === 'explain' && !texts.has('analyze') && !texts.has('analyse')) return [read(`${label}: only explains`)]
  if (first === 'reset' && /^(master|slave|replica|binary|persist|query)$/.test(tokens[1]?.text ?? '')) found.push(destructive(`${label}: resets the server`))
  if (first === 'system' || first === 'source') found.push(destructive(`${label}: runs commands or a file that cannot be seen here`))
  for (let i = 0; i < tokens.length; i += 1) {
    const text = tokens[i]?.text ?? ''
    if (i === 0 || HEADS_AFTER.has(tokens[i - 1]?.text ?? '')) {
      const finding = judgeHead(tokens, i, label)
      if (finding !== null) {
        found.push(finding)
        heads += 1
        if (finding.class === 'destructive') break
        if (heads > MAX_HEADS) return [destructive(`${label}: too tangled to judge`)]
      }
    }
    if (DANGEROUS_CALLS.test(text) && (tokens[i + 1]?.text === '(' || CODE_IN_STRINGS.has(first))) found.push(destructive(`${label}: calls ${text}`))
    if (text === 'program' && /^(to|from)$/.test(tokens[i - 1]?.text ?? '')) found.push(destructive(`${label}: runs a program`))
    if (NAMED_DESTROYERS.test(text) && tokens[i + 1]?.text === '(' && (first === 'call' || first === 'exec' || first === 'execute' || first === 'select' || first === 'perform')) found.push(destructive(`${label}: calls ${text}`))
    if (text === 'outfile' || text === 'dumpfile') found.push(destructive(`${label}: writes a file on the database's machine`))
  }
  if (first === 'alter') {
    const risky = texts.has('drop') || texts.has('user') || texts.has('role') || texts.has('system') || texts.has('detach') || texts.has('delete')
    found.push(risky ? destructive(`${label}: drops part of a table, or changes a role`) : write(`${label}: changes its shape`))
  }
  if (/^(create|set)$/.test(first) && (texts.has('user') || texts.has('role') || texts.has('password'))) {
    found.push(destructive(`${label}: changes who may do what`))
  }
  if (first === 'select' && texts.has('into')) found.push(write(`${label}: writes what it selects`))
  if (first === 'set' && texts.has('global')) found.push(write(`${label}: changes the server`))
  const runsStrings = CODE_IN_STRINGS.has(first)
    || tokens.some(({ text }, index) => (text === 'execute' || text === 'exec') && HEADS_AFTER.has(tokens[index - 1]?.text ?? ''))
  if (runsStrings) {
    for (const { text } of tokens) {
      if (text.startsWith("'")) found.push(...judge(text.slice(1, -1).replaceAll("''", "'"), level + 1))
    }
  }
  if (found.length === 0 && !READING.has(first) && !SESSION.has(first)) {
    found.push(/^[a-z]/.test(first) ? write(`${label}: changes something`) : destructive(`${label}: is not understood`))
  }
  return found
}

/** Lines that a database's own client executes itself: psql's backslash, sqlite's dot. */
const META = /^[ \t]*(\\|\.)([a-z!?+]\S*)[ \t]*(.*)$/gim

const judgeMeta = (sql: string): Finding[] => {
  const found: Finding[] = []
  for (const [whole, , command = '', rest = ''] of sql.matchAll(META)) {
    const label = shown(whole.trim())
    if (/^(!|shell|system|sh|i|ir|include|read|gexec|source|load|restore|o|output|once)/i.test(command)) {
      found.push(destructive(`${label}: runs commands or a file that cannot be seen here`))
    } else if (/^copy/i.test(command) && /\bprogram\b/i.test(rest)) found.push(destructive(`${label}: runs a program`))
    else found.push(read(`${label}: a command of the client`))
  }
  return found
}

const judge = (sql: string, level: number): Finding[] => {
  const plain = sql.replace(META, ' ')
  const label = `SQL ${shown(plain.trim(), 60)}`
  if (level > MAX_LEVEL) return [destructive(`${label}: too tangled to judge`)]
  const { statements, bodies, complete } = tokenize(plain)
  const findings = judgeMeta(sql)
  if (!complete) findings.push(destructive(`${label}: longer than can be judged`))
  for (const statement of statements) findings.push(...judgeStatement(statement, label, level))
  // A function that is made here may be called here.
  const makesCode = statements.length > 1 && statements.some((statement) => statement[0]?.text === 'create' && statement.some(({ text }) => text === 'function' || text === 'procedure'))
  if (makesCode || statements.some((statement) => CODE_IN_STRINGS.has(statement[0]?.text ?? ''))) {
    for (const body of bodies) findings.push(...judge(body, level + 1))
  }
  if (makesCode) {
    for (const { text } of statements.flat()) if (/^'\s*(with|delete|update|truncate|drop|begin|alter)\b/.test(text)) findings.push(...judge(text.slice(1, -1).replaceAll("''", "'"), level + 1))
  }
  return findings
}

/** What SQL text does, statement by statement, in any common dialect. Promises linear time, and never to throw. */
export const classifySql = (sql: string): Classification => summarize(judge(sql, 0))
