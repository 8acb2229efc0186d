import { findNodeAtLocation, type ParseError, parse as parseJsonc, parseTree } from 'jsonc-parser'
import { parse as parseToml, TomlError } from 'smol-toml'
import { type JsonPath, lineAt, type Source } from './finding.ts'

export type ParsedSource = { readonly ok: true; readonly source: Source } | { readonly ok: false; readonly problem: string }

const MAX_NESTING = 100

/** Deep nesting would exhaust the parsers, which call themselves. */
const isTooDeep = (text: string): boolean => {
  let depth = 0
  for (const [character] of text.matchAll(/"(?:[^"\\\n]|\\.)*"|[[\]{}]/g)) {
    if (character === '{' || character === '[') depth += 1
    else if (character === '}' || character === ']') depth -= 1
    if (depth > MAX_NESTING) return true
  }
  return false
}

/** Reads JSON as editors and agents do: comments and trailing commas are fine. */
export const readJson = (text: string): ParsedSource => {
  if (isTooDeep(text)) return { ok: false, problem: 'is nested too deep' }
  const errors: ParseError[] = []
  const options = { allowTrailingComma: true, allowEmptyContent: true }
  const value = parseJsonc(text, errors, options) as unknown
  const [fault] = errors
  if (fault !== undefined) return { ok: false, problem: `is not valid JSON (line ${lineAt(text, fault.offset)})` }
  const tree = parseTree(text, [], options)
  const lineOf = (path: JsonPath): number | null => {
    const node = tree === undefined ? undefined : findNodeAtLocation(tree, [...path])
    if (node === undefined) return path.length === 0 ? null : lineOf(path.slice(0, -1))
    return lineAt(text, node.parent?.type === 'property' ? node.parent.offset : node.offset)
  }
  return { ok: true, source: { value, lineOf } }
}

const quoted = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)

/** Reads TOML. Lines are those on which a key, or the table named by the path, first stands. */
export const readToml = (text: string): ParsedSource => {
  try {
    const value = parseToml(text, { maxDepth: MAX_NESTING }) as unknown
    const lines = text.split('\n')
    const lineOf = (path: JsonPath): number | null => {
      const names = path.filter((key) => typeof key === 'string')
      const table = new RegExp(String.raw`^\s*\[+\s*${names.slice(0, 2).map((name) => `["']?${quoted(name)}["']?`).join(String.raw`\s*\.\s*`)}`)
      const start = names.length > 1 ? Math.max(0, lines.findIndex((line) => table.test(line))) : 0
      const key = new RegExp(String.raw`^\s*["']?${quoted(names.at(-1) ?? '')}["']?\s*=`)
      const found = lines.findIndex((line, index) => index >= start && key.test(line))
      return (found < 0 ? start : found) + 1
    }
    return { ok: true, source: { value, lineOf } }
  } catch (error) {
    return { ok: false, problem: `is not valid TOML${error instanceof TomlError ? ` (line ${error.line})` : ''}` }
  }
}
