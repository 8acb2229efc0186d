/** How many rows a statement is about: a question that only counts, and what it counts. */
export interface RowCount {
  /** `SELECT count(*) FROM …`, made of the parts that were read, in the dialect of SQLite and PostgreSQL. */
  readonly sql: string
  /** What the statement does with those rows. */
  readonly does: 'deletes' | 'changes' | 'drops a table with' | 'empties a table with'
  /** As written, for a person. */
  readonly table: string
}

const MAX_SQL = 20_000
const MAX_TOKENS = 400

const TOKEN = /\s+|--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")+"|[A-Za-z_][\w$]*|\d+(?:\.\d+)?|<=|>=|<>|!=|\|\||[=<>(),.;*+-]/gy

/** Tokens without blanks and comments; null when a character is none of them, as then the statement is not understood whole. */
const tokensOf = (sql: string): string[] | null => {
  if (sql.length > MAX_SQL) return null
  const tokens: string[] = []
  let end = 0
  TOKEN.lastIndex = 0
  for (let match = TOKEN.exec(sql); match !== null; match = TOKEN.exec(sql)) {
    const [text] = match
    end = TOKEN.lastIndex
    if (/^\s|^--|^\/\*/.test(text)) continue
    tokens.push(text)
    if (tokens.length > MAX_TOKENS) return null
  }
  return end === sql.length ? tokens : null
}

const isName = (token: string | undefined): token is string => token !== undefined && /^([A-Za-z_]|")/.test(token)
const quoted = (name: string): string => (name.startsWith('"') ? name : `"${name.replaceAll('"', '""')}"`)

/** A table's name, and how many tokens it takes. */
const tableAt = (tokens: readonly string[], at: number): { name: string; taken: number } | null => {
  const [first, dot, second] = tokens.slice(at, at + 3)
  if (!isName(first)) return null
  return dot === '.' && isName(second) ? { name: `${first}.${second}`, taken: 3 } : { name: first, taken: 1 }
}

const WORDS = new Set('and or not is null like in between true false escape'.split(' '))

/** A condition of comparisons alone: no call, no query inside, nothing that could do more than to compare. Null when it holds anything else. */
const conditionOf = (tokens: readonly string[]): string | null => {
  const parts: string[] = []
  for (const [index, token] of tokens.entries()) {
    if (WORDS.has(token.toLowerCase())) parts.push(token.toLowerCase())
    else if (/^[A-Za-z_]/.test(token)) {
      if (tokens[index + 1] === '(' || /^(select|with|values|case|cast|exists|raise|collate|current_\w+)$/i.test(token)) return null
      parts.push(quoted(token.toLowerCase()))
    } else if (token === ';') return null
    else parts.push(token)
  }
  return parts.join(' ')
}

const nameOf = (name: string): string => name.split('.').map((part) => (part.startsWith('"') ? part : quoted(part.toLowerCase()))).join('.')

/**
 * The count for one DELETE, UPDATE, TRUNCATE or DROP TABLE; null when there is more than one statement, or it holds
 * anything that is not a plain table and a condition of plain comparisons. No text of the statement goes over but names,
 * numbers, strings and comparisons that were read one by one.
 */
export const rowCountOf = (sql: string): RowCount | null => {
  const tokens = tokensOf(sql)
  if (tokens === null) return null
  while (tokens.at(-1) === ';') tokens.pop()
  const head = (tokens[0] ?? '').toLowerCase()
  const count = (does: RowCount['does'], name: string, condition: string | null): RowCount =>
    ({ sql: `SELECT count(*) AS n FROM ${nameOf(name)}${condition === null ? '' : ` WHERE ${condition}`}`, does, table: name })
  const rest = (at: number, does: RowCount['does'], name: string): RowCount | null => {
    if (at === tokens.length) return count(does, name, null)
    if ((tokens[at] ?? '').toLowerCase() !== 'where') return null
    const condition = conditionOf(tokens.slice(at + 1))
    return condition === null || condition === '' ? null : count(does, name, condition)
  }
  if (head === 'delete' && tokens[1]?.toLowerCase() === 'from') {
    const table = tableAt(tokens, 2)
    return table === null ? null : rest(2 + table.taken, 'deletes', table.name)
  }
  if (head === 'update') {
    const table = tableAt(tokens, 1)
    if (table === null || tokens[1 + table.taken]?.toLowerCase() !== 'set') return null
    const lower = tokens.map((token) => token.toLowerCase())
    if (lower.includes('from') || lower.includes('select') || lower.filter((token) => token === 'where').length > 1 || lower.includes('returning')) return null
    const where = lower.indexOf('where')
    return rest(where < 0 ? tokens.length : where, 'changes', table.name)
  }
  if (head === 'truncate' || head === 'drop') {
    const at = tokens[1]?.toLowerCase() === 'table' ? 2 : head === 'truncate' ? 1 : -1
    const exists = at > 0 && tokens[at]?.toLowerCase() === 'if' && tokens[at + 1]?.toLowerCase() === 'exists' ? 2 : 0
    const table = at < 0 ? null : tableAt(tokens, at + exists)
    if (table === null) return null
    const last = tokens.slice(at + exists + table.taken).join(' ').toLowerCase()
    return last === '' || last === 'cascade' || last === 'restrict' ? count(head === 'drop' ? 'drops a table with' : 'empties a table with', table.name, null) : null
  }
  return null
}
