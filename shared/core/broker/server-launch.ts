import { HoldfastError } from '../../contract/errors.ts'
import type { SessionId } from '../../contract/ids.ts'
import type { McpServerConfig } from '../../contract/schemas/mcp-config.ts'
import type { Clock, Ledger, SecretStore } from '../ports.ts'
import type { SignIns } from '../secrets/sign-in.ts'
import type { Redactor } from './redactor.ts'
import { createIssuer, isSecretCommand, programOf } from './secret-command.ts'

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
  /** The server did not take what the headers hold. */
  refused(): void
}

/** A launch, and when the first of its secrets ends; null when none is known to. */
export type Launch = (StdioLaunch | HttpLaunch) & { readonly expiresAt: number | null }

export interface ServerLaunchDeps {
  readonly secrets: SecretStore
  readonly clock: Clock
  readonly ledger: Ledger
  readonly redactor: Redactor
  readonly signIns: SignIns
  /** The host's own environment, from which servers get PATH and LANG alone. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

const INHERITED = ['PATH', 'LANG']
const SECRET_SUFFIX = '_SECRET'
const REFERENCE = /\$\{[A-Za-z_]/
/** `oauth: agent/item`: a sign-in that is kept in the keychain. */
const SIGN_IN = /^oauth:\s*(\S+)$/
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/

interface ServerEntry {
  readonly sessionId: SessionId
  readonly agent: string
  /** The session's folder. */
  readonly cwd: string
  readonly name: string
  readonly config: McpServerConfig
}

const isSecret = ([name]: [string, string]): boolean => name.endsWith(SECRET_SUFFIX)

const itemOf = (reference: string): string => SIGN_IN.exec(reference)?.[1] ?? reference

const references = (config: McpServerConfig): string[] =>
  Object.entries(config.type === 'stdio' ? config.env : (config.headers ?? {})).filter(isSecret).map(([, reference]) => reference)

/** Names of the keychain items, and commands, whose secrets a server is given. */
export const secretNames = (config: McpServerConfig): string[] => references(config).map(itemOf)

/** Whether somebody else issues a secret of it, who may be away for a while. */
export const isIssued = (config: McpServerConfig): boolean => references(config).some((one) => isSecretCommand(one) || SIGN_IN.test(one))

interface Resolved {
  readonly values: Record<string, string>
  readonly expiresAt: number | null
}

/** The values given, with `NAME_SECRET` replaced by `NAME` from the keychain, or from the command that issues it. */
const resolveValues = async (deps: ServerLaunchDeps, entry: ServerEntry, given: Readonly<Record<string, string>>): Promise<Resolved> => {
  const { sessionId, agent, cwd, name, config } = entry
  const entries = Object.entries(given)
  const values = Object.fromEntries(entries.filter((one) => !isSecret(one)))
  const ends: number[] = []
  const issue = createIssuer({ clock: deps.clock, environment: deps.environment, agentFolder: cwd })
  const give = async (reference: string): Promise<{ value: string | null; expiresAt: number | null }> => {
    if (isSecretCommand(reference)) return issue(reference)
    const name = SIGN_IN.exec(reference)?.[1]
    if (name === undefined) return { value: await deps.secrets.get(reference, agent), expiresAt: null }
    if (!('url' in config)) throw new HoldfastError('profile-invalid', `Server ${entry.name} is not started: a sign-in is for a server that has a url.`)
    return (await deps.signIns.token(name, agent, config.url)) ?? { value: null, expiresAt: null }
  }
  for (const [variable, item] of entries.filter(isSecret)) {
    const target = variable.slice(0, -SECRET_SUFFIX.length)
    if (target === '' || target in given) {
      const problem = target === '' ? 'names no variable' : `and ${target} cannot both be set`
      throw new HoldfastError('profile-invalid', `Server ${name} is not started: ${variable} ${problem}.`)
    }
    const secret = await give(item)
    if (secret.value === null) {
      // The item's name is not repeated: people paste the secret itself there by mistake.
      throw new HoldfastError(
        'secret-unavailable',
        `Server ${name} is not started: the keychain has no item with the name that ${variable} gives. ` +
          'Store it with `holdfast secret set`.',
      )
    }
    deps.ledger.append('secret/resolved', sessionId, { secret: isSecretCommand(item) ? `exec: ${programOf(item)}` : itemOf(item), server: name, variable: target })
    deps.redactor.know(secret.value)
    if (secret.expiresAt !== null) ends.push(secret.expiresAt)
    values[target] = secret.value
  }
  return { values, expiresAt: ends.length === 0 ? null : Math.min(...ends) }
}

const resolveHttp = async (deps: ServerLaunchDeps, entry: ServerEntry, url: string, given: Readonly<Record<string, string>>): Promise<Launch> => {
  const address = URL.canParse(url) ? new URL(url) : null
  const isPrivate = address?.protocol === 'https:' || (address?.protocol === 'http:' && LOOPBACK.test(address.hostname))
  if (address === null || !isPrivate || address.username !== '' || address.password !== '') {
    throw new HoldfastError('profile-invalid', `Server ${entry.name} is not reached: its url must be https (http on this machine alone), with no user in it.`)
  }
  const { values: headers, expiresAt } = await resolveValues(deps, entry, given)
  const bearer = Object.keys(headers).find((header) => header.toLowerCase() === 'authorization')
  // A keychain holds the token alone; the scheme is the header's.
  if (bearer !== undefined && !headers[bearer]?.includes(' ')) headers[bearer] = `Bearer ${headers[bearer]}`
  const [signedIn] = references(entry.config).flatMap((one) => SIGN_IN.exec(one)?.[1] ?? [])
  const token = headers[bearer ?? '']?.replace(/^Bearer /, '')
  const refused = (): void => {
    if (signedIn !== undefined && token !== undefined) deps.signIns.refused(signedIn, token)
  }
  return { kind: 'http', url, headers, expiresAt, refused }
}

/**
 * Resolves a server's configuration into what to spawn or where to reach it, secrets from the keychain included; each
 * is in the ledger, by name, before it is given out.
 * Throws HoldfastError with a message for a person when the server must not start: `unsupported` for what this version
 * cannot do (the older HTTP with SSE, `${…}`), `profile-invalid`, or `secret-unavailable`.
 */
export const resolveServerLaunch = async (deps: ServerLaunchDeps, entry: ServerEntry): Promise<Launch> => {
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
  const { values, expiresAt } = await resolveValues(deps, entry, config.env)
  return {
    kind: 'stdio',
    command: config.command,
    args: config.args,
    env: { ...Object.fromEntries(inherited), ...values },
    hasSecrets: secretNames(config).length > 0,
    expiresAt,
  }
}
