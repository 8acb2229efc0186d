import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'
import { parseMcpConfig, type McpConfig } from '../../contract/schemas/mcp-config.ts'
import type { AgentProfile } from '../policy/agent-profile.ts'

const NONE: McpConfig = { mcpServers: {} }

/**
 * The MCP servers that the user's own profile names. They run outside every container, so a project's file cannot name
 * any: it comes with a clone, and the agent may write it. Throws HoldfastError `profile-invalid`.
 */
export const loadServers = async ({ servers }: AgentProfile): Promise<McpConfig> => {
  if (servers === null || servers.origin !== 'user') return NONE
  if (typeof servers.value !== 'string') return parseMcpConfig('the profile', JSON.stringify({ mcpServers: servers.value }))
  const file = resolve(servers.folder, servers.value)
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new HoldfastError('profile-invalid', `The profile names ${file} for its servers, and that cannot be read (${error.code ?? 'no reason given'}).`, { at: { file, field: 'servers' } })
  })
  return parseMcpConfig(file, text)
}
