import { HoldfastError } from '../../contract/errors.ts'
import type { SessionId } from '../../contract/ids.ts'
import type { McpServerConfig } from '../../contract/schemas/mcp-config.ts'
import type { Ledger, SecretStore } from '../ports.ts'
import type { Redactor } from './redactor.ts'

/** What to spawn for an upstream server. `env` is its whole environment, secrets included: never log it. */
export interface ServerLaunch {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly hasSecrets: boolean
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

/**
 * Resolves a server's configuration into what to spawn, secrets from the keychain included; each is in the ledger,
 * by name, before it is given out.
 * Throws HoldfastError with a message for a person when the server must not start: `unsupported` for what this version
 * cannot do (HTTP, `${…}`), `profile-invalid`, or `secret-unavailable`.
 */
export const resolveServerLaunch = async (
  deps: ServerLaunchDeps,
  server: { readonly sessionId: SessionId; readonly name: string; readonly config: McpServerConfig },
): Promise<ServerLaunch> => {
  const { sessionId, name, config } = server
  if (config.type !== 'stdio') {
    throw new HoldfastError(
      'unsupported',
      `Server ${name} is reached over ${config.type}, which is not supported yet: only servers with a command are.`,
    )
  }
  if ([config.command, ...config.args, ...Object.values(config.env)].some((text) => REFERENCE.test(text))) {
    throw new HoldfastError(
      'unsupported',
      `Server ${name} refers to a variable as \${NAME}, which Holdfast does not expand. Write the value, ` +
        'or keep it in the keychain and write NAME_SECRET with the name of the item.',
    )
  }

  const env: Record<string, string> = {}
  for (const variable of INHERITED) {
    const value = deps.environment[variable]
    if (value !== undefined) env[variable] = value
  }
  for (const [variable, value] of Object.entries(config.env)) {
    if (!variable.endsWith(SECRET_SUFFIX)) env[variable] = value
  }
  for (const [variable, item] of Object.entries(config.env)) {
    if (!variable.endsWith(SECRET_SUFFIX)) continue
    const target = variable.slice(0, -SECRET_SUFFIX.length)
    if (target === '' || target in config.env) {
      const problem = target === '' ? 'names no variable' : `and ${target} cannot both be set`
      throw new HoldfastError('profile-invalid', `Server ${name} is not started: ${variable} ${problem}.`)
    }
    const secret = await deps.secrets.get(item)
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
    env[target] = secret
  }
  const hasSecrets = Object.keys(config.env).some((variable) => variable.endsWith(SECRET_SUFFIX))
  return { command: config.command, args: config.args, env, hasSecrets }
}
