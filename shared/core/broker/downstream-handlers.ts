import { ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server'
import type { Server } from '@modelcontextprotocol/server'
import type { DownstreamDeps } from './downstream-connection.ts'
import type { PlainAnswers } from './plain-calls.ts'
import type { Rounds } from './rounds.ts'
import type { UpstreamServer } from './upstream-server.ts'

/** What servers say of what they have is theirs, as results are: it passes the redactor. */
type HandlerDeps = Pick<DownstreamDeps, 'pipeline' | 'offers' | 'kept' | 'redactor' | 'startedCatalog'>

export const addToolHandlers = (server: Server, deps: HandlerDeps, rounds: Rounds, plain: PlainAnswers): void => {
  server.setRequestHandler('tools/list', async () => {
    const catalog = await deps.startedCatalog()
    return deps.redactor.json({ tools: [...catalog.values()].map((entry) => entry.tool) })
  })
  server.setRequestHandler('tools/call', ({ params }, context) => plain.outcomeOf(context.mcpReq.id) ?? rounds.serve(context, (request) => deps.pipeline.callTool(params, request)))
}

const serverOf = ({ offers }: HandlerDeps, uri: string): UpstreamServer => {
  const server = offers.serverOfUri(uri)
  if (server === null) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown resource: ${uri}`)
  return server
}

export const addResourceHandlers = (server: Server, deps: HandlerDeps, rounds: Rounds): void => {
  const { offers, pipeline, redactor } = deps
  server.setRequestHandler('resources/list', () => redactor.json({ resources: [...offers.resources(), ...deps.kept.list()] }))
  server.setRequestHandler('resources/templates/list', () => redactor.json({ resourceTemplates: offers.templates() }))
  // What is kept was judged and recorded as the result of its call.
  server.setRequestHandler('resources/read', ({ params }, context) =>
    deps.kept.read(params.uri) ?? rounds.serve(context, (request) => pipeline.read(serverOf(deps, params.uri), { method: 'resources/read', params }, request)),
  )
  if (offers.capabilities().resources?.subscribe !== true) return
  for (const method of ['resources/subscribe', 'resources/unsubscribe'] as const) {
    server.setRequestHandler(method, ({ params }, context) =>
      rounds.serve(context, (request) => pipeline.read(serverOf(deps, params.uri), { method, params }, request)) as Promise<Record<string, never>>,
    )
  }
}

const promptOf = ({ offers }: HandlerDeps, name: string) => {
  const prompt = offers.promptOf(name)
  if (prompt === null) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown prompt: ${name}`)
  return prompt
}

export const addPromptHandlers = (server: Server, deps: HandlerDeps, rounds: Rounds): void => {
  server.setRequestHandler('prompts/list', () => deps.redactor.json({ prompts: deps.offers.prompts() }))
  server.setRequestHandler('prompts/get', ({ params }, context) => {
    const prompt = promptOf(deps, params.name)
    return rounds.serve(context, (request) => deps.pipeline.read(prompt.server, { method: 'prompts/get', params: { ...params, name: prompt.name } }, request))
  })
}

export const addCompletionHandler = (server: Server, deps: HandlerDeps, rounds: Rounds): void => {
  server.setRequestHandler('completion/complete', ({ params }, context) => {
    const prompt = params.ref.type === 'ref/prompt' ? promptOf(deps, params.ref.name) : null
    const ref = prompt === null ? params.ref : { ...params.ref, name: prompt.name }
    const owner = prompt?.server ?? serverOf(deps, 'uri' in params.ref ? params.ref.uri : '')
    return rounds.serve(context, (request) =>
      deps.pipeline.read(owner, { method: 'completion/complete', params: { ...params, ref } }, request),
    ) as Promise<{ completion: { values: string[] } }>
  })
}

/** The level is for every server that logs; no gate: it says nothing to them. */
export const addLoggingHandler = (server: Server, deps: HandlerDeps, rounds: Rounds): void => {
  server.setRequestHandler('logging/setLevel', (asked, context) =>
    rounds.serve(context, async ({ signal, capabilities, origin }) => {
      const { level } = asked.params
      const loggers = deps.offers.serversWith('logging')
      await Promise.allSettled(loggers.map((upstream) => upstream.request({ method: 'logging/setLevel', params: { level } }, { signal, capabilities, origin })))
      return {}
    }) as Promise<Record<string, never>>,
  )
}
