import { createHash } from 'node:crypto'
import type { Tool } from '@modelcontextprotocol/server'
import { definitionHash } from './tool-pins.ts'
import type { Upstream } from './upstream-server.ts'

/** One tool as the agent sees it, and where it leads. */
export interface CatalogEntry {
  readonly upstream: Upstream
  /** The server's own name of the tool. */
  readonly name: string
  /** The name policy rules know it by. */
  readonly policyName: string
  /** The definition shown to the agent, under the name it has there. */
  readonly tool: Tool
  /** SHA-256 of the server's definition: an approval holds for this definition alone. */
  readonly definitionHash: string
  /** Why a call with this input is outside what the server may be used for; null when it is inside. */
  outside(input: unknown): string | null
}

/** By the name that the agent uses. */
export type ToolCatalog = ReadonlyMap<string, CatalogEntry>

/** The name of the broker towards the agent, and of its own tools in rules. */
export const BROKER_NAME = 'holdfast'

/** Agents prefix our names like this, and models take 64 characters of `A-Z a-z 0-9 _ -` at most. */
const MAX_NAME = 64 - `mcp__${BROKER_NAME}__`.length
const HASH_LENGTH = 8

/**
 * The name of a server's tool towards the agent: `server__tool`. Where that is too long or has characters that models
 * do not take, it is cut and replaced, with a hash of the whole at the end so that two tools never get one name.
 */
export const exposedToolName = (server: string, tool: string): string => {
  const whole = `${server}__${tool}`
  if (/^[A-Za-z0-9_-]+$/.test(whole) && whole.length <= MAX_NAME) return whole
  const hash = createHash('sha256').update(whole).digest('hex').slice(0, HASH_LENGTH)
  return `${whole.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, MAX_NAME - HASH_LENGTH - 1)}_${hash}`
}

/** All tools of all upstreams; where two claim one name, the first keeps it. */
export const buildToolCatalog = (upstreams: readonly Upstream[]): ToolCatalog => {
  const catalog = new Map<string, CatalogEntry>()
  for (const upstream of upstreams) {
    for (const definition of upstream.tools()) {
      // `execution` announces tasks, which the broker does not carry.
      const { execution: _, ...tool } = definition
      const name = upstream.name === BROKER_NAME ? tool.name : exposedToolName(upstream.name, tool.name)
      const bounded = { name: tool.name, properties: Object.keys(tool.inputSchema.properties ?? {}) }
      if (catalog.has(name) || upstream.boundary?.shows(bounded) === false) continue
      catalog.set(name, {
        upstream,
        name: tool.name,
        policyName: `mcp__${upstream.name}__${tool.name}`,
        tool: { ...tool, name },
        definitionHash: definitionHash(definition),
        outside: (input) => upstream.boundary?.outside(bounded, input) ?? null,
      })
    }
  }
  return catalog
}
