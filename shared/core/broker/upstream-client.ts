import { CLIENT_CAPABILITIES_META_KEY, Client, ProtocolError, SdkHttpError, isInputRequiredResult } from '@modelcontextprotocol/client'
import type {
  ClientCapabilities,
  Notification,
  Progress,
  Prompt,
  ProtocolEra,
  Request,
  RequestMethod,
  RequestOptions,
  Resource,
  ResourceTemplateType,
  Result,
  ResultTypeMap,
  ServerCapabilities,
  Tool,
  Transport,
} from '@modelcontextprotocol/client'
import { createPlainRequests } from './plain-calls.ts'
import type { PipeTransport } from './plain-calls.ts'

/** What a server asks of the agent's side: to elicit, to sample, or for its roots. */
export type ServerQuestion = Request & { readonly method: 'elicitation/create' | 'sampling/createMessage' | 'roots/list' }

/** The questions of one result of the newer protocol, by the server's own keys, and what came back for them. */
export type Questions = Readonly<Record<string, ServerQuestion>>
export type Answers = Readonly<Record<string, unknown>>

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
  /** Opens the connection. Rejects with what the SDK throws. */
  connect(options: RequestOptions): Promise<void>
  /** As the SDK's client does; also resolves with what the server still needs. */
  request(asked: { method: RequestMethod; params: Record<string, unknown> }, options: RequestOptions & { readonly signal: AbortSignal }): Promise<unknown>
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

/** Rounds of one request: whoever asks more often has a fault. */
const MAX_ROUNDS = 50

/** Whether a server has answered the older protocol's opening with an error, and so may speak only the newer. */
export const isRefusalOfTheOlder = (error: unknown): boolean => error instanceof ProtocolError || (error instanceof SdkHttpError && error.status === 400)

/** A request that says, where the protocol has that, what the agent behind this very one can do. */
export const speakingFor = <Method>(
  client: Client,
  request: { method: Method; params: Record<string, unknown> },
  capabilities: ClientCapabilities | null,
): { method: Method; params: Record<string, unknown> } => {
  if (capabilities === null || client.getProtocolEra() !== 'modern') return request
  const _meta = { ...(request.params['_meta'] as Record<string, unknown> | undefined), [CLIENT_CAPABILITIES_META_KEY]: announced(capabilities) }
  return { ...request, params: { ...request.params, _meta } }
}

/**
 * Makes a request, and makes it again with the answers as long as the server's result is that it needs some. Rejects with
 * what the SDK throws, and with what `ask` does.
 */
export const requestInRounds = async <Method extends RequestMethod>(
  { request }: Pick<UpstreamClient, 'request'>,
  { method, params }: { method: Method; params: Record<string, unknown> },
  options: RequestOptions & { readonly signal: AbortSignal },
  ask: (questions: Questions) => Promise<Answers>,
): Promise<ResultTypeMap[Method]> => {
  let answers: Record<string, unknown> = {}
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const result = await request({ method, params: { ...params, ...answers } }, options)
    if (!isInputRequiredResult(result)) return result as ResultTypeMap[Method]
    const { inputRequests, requestState } = result
    answers = {
      ...(inputRequests === undefined ? {} : { inputResponses: await ask(inputRequests as Questions) }),
      ...(requestState === undefined ? {} : { requestState }),
    }
  }
  throw new Error(`the server asked ${MAX_ROUNDS} times without an end`)
}

/**
 * An MCP client for one life of a server, which speaks for an agent of these capabilities, and in its era where the
 * server can: what the one era has and the other has not then reaches the agent.
 */
export const createUpstreamClient = (
  version: string,
  { agent, era, transport }: { agent: ClientCapabilities; era: ProtocolEra; transport: Transport | PipeTransport },
  events: UpstreamEvents,
): UpstreamClient => {
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
      versionNegotiation: era === 'legacy' ? { mode: 'legacy' } : { mode: 'auto', probe: { timeoutMs: PROBE_TIMEOUT_MS } },
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

  const plain = 'pid' in transport ? createPlainRequests(transport) : null
  return {
    client,
    connect: (options) => client.connect(plain?.transport ?? transport, options),
    request: (asked, options) =>
      plain !== null && asked.method === 'tools/call' && client.getProtocolEra() !== 'modern'
        ? plain.callTool(client, asked, options)
        : client.request(asked, { ...options, allowInputRequired: true }),
    progressListeners,
    listAll: async () => {
      const has: ServerCapabilities = client.getServerCapabilities() ?? {}
      await listResources()
      events.onPrompts(has.prompts === undefined ? [] : (await client.listPrompts()).prompts)
      events.onTools(has.tools === undefined ? [] : (await client.listTools()).tools)
    },
  }
}
