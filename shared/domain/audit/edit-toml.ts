import type { Edit, JsonPath } from './finding.ts'
import { readToml } from './sources.ts'

type Change = Exclude<Edit, { kind: 'span' }>

const valueOf = (text: string): unknown => {
  const read = readToml(text)
  return read.ok ? read.source.value : undefined
}

const isTable = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)

/** A value as text that is the same for the same value. Tables that hold nothing are as none: the last key of one may take its header along. */
const told = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(told).join()}]`
  if (!isTable(value)) return value instanceof Date ? value.toISOString() : `${typeof value} ${JSON.stringify(String(value))}`
  return `{${Object.entries(value).map(([key, inner]) => [JSON.stringify(key), told(inner)]).filter(([, inner]) => inner !== '{}').sort(([one = ''], [other = '']) => (one < other ? -1 : 1)).join()}}`
}

const copyOf = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(copyOf)
  return isTable(value) ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copyOf(inner)])) : value
}

const holderOf = (value: unknown, path: JsonPath): Record<string | number, unknown> | null =>
  path.slice(0, -1).reduce<unknown>((found, key) => (typeof found === 'object' && found !== null && Object.hasOwn(found, key) ? (found as Record<string | number, unknown>)[key] : null), value) as Record<string | number, unknown> | null

/** What the file is to say once it is changed; undefined where the path leads nowhere. */
const expected = (value: unknown, change: Change): unknown => {
  const copy = copyOf(value)
  const [holder, key] = [holderOf(copy, change.path), change.path.at(-1) ?? '']
  if (typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, key)) return undefined
  if (Array.isArray(holder)) {
    if (change.kind === 'rename') return undefined
    holder.splice(Number(key), 1, ...(change.kind === 'set' ? [change.value] : []))
    return copy
  }
  if (change.kind === 'set') holder[key] = change.value
  else delete holder[key]
  if (change.kind === 'rename') holder[change.to] = change.value
  return copy
}

const LITERAL = String.raw`"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[\w.+-]+`
const quoted = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
/** A key's last part as it may be written, and the value behind it, on one line. */
const settingOf = (key: string | number): RegExp => new RegExp(String.raw`((?:["']?)${quoted(String(key))}(?:["']?))(\s*=\s*)(${LITERAL})`, 'g')

const headerOf = (line: string): readonly string[] | null => {
  if (!/^\s*\[/.test(line)) return null
  const names: string[] = []
  for (let value = valueOf(line); typeof value === 'object' && value !== null; value = Object.values(value)[0]) {
    if (Array.isArray(value)) continue
    const [name] = Object.keys(value)
    if (name === undefined) break
    names.push(name)
  }
  return names
}

/** The text without a table and those below it; comments right before a table are its own. */
const withoutTable = (text: string, path: JsonPath): string => {
  let inside = false
  return text.split('\n').filter((line) => {
    const header = headerOf(line)
    if (header !== null) inside = path.every((key, index) => header[index] === key)
    return !inside
  }).join('\n')
}

/** Every way in which the change could be written; which one it is, the parser says. */
function* attempts(text: string, change: Change): Generator<string> {
  const key = change.path.at(-1) ?? ''
  const inList = typeof key === 'number'
  for (const found of text.matchAll(inList ? new RegExp(LITERAL, 'g') : settingOf(key))) {
    const [start, end] = [found.index, found.index + found[0].length]
    const [, name = '', equals = ''] = found
    if (change.kind === 'set') yield text.slice(0, start) + (inList ? '' : name + equals) + JSON.stringify(change.value) + text.slice(end)
    else if (change.kind === 'rename') yield text.slice(0, start) + (/^[\w-]+$/.test(change.to) ? change.to : JSON.stringify(change.to)) + equals + JSON.stringify(change.value) + text.slice(end)
    else if (inList) {
      const lineStart = text.lastIndexOf('\n', start) + 1
      const rest = /^\s*?,?[ \t]*\r?\n/.exec(text.slice(end))?.[0]
      if (rest !== undefined && text.slice(lineStart, start).trim() === '') yield text.slice(0, lineStart) + text.slice(end + rest.length)
      const comma = /^\s*,[ \t]*/.exec(text.slice(end))?.[0]
      const before = /,\s*$/.exec(text.slice(0, start))?.[0]
      yield comma !== undefined ? text.slice(0, start) + text.slice(end + comma.length) : text.slice(0, start - (before?.length ?? 0)) + text.slice(end)
    } else {
      const [lineStart, lineEnd] = [text.lastIndexOf('\n', start) + 1, text.indexOf('\n', end)]
      yield text.slice(0, lineStart) + (lineEnd < 0 ? '' : text.slice(lineEnd + 1))
      yield text.slice(0, start) + text.slice(end).replace(/^\s*,\s*/, '')
    }
  }
  if (change.kind === 'remove' && !inList) yield withoutTable(text, change.path)
}

const MAX_ATTEMPTS = 500

/**
 * The text of a TOML file with one thing changed; all else stays byte for byte, comments too. No TOML parser tells where
 * a value stands, so a line is changed and the whole read again: null where no change says exactly what it should.
 */
export const editToml = (text: string, change: Change): string | null => {
  const wanted = expected(valueOf(text), change)
  if (wanted === undefined) return null
  const aim = told(wanted)
  let count = 0
  for (const attempt of attempts(text, change)) {
    if (told(valueOf(attempt)) === aim) return attempt
    if (++count >= MAX_ATTEMPTS) break
  }
  return null
}
