import { nameWords, readAddress, spellOut } from './spelling.ts'

/** Repositories that a server may be used for, as `ALLOWED_REPOS` lists them. */
export interface AllowedRepositories {
  /** `host owner/name`, in small letters; a name of `*` is every repository of that owner. */
  readonly entries: ReadonlySet<string>
}

const DEFAULT_HOST = 'github.com'
const ENTRY = /^(?:([a-z0-9.-]+\.[a-z]{2,})\/)?([a-z0-9][a-z0-9._-]*)\/(\*|[a-z0-9._-]+)$/
const NAME = /^[a-z0-9._-]{1,100}$/

/**
 * Reads a list such as `acme/web, acme/api, gitlab.com/acme/*`; without a host, GitHub is meant.
 * Null when an entry is not of that form.
 */
export const parseAllowedRepositories = (list: string): AllowedRepositories | null => {
  const parts = list.split(/[\s,]+/).filter((part) => part !== '')
  const entries = parts.map((part) => ENTRY.exec(part.toLowerCase()))
  if (entries.length === 0 || entries.includes(null)) return null
  return { entries: new Set(entries.map((entry) => `${entry?.[1] ?? DEFAULT_HOST} ${entry?.[2]}/${entry?.[3]}`)) }
}

const MAX_VALUES = 20_000
const MAX_DEPTH = 32

const OWNER_WORDS = new Set(['owner', 'org', 'organization', 'organisation', 'namespace', 'workspace', 'group', 'account'])
const REPOSITORY_WORDS = new Set(['repo', 'repos', 'repository', 'repositories'])
const REPOSITORY_KEYS = new Set(['full name', 'name with owner', 'slug', 'nwo', 'fullname'])
/** What a person reads: it names no target, since the call has to name one elsewhere. */
const PROSE_WORDS = new Set(['body', 'title', 'comment', 'message', 'content', 'description', 'text', 'summary', 'note', 'notes', 'patch'])
/** Places within a repository: a slash in them is a folder's. */
const INNER_WORDS = new Set(['path', 'paths', 'file', 'files', 'filename', 'label', 'labels', 'tag', 'workflow', 'after', 'before', 'cursor'])
/** Versions within a repository; `owner:branch` means another's. */
const REVISION_WORDS = new Set(['branch', 'ref', 'base', 'head', 'basehead', 'sha', 'commit', 'revision'])
const HOSTS: Readonly<Record<string, string>> = {
  'www.github.com': 'github.com',
  'api.github.com': 'github.com',
  'raw.githubusercontent.com': 'github.com',
  'codeload.github.com': 'github.com',
}
const ADDRESS = /[a-z][a-z0-9+.-]*:[/\\]+[^\s"'<>]*/gi
const SCP_ADDRESS = /(?:^|\s)[\w.-]+@([\w.-]+):(\S+)/g
const QUALIFIER = /(?:^|[^a-z0-9_])(repo|org|user|owner|enterprise)\s*:\s*"?([^\s"]*)/gi
/** GitHub's global ids: they say nothing about where they lead. */
const GLOBAL_ID = /^(?:[A-Z]{1,6}_k[a-z]D|MD[A-Z][A-Za-z0-9]{9})/

/** Thrown within this module, and caught in it. */
class Refusal extends Error {}
const refuse = (why: string): never => {
  throw new Refusal(why)
}

interface Found {
  readonly owners: Set<string>
  /** Bare names, to be joined with the owners. */
  readonly names: Set<string>
  /** `host owner/name`. */
  readonly targets: Set<string>
  values: number
}

/** `owner/name` or `name`, from a path of a web or git address: what follows the first two parts is inside. */
const targetOfPath = (host: string, path: string): string => {
  const parts = path.split('/').filter((part) => part !== '')
  const [owner = '', name = ''] = host === 'api.github.com' && parts[0] === 'repos' ? parts.slice(1) : parts
  const bare = name.toLowerCase().replace(/\.git$/, '')
  if (!NAME.test(owner.toLowerCase()) || !NAME.test(bare)) return refuse('an address that names no repository')
  return `${HOSTS[host] ?? host} ${owner.toLowerCase()}/${bare}`
}

const targetOfAddress = (text: string): string => {
  const address = readAddress(text)
  if (address === null || !/^(https?|ssh|git|git\+ssh)$/.test(address.protocol)) return refuse('an address that cannot be judged')
  if (address.user !== '' && !(address.protocol === 'ssh' && address.user === 'git')) return refuse('an address with a user in it')
  return targetOfPath(address.host, address.path)
}

const readTarget = (text: string, found: Found): void => {
  const parts = text.toLowerCase().split('/')
  const [first = '', second = ''] = parts
  if (parts.length > 2 || !parts.every((part) => NAME.test(part) && !/^\.+$/.test(part))) refuse('a spelling of a repository that cannot be judged')
  if (parts.length === 1) found.names.add(first)
  else found.targets.add(`${DEFAULT_HOST} ${first}/${second}`)
}

/** What any text may hold that is not prose, whatever its argument is called. */
const readAnywhere = (text: string, found: Found): void => {
  if (/[\p{Cc}\p{Cf}]/u.test(text)) refuse('a control or invisible character')
  if (/(?:^|[/\\])\.\.(?:[/\\]|$)/.test(text)) refuse('a path that climbs')
  if (GLOBAL_ID.test(text)) refuse('a global id, which does not say where it leads')
  for (const [address] of text.matchAll(ADDRESS)) found.targets.add(targetOfAddress(address))
  for (const [, host = '', path = ''] of text.matchAll(SCP_ADDRESS)) found.targets.add(targetOfPath(host.toLowerCase(), path))
  for (const [, kind = '', value = ''] of text.matchAll(QUALIFIER)) {
    if (kind.toLowerCase() === 'repo') readTarget(value, found)
    else found.targets.add(`${DEFAULT_HOST} ${value.toLowerCase()}/*`)
  }
}

const readText = (words: readonly string[], text: string, found: Found): void => {
  const last = words.at(-1) ?? ''
  if (PROSE_WORDS.has(last)) return
  const plain = spellOut(text)
  if (/^\s*[[{]/.test(plain)) {
    let inner: unknown
    try {
      inner = JSON.parse(plain)
    } catch {
      return refuse('a query or a document that cannot be judged')
    }
    return readValue(words, inner, found, 1)
  }
  if (plain.includes('{')) refuse('a query or a document that cannot be judged')
  readAnywhere(plain, found)
  const isAddress = /:[/\\]|@/.test(plain)
  if (OWNER_WORDS.has(last)) {
    if (!NAME.test(plain.toLowerCase())) refuse('a spelling of an owner that cannot be judged')
    found.owners.add(plain.toLowerCase())
  } else if (words.some((word) => REPOSITORY_WORDS.has(word)) || REPOSITORY_KEYS.has(words.join(' '))) {
    if (!isAddress) readTarget(plain, found)
  } else if (REVISION_WORDS.has(last)) {
    for (const side of plain.split(/\.{2,3}/)) if (side.includes(':')) refuse('a branch of another repository')
  } else if (/^ids?$/.test(last) && !/^\d*$/.test(plain)) refuse('an id that does not say where it leads')
  else if (/^(q|query|search|filter)$/.test(last)) {
    if (/\b(OR|NOT)\b|[()]/.test(plain)) refuse('a search that may reach beyond its repository')
  } else if (/[/\\]/.test(plain) && !INNER_WORDS.has(last) && !isAddress) {
    const [, first = '', second = ''] = /^\/?(?:repos\/)?([^/#@\\]+)\/([^/#@\\]+)/.exec(plain) ?? []
    readTarget(`${first}/${second}`, found)
  }
}

const readValue = (words: readonly string[], value: unknown, found: Found, depth: number): void => {
  found.values += 1
  if (found.values > MAX_VALUES || depth > MAX_DEPTH) refuse('more values than can be judged')
  if (typeof value === 'string') return readText(words, value, found)
  if (typeof value === 'number') {
    const leads = words.some((word) => REPOSITORY_WORDS.has(word) || OWNER_WORDS.has(word))
    return leads ? refuse('a number for a repository, which does not say where it leads') : undefined
  }
  if (Array.isArray(value)) for (const item of value) readValue(words, item, found, depth + 1)
  else if (typeof value === 'object' && value !== null) readFields(value, found, depth)
}

const readFields = (fields: object, found: Found, depth: number): void => {
  for (const [key, value] of Object.entries(fields)) {
    const words = nameWords(key)
    if (words === null) return refuse('an argument whose name cannot be judged')
    try {
      readValue(words, value, found, depth + 1)
    } catch (error) {
      throw error instanceof Refusal && !error.message.startsWith('`') ? new Refusal(`\`${key}\` holds ${error.message}`) : error
    }
  }
}

const isAllowed = ({ entries }: AllowedRepositories, target: string): boolean =>
  entries.has(target) || entries.has(`${target.slice(0, target.indexOf('/'))}/*`)

/**
 * Why a call with these arguments is outside the allowed repositories, or null when it is inside. Every place where a
 * repository can be named must name an allowed one, however it is spelled, and at least one must; what cannot be judged
 * (a GraphQL text, a global id, a climbing path) is outside. Prose, such as a comment's body, is not judged.
 */
export const outsideRepositories = (allowed: AllowedRepositories, input: Readonly<Record<string, unknown>>): string | null => {
  const found: Found = { owners: new Set(), names: new Set(), targets: new Set(), values: 0 }
  try {
    readFields(input, found, 0)
  } catch (error) {
    if (error instanceof Refusal) return error.message
    throw error
  }
  const targets = [...found.targets]
  for (const owner of found.owners) {
    const own = [...found.targets].filter((target) => target.split(/[ /]/)[1] === owner)
    for (const name of found.names) targets.push(`${DEFAULT_HOST} ${owner}/${name}`)
    if (found.names.size === 0 && own.length === 0) targets.push(`${DEFAULT_HOST} ${owner}/*`)
  }
  if (found.names.size > 0 && found.owners.size === 0) return 'it names a repository without its owner'
  if (targets.length === 0) return 'it does not say which repository it is for'
  const outside = targets.find((target) => !isAllowed(allowed, target))
  return outside === undefined ? null : `it is for ${outside.replace(`${DEFAULT_HOST} `, '').replace(' ', '/')}`
}
