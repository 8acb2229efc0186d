import { Client } from '@modelcontextprotocol/client'
import type {
  ClientCapabilities,
  Notification,
  Progress,
  Prompt,
  Request,
  Resource,
  ResourceTemplateType,
  Result,
  ServerCapabilities,
  Tool,
} from '@modelcontextprotocol/client'

/** What a server asks of the agent's side: to elicit, to sample, or for its roots. */
export type ServerQuestion = Request & { readonly method: 'elicitation/create' | 'sampling/createMessage' | 'roots/list' }

/** What one life of a server tells. */
export interface UpstreamEvents {
  onTools(tools: readonly Tool[]): void
  onResources(resources: readonly Resource[], templates: readonly ResourceTemplateType[]): void
  onPrompts(prompts: readonly Prompt[]): void
  /** A log message, a resource that was updated, an elicitation that was completed. */
  onNotification(notification: Notification): void
  onQuestion(question: ServerQuestion, signal: AbortSignal): Promise<Result>
}

export interface UpstreamClient {
  readonly client: Client
  /** By the token that the broker gave to the call. */
  readonly progressListeners: Map<string | number, (progress: Progress) => void>
  /** Lists all that the server has. To be called once, after connecting. */
  listAll(): Promise<void>
}

/** How long a server may take to refuse a request of the newer protocol; one over stdio that says nothing gets the older. */
const PROBE_TIMEOUT_MS = 5_000
const DEBOUNCE_MS = 50
const FORWARDED = ['notifications/message', 'notifications/resources/updated', 'notifications/elicitation/complete'] as const

/** Only what the agent itself can do is announced to its servers. */
const announced = ({ roots, sampling, elicitation }: ClientCapabilities): ClientCapabilities => ({
  ...(roots === undefined ? {} : { roots }),
  ...(sampling === undefined ? {} : { sampling }),
  ...(elicitation === undefined ? {} : { elicitation }),
})

/** An MCP client of either era for one life of a server, which speaks for an agent of these capabilities. */
export const createUpstreamClient = (version: string, agent: ClientCapabilities, events: UpstreamEvents): UpstreamClient => {
  const capabilities = announced(agent)
  const progressListeners: UpstreamClient['progressListeners'] = new Map()
  const listResources = async (): Promise<void> => {
    const has = client.getServerCapabilities()?.resources !== undefined
    const [{ resources }, { resourceTemplates }] = has
      ? await Promise.all([client.listResources(), client.listResourceTemplates().catch(() => ({ resourceTemplates: [] }))])
      : [{ resources: [] }, { resourceTemplates: [] }]
    events.onResources(resources, resourceTemplates)
  }
  const client = new Client(
    { name: 'holdfast', version },
    {
      capabilities,
      versionNegotiation: { mode: 'auto', probe: { timeoutMs: PROBE_TIMEOUT_MS } },
      listChanged: {
        tools: { debounceMs: DEBOUNCE_MS, onChanged: (_error, tools) => tools !== null && events.onTools(tools) },
        prompts: { debounceMs: DEBOUNCE_MS, onChanged: (_error, prompts) => prompts !== null && events.onPrompts(prompts) },
        resources: { debounceMs: DEBOUNCE_MS, autoRefresh: false, onChanged: () => void listResources().catch(() => {}) },
      },
    },
  )
  // The SDK's own `onprogress` drops a last notification that arrives together with the result.
  client.setNotificationHandler('notifications/progress', ({ params: { progressToken, ...progress } }) =>
    progressListeners.get(progressToken)?.(progress),
  )
  for (const method of FORWARDED) {
    client.setNotificationHandler(method, ({ params }) => events.onNotification({ method, params: params as Record<string, unknown> }))
  }
  const answer = (method: ServerQuestion['method']): void =>
    client.setRequestHandler(method, ({ params }: { params?: unknown }, { mcpReq }: { mcpReq: { signal: AbortSignal } }) =>
      events.onQuestion({ method, params: (params ?? {}) as Record<string, unknown> }, mcpReq.signal) as never,
    )
  if (capabilities.elicitation !== undefined) answer('elicitation/create')
  if (capabilities.sampling !== undefined) answer('sampling/createMessage')
  if (capabilities.roots !== undefined) answer('roots/list')

  return {
    client,
    progressListeners,
    listAll: async () => {
      const has: ServerCapabilities = client.getServerCapabilities() ?? {}
      await listResources()
      events.onPrompts(has.prompts === undefined ? [] : (await client.listPrompts()).prompts)
      events.onTools(has.tools === undefined ? [] : (await client.listTools()).tools)
    },
  }
}
