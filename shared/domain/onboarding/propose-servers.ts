import type { McpConfig, McpServerConfig, ToolAccess } from '../../contract/schemas/mcp-config.ts'
import { hasSecretArgument, isPlainSecret, isSecretReference, isSecretValue } from '../secret-names.ts'
import type { PastUse } from './past-use.ts'

export interface ProposedServers {
  readonly servers: Readonly<Record<string, unknown>>
  /** Keychain items that the servers name. */
  readonly secrets: readonly string[]
  readonly notes: readonly string[]
}

const SHELLS = /(^|\/)(sh|bash|zsh|dash|fish|cmd(\.exe)?|powershell(\.exe)?|pwsh)$/
/** So few that a server may simply not have come up yet. */
const ENOUGH_SESSIONS = 3
const RUNNERS = /(^|\/)(npx|bunx|uvx|pipx|pnpx)$/

/** Why a server cannot be taken over as it is. Never repeats a value. */
const refusalOf = (config: McpServerConfig): string | null => {
  if (config.type !== 'stdio') {
    if (!/^(https:|http:\/\/(localhost|127\.|\[::1\]))/.test(config.url)) return 'its address is not https'
    return isSecretValue(config.url) || config.url.includes('${') ? 'its address carries a credential or a variable' : null
  }
  if (SHELLS.test(config.command)) return 'it runs a shell, which could be anything'
  if ([config.command, ...config.args].some((word) => word.includes('${'))) return 'its command has variables, which are not filled in'
  return hasSecretArgument(config.args) ? 'a credential stands in its arguments, where every program sees it' : null
}

const isPinned = (args: readonly string[]): boolean => {
  const name = args.find((word) => !word.startsWith('-'))
  return name === undefined || /.@\d|==\d/.test(name)
}

const itemOf = (server: string, variable: string): string => `agent/${`${server}-${variable}`.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '')}`

/** Values as they are, with each credential in plain text, and each variable, replaced by the name of a keychain item. */
const withoutSecrets = (server: string, values: Readonly<Record<string, string>>): { values: Record<string, string>; moved: string[] } => {
  const moved: string[] = []
  const entries = Object.entries(values).map(([name, value]) => {
    if (isSecretReference(name, value)) return [name, value]
    if (!isPlainSecret(name, value) && !value.includes('${')) return [name, value]
    moved.push(name)
    return [`${name}_SECRET`, itemOf(server, name)]
  })
  return { values: Object.fromEntries(entries) as Record<string, string>, moved }
}

/** As Claude Code writes a server's name into those of its tools. */
const inToolNames = (server: string): string => `mcp__${server.replaceAll(/[^A-Za-z0-9_-]/g, '_')}__`

/** The tools of a server that were called before; none that could be read as a pattern. */
const toolsUsed = (server: string, past: PastUse): string[] =>
  Object.keys(past.tools).filter((name) => name.startsWith(inToolNames(server))).map((name) => name.slice(inToolNames(server).length)).filter((name) => /^[\w.-]{1,128}$/.test(name)).sort()

/** A server's own list of tools, else those that past sessions used. */
const accessOf = (name: string, server: McpServerConfig, past: PastUse): { tools?: ToolAccess; note?: string } => {
  if (server.tools !== undefined) return { tools: server.tools }
  const used = toolsUsed(name, past)
  const before = `${past.sessions} past session${past.sessions === 1 ? '' : 's'} here`
  if (used.length > 0) return { tools: Object.fromEntries(used.map((tool) => [tool, true as const])), note: `The server ${name} has only the tools that ${before} used: ${used.join(', ')}. Add others to its tools.` }
  return past.sessions >= ENOUGH_SESSIONS ? { note: `The server ${name} was used in none of ${before}: take it out unless this agent needs it.` } : {}
}

/**
 * The servers of a project, as the user's own profile could hold them: without a credential in plain text, and a GitHub
 * server held to the project's own repository where it is not held to any; with the tools that were used before, where
 * that is known.
 */
export const proposeServers = (config: McpConfig, repository: string | null, modelKey: string, past: PastUse): ProposedServers => {
  const servers: Record<string, unknown> = {}
  const secrets: string[] = []
  const notes: string[] = []
  for (const [name, server] of Object.entries(config.mcpServers)) {
    const refusal = refusalOf(server)
    if (refusal !== null) {
      notes.push(`The server ${name} is left out: ${refusal}.`)
      continue
    }
    const given = server.type === 'stdio' ? server.env : (server.headers ?? {})
    const { values, moved } = withoutSecrets(name, given)
    if (server.type === 'stdio' && repository !== null && /github/i.test(name) && values['ALLOWED_REPOS'] === undefined) {
      values['ALLOWED_REPOS'] = repository
      notes.push(`The server ${name} is held to ${repository}, where this folder's origin is.`)
    }
    const items = Object.entries(values).filter(([variable]) => variable.endsWith('_SECRET')).map(([, item]) => item)
    if (items.includes(modelKey)) {
      notes.push(`The server ${name} is left out: it wants ${modelKey}, which is the model's key.`)
      continue
    }
    secrets.push(...items)
    const who = server.type === 'stdio' ? server.command : (/^\w+:\/\/([^/?#]*)/.exec(server.url)?.[1] ?? '')
    if (items.length > 0) notes.push(`The server ${name} (${who}) is given what the keychain has as ${items.join(', ')}.`)
    if (moved.length > 0) notes.push(`The server ${name} gets ${moved.join(', ')} from the keychain, not from the file.`)
    if (server.type === 'stdio' && RUNNERS.test(server.command) && !isPinned(server.args)) notes.push(`The server ${name} runs whatever version is newest; write name@version into its arguments.`)
    const filled = Object.keys(values).length > 0
    const { tools, note } = accessOf(name, server, past)
    if (note !== undefined) notes.push(note)
    const access = tools === undefined ? {} : { tools }
    servers[name] = server.type === 'stdio'
      ? { command: server.command, ...(server.args.length > 0 ? { args: server.args } : {}), ...(filled ? { env: values } : {}), ...access }
      : { type: server.type, url: server.url, ...(filled ? { headers: values } : {}), ...access }
  }
  return { servers, secrets: [...new Set(secrets)], notes }
}
