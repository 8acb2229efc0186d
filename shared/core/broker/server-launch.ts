import { HoldfastError } from '../../contract/errors.ts'
import type { SessionId } from '../../contract/ids.ts'
import type { McpServerConfig } from '../../contract/schemas/mcp-config.ts'
import type { Ledger, SecretStore } from '../ports.ts'
import type { Redactor } from './redactor.ts'

/** What to spawn for an upstream server. `env` is its whole environment, secrets included: never log it. */
export interface StdioLaunch {
  readonly kind: 'stdio'
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly hasSecrets: boolean
}

/** Where to reach an upstream server. `headers` hold secrets: never log them. */
export interface HttpLaunch {
  readonly kind: 'http'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

export interface ServerLaunchDeps {
  readonly secrets: SecretStore
  readonly ledger: Ledger
  readonly redactor: Redactor
  /** The host's own environment, from which PATH and LANG alone are taken. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

const INHERITED = ['PATH', 'LANG']
const SECRET_SUFFIX = '_SECRET'
const REFERENCE = /\$\{[A-Za-z_]/
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/

interface ServerEntry {
  readonly sessionId: SessionId
  readonly agent: string
  readonly name: string
  readonly config: McpServerConfig
}

const isSecret = ([name]: [string, string]): boolean => name.endsWith(SECRET_SUFFIX)

/** Names of the keychain items that a server is given. */
export const secretNames = (config: McpServerConfig): string[] =>
  Object.entries(config.type === 'stdio' ? config.env : (config.headers ?? {})).filter(isSecret).map(([, item]) => item)

/** The values given, with `NAME_SECRET` replaced by `NAME` from the keychain. */
const resolveValues = async (deps: ServerLaunchDeps, { sessionId, agent, name }: ServerEntry, values: Readonly<Record<string, string>>): Promise<Record<string, string>> => {
  const entries = Object.entries(values)
  const resolved = Object.fromEntries(entries.filter((entry) => !isSecret(entry)))
  for (const [variable, item] of entries.filter(isSecret)) {
    const target = variable.slice(0, -SECRET_SUFFIX.length)
    if (target === '' || target in values) {
      const problem = target === '' ? 'names no variable' : `and ${target} cannot both be set`
      throw new HoldfastError('profile-invalid', `Server ${name} is not started: ${variable} ${problem}.`)
    }
    const secret = await deps.secrets.get(item, agent)
    if (secret === null) {
      // The item's name is not repeated: people paste the secret itself there by mistake.
      throw new HoldfastError(
        'secret-unavailable',
        `Server ${name} is not started: the keychain has no item with the name that ${variable} gives. ` +
          'Store it with `holdfast secret set`.',
      )
    }
    deps.ledger.append('secret/resolved', sessionId, { secret: item, server: name, variable: target })
    deps.redactor.know(secret)
    resolved[target] = secret
  }
  return resolved
}

const resolveHttp = async (deps: ServerLaunchDeps, entry: ServerEntry, url: string, given: Readonly<Record<string, string>>): Promise<HttpLaunch> => {
  const address = URL.canParse(url) ? new URL(url) : null
  const isPrivate = address?.protocol === 'https:' || (address?.protocol === 'http:' && LOOPBACK.test(address.hostname))
  if (address === null || !isPrivate || address.username !== '' || address.password !== '') {
    throw new HoldfastError('profile-invalid', `Server ${entry.name} is not reached: its url must be https (http on this machine alone), with no user in it.`)
  }
  const headers = await resolveValues(deps, entry, given)
  const bearer = Object.keys(headers).find((header) => header.toLowerCase() === 'authorization')
  // A keychain holds the token alone; the scheme is the header's.
  if (bearer !== undefined && !headers[bearer]?.includes(' ')) headers[bearer] = `Bearer ${headers[bearer]}`
  return { kind: 'http', url, headers }
}

/**
 * Resolves a server's configuration into what to spawn or where to reach it, secrets from the keychain included; each
 * is in the ledger, by name, before it is given out.
 * Throws HoldfastError with a message for a person when the server must not start: `unsupported` for what this version
 * cannot do (the older HTTP with SSE, `${…}`), `profile-invalid`, or `secret-unavailable`.
 */
export const resolveServerLaunch = async (deps: ServerLaunchDeps, entry: ServerEntry): Promise<StdioLaunch | HttpLaunch> => {
  const { name, config } = entry
  const texts = config.type === 'stdio' ? [config.command, ...config.args, ...Object.values(config.env)] : [config.url, ...Object.values(config.headers ?? {})]
  if (texts.some((text) => REFERENCE.test(text))) {
    throw new HoldfastError(
      'unsupported',
      `Server ${name} refers to a variable as \${NAME}, which Holdfast does not expand. Write the value, ` +
        'or keep it in the keychain and write NAME_SECRET with the name of the item.',
    )
  }
  if (config.type === 'http' || config.type === 'streamable-http') return resolveHttp(deps, entry, config.url, config.headers ?? {})
  if (config.type !== 'stdio') {
    throw new HoldfastError('unsupported', `Server ${name} is reached over ${config.type}, which is not supported: only Streamable HTTP and servers with a command are.`)
  }
  const inherited = INHERITED.flatMap((variable) => {
    const value = deps.environment[variable]
    return value === undefined ? [] : [[variable, value] as const]
  })
  return {
    kind: 'stdio',
    command: config.command,
    args: config.args,
    env: { ...Object.fromEntries(inherited), ...(await resolveValues(deps, entry, config.env)) },
    hasSecrets: secretNames(config).length > 0,
  }
}
