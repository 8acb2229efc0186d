import type { ArgumentTest } from '../../contract/schemas/mcp-config.ts'
import { classifySql } from '../classify/classify-sql.ts'
import { readAddress, spellOut } from './spelling.ts'

/** `path` with `.` and `..` resolved; null when it climbs above the root, or is not plain. */
const normalPath = (path: string, cwd: string): string | null => {
  const plain = spellOut(path)
  if (plain !== path || /[\p{Cc}\p{Cf}\\]/u.test(path) || path.startsWith('~')) return null
  const parts: string[] = []
  for (const part of (path.startsWith('/') ? path : `${cwd}/${path}`).split('/')) {
    if (part === '..' && parts.pop() === undefined) return null
    if (part !== '' && part !== '.' && part !== '..') parts.push(part)
  }
  return `/${parts.join('/')}`
}

const globPasses = (glob: string, text: string): boolean => {
  const source = glob.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll(/\*\*|\*/g, (stars) => (stars === '*' ? '[^/]*' : '[^]*'))
  return new RegExp(`^${source}$`).test(text)
}

const hostPasses = (hosts: readonly string[], text: string): boolean => {
  const address = readAddress(text)
  if (address === null || !/^https?$/.test(address.protocol) || address.user !== '') return false
  return hosts.some((wanted) => {
    const name = wanted.toLowerCase()
    return name.startsWith('*.') ? address.host.endsWith(name.slice(1)) : address.host === name
  })
}

/** Functions that change something, wait, or reach outside the database, though a SELECT calls them. */
const ACTING_FUNCTIONS = /\b(setval|nextval|set_config|dblink\w*|lo_\w+|pg_(ls|read|sleep|advisory|try_advisory|logical)\w*|load_file|xp_\w+|openrowset|sleep|benchmark)["`\]]?\s*\(/i

const onlyReads = (sql: string): boolean => {
  const statement = sql.replace(/;\s*$/, '')
  return /^\s*(select|with|show|explain|values|table|describe|desc)\b/i.test(statement)
    && !statement.includes(';')
    && !ACTING_FUNCTIONS.test(statement)
    && classifySql(statement).class === 'read'
}

/**
 * Whether an argument's value passes its test. Paths are judged as text, against the session's folder: a link inside
 * the folder is not seen here. SQL passes as one statement that reads and calls no function known to do more; what a
 * function of the database's own does is not seen here: the role's rights are its limit.
 */
export const passesTest = (test: ArgumentTest, value: unknown, cwd: string): boolean => {
  if ('equals' in test) return value === test.equals
  if ('oneOf' in test) return test.oneOf.some((one) => one === value)
  if ('range' in test) return typeof value === 'number' && value >= test.range[0] && value <= test.range[1]
  if (Array.isArray(value)) return value.length > 0 && value.every((one) => typeof one === 'string' && passesTest(test, one, cwd))
  if (typeof value !== 'string' || value.length > 1_000_000) return false
  if ('glob' in test) return !/(^|\/)\.\.(\/|$)/.test(spellOut(value)) && globPasses(test.glob, value)
  if ('hosts' in test) return hostPasses(test.hosts, value)
  if ('sql' in test) return onlyReads(value)
  const [path, folder] = [normalPath(value, cwd), normalPath(test.under, cwd)]
  return path !== null && folder !== null && (path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`))
}

/** The test in words, for whoever is told that it did not pass. */
export const describeTest = (test: ArgumentTest): string => {
  if ('equals' in test) return `must be ${JSON.stringify(test.equals)}`
  if ('oneOf' in test) return `must be one of ${test.oneOf.map((one) => JSON.stringify(one)).join(', ')}`
  if ('glob' in test) return `must match ${test.glob}`
  if ('under' in test) return `must be a path under ${test.under}`
  if ('range' in test) return `must be a number from ${test.range[0]} to ${test.range[1]}`
  return 'sql' in test ? 'must be SQL that only reads' : `must be a web address at ${test.hosts.join(', ')}`
}
