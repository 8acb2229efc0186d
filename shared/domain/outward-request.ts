import { isFields } from './json-fields.ts'

/** Tools that the provider runs, and that reach an address of the request's choice. A search does not: it stays. */
const REACHING_TOOL = /^(web_fetch|code_execution|mcp_toolset)/

/**
 * What of a Messages API request would make the provider reach an address that the request names, in words for the
 * agent; null when nothing does. By this way a session whose own network is closed could send anything anywhere.
 */
export const outwardPart = (request: unknown): string | null => {
  if (!isFields(request)) return null
  if (Array.isArray(request['mcp_servers']) && request['mcp_servers'].length > 0) return 'MCP servers that the provider would call'
  const tools = Array.isArray(request['tools']) ? (request['tools'] as unknown[]) : []
  const reaching = tools.find((tool) => isFields(tool) && typeof tool['type'] === 'string' && REACHING_TOOL.test(tool['type']))
  if (isFields(reaching)) return `the provider's tool ${String(reaching['type'])}`
  const stack: unknown[] = [request['messages'], request['system']]
  while (stack.length > 0) {
    const node = stack.pop()
    if (typeof node !== 'object' || node === null) continue
    if (isFields(node) && (node['type'] === 'image' || node['type'] === 'document') && isFields(node['source']) && node['source']['type'] === 'url') {
      return `an ${node['type'] === 'image' ? 'image' : 'address of a document'} that the provider would fetch`
    }
    for (const part of Object.values(node)) if (typeof part === 'object') stack.push(part)
  }
  return null
}
