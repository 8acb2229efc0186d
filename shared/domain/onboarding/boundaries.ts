/** One line of a CLAUDE.md that says what an agent may do by itself, or not without a person. */
export interface Boundary {
  readonly kind: 'forbidden' | 'allowed'
  readonly text: string
  readonly file: string
  readonly line: number
}

const MAX_LINES = 20_000
const MAX_BOUNDARIES = 200
const HEADING = /^(?:#{1,6}\s+(.*)|\*\*([^*]+)\*\*:?)\s*$/s
const BULLET = /^\s{0,8}(?:[-*+]|\d{1,3}[.)])\s+(.*\S)\s*$/s
const FORBIDDEN = /forbid|never|must not|not allowed|do not|don['\u2019]t|prohibit|off.limits|approv|(ask|confirm)\b.*\b(first|before)/i
const ALLOWED = /allowed|autonom|permitted|without (asking|approval)|free to|may do/i
const STARTS_FORBIDDEN = /^(never|do not|don['\u2019]t|must not)\b/i

const kindOf = (heading: string): Boundary['kind'] | null => {
  if (STARTS_FORBIDDEN.test(heading)) return 'forbidden'
  if (/without (asking|approval)/i.test(heading)) return 'allowed'
  if (FORBIDDEN.test(heading)) return 'forbidden'
  return ALLOWED.test(heading) ? 'allowed' : null
}

/**
 * The boundaries that an instruction file states: bullets below a heading about what is forbidden or allowed, and
 * bullets anywhere that begin with "never" or "do not". Code blocks are passed over.
 */
export const readBoundaries = (file: string, text: string): Boundary[] => {
  const found: Boundary[] = []
  let section: Boundary['kind'] | null = null
  let inCode = false
  text.split(/\r?\n/, MAX_LINES).forEach((row, index) => {
    if (/^\s*(```|~~~)/.test(row)) inCode = !inCode
    if (inCode || row.length > 2_000) return
    const heading = HEADING.exec(row)
    if (heading !== null) section = kindOf(heading[1] ?? heading[2] ?? '')
    const bullet = BULLET.exec(row)?.[1]
    if (heading !== null || bullet === undefined) return
    const kind = STARTS_FORBIDDEN.test(bullet) ? 'forbidden' : section
    if (kind !== null) found.push({ kind, text: bullet, file, line: index + 1 })
  })
  return found.slice(0, MAX_BOUNDARIES)
}
