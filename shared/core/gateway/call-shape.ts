import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import { canonicalJson } from '../../domain/ledger-chain.ts'

/** A longer field is kept by its hash. */
const MAX_KEPT = 1_024

/** A call by its tool and fields, to be compared with the same call as its agent shows it later. */
export type Shape = ReadonlyMap<string, string>

/** Agents read what models write: `"5"` and `"true"` for a number and a yes, and `false` for what is not there. */
const asRead = (value: unknown): unknown => {
  if (typeof value === 'string' && /^(true|false|-?(0|[1-9]\d{0,14})(\.\d{1,15})?)$/.test(value)) return JSON.parse(value) as unknown
  if (Array.isArray(value)) return value.map(asRead)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, field]: [string, unknown]) => {
      const read = asRead(field)
      return read === false || read === null || read === undefined ? [] : [[name, read]]
    }),
  )
}

const kept = (value: unknown): string => {
  const text = canonicalJson(value)
  return text.length <= MAX_KEPT ? text : createHash('sha256').update(text).digest('base64')
}

/** Throws TypeError for what is no JSON. */
export const shapeOf = (tool: string, input: unknown): Shape => {
  const read = asRead(input)
  const isObject = typeof read === 'object' && read !== null && !Array.isArray(read)
  const fields = isObject ? Object.entries(read).map(([name, field]): [string, string] => [`field ${name}`, kept(field)]) : [['input', kept(read)] as const]
  return new Map([['tool', tool], ...fields])
}

/** The same path written out: absolute, without dots, and with the home folder in place of `~`. */
const isPathOf = (shown: string, made: string): boolean => {
  try {
    const [full, short] = [JSON.parse(shown), JSON.parse(made)] as unknown[]
    if (typeof full !== 'string' || typeof short !== 'string' || !full.startsWith('/')) return false
    const plain = posix.normalize(short.trim()).replace(/(?<=.)\/$/, '')
    if (plain.startsWith('/')) return full === plain
    const tail = plain.replace(/^(~|\.\.?)(\/(\.\.\/)*|$)/, '')
    return posix.normalize(full) === full && (tail === '' || full.endsWith(`/${tail}`))
  } catch {
    return false
  }
}

const PATH_FIELD = /^field (\w+_)?path$/

/**
 * Whether what an agent shows is the call that its model made, as the agent completes it before it tells its hooks of
 * it: Claude Code adds what was left out and writes paths out. What it adds is for the hook's own question to judge.
 */
export const shows = (shown: Shape, made: Shape): boolean =>
  [...made].every(([name, value]) => {
    const other = shown.get(name)
    return other === value || (other !== undefined && PATH_FIELD.test(name) && isPathOf(other, value))
  })

export const isSame = (one: Shape, other: Shape): boolean => one.size === other.size && [...one].every(([name, value]) => other.get(name) === value)
