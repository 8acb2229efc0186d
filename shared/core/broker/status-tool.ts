import type { Upstream } from './upstream-server.ts'
import { BROKER_NAME } from './tool-catalog.ts'

/** The broker's own tool, `status`: with it an agent can learn its limits, and why a server is missing. */
export const createStatusTool = (read: () => Record<string, unknown>): Upstream => {
  const tools = [
    {
      name: 'status',
      title: 'Holdfast status',
      description: 'This session as Holdfast sees it: identity, usage, limits, and the state of each MCP server.',
      inputSchema: { type: 'object' as const, properties: {}, additionalProperties: false },
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
  ]
  return {
    name: BROKER_NAME,
    boundary: null,
    status: () => ({ name: BROKER_NAME, state: 'ready', message: null, tools: tools.length }),
    tools: () => tools,
    firstStart: Promise.resolve(),
    call: async () => ({ content: [{ type: 'text', text: JSON.stringify(read(), null, 2) }] }),
    close: async () => ({ killed: 0, survivors: [], durationMs: 0 }),
  }
}
