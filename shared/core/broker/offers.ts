import { UriTemplate } from '@modelcontextprotocol/client'
import type { Prompt, Resource, ResourceTemplateType, ServerCapabilities } from '@modelcontextprotocol/client'
import { exposedToolName } from './tool-catalog.ts'
import type { UpstreamServer } from './upstream-server.ts'

/** What the servers of a session have beside tools, together, and whose each of it is. */
export interface Offers {
  /** Only what some server of the session has, or the broker itself. */
  capabilities(): ServerCapabilities
  resources(): Resource[]
  templates(): ResourceTemplateType[]
  prompts(): Prompt[]
  /** Whose a resource is: who lists it, has shown it in a result, or has a template that fits; null when nobody. */
  serverOfUri(uri: string): UpstreamServer | null
  /** By the name that the agent uses; null when there is no such prompt. */
  promptOf(name: string): { readonly server: UpstreamServer; readonly name: string } | null
  /** Takes note of the resources that a server's result links to. */
  remember(serverName: string, result: { readonly content?: readonly unknown[] }): void
  readonly all: readonly UpstreamServer[]
  serversWith(capability: keyof ServerCapabilities): UpstreamServer[]
}

const MAX_REMEMBERED = 10_000

const matches = (template: string, uri: string): boolean => {
  try {
    return new UriTemplate(template).match(uri) !== null
  } catch {
    return false
  }
}

/** Of two servers with one URI, the first has it. A server that is held to anything offers its tools alone. */
export const createOffers = (all: readonly UpstreamServer[]): Offers => {
  const servers = all.filter((server) => server.boundary === null)
  const remembered = new Map<string, UpstreamServer>()
  const serversWith = (capability: keyof ServerCapabilities) => servers.filter((server) => server.offer().capabilities[capability] !== undefined)

  return {
    capabilities: () => {
      const resources = serversWith('resources')
      return {
        tools: { listChanged: true },
        // The broker has some of its own: see KeptResults.
        resources: { listChanged: true, ...(resources.some((server) => server.offer().capabilities.resources?.subscribe === true) ? { subscribe: true } : {}) },
        ...(serversWith('prompts').length === 0 ? {} : { prompts: { listChanged: true } }),
        ...(serversWith('completions').length === 0 ? {} : { completions: {} }),
        ...(serversWith('logging').length === 0 ? {} : { logging: {} }),
      }
    },
    resources: () => {
      const byUri = new Map<string, Resource>()
      for (const resource of servers.flatMap((server) => server.offer().resources)) if (!byUri.has(resource.uri)) byUri.set(resource.uri, resource)
      return [...byUri.values()]
    },
    templates: () => servers.flatMap((server) => server.offer().templates),
    prompts: () =>
      servers.flatMap((server) => server.offer().prompts.map((prompt) => ({ ...prompt, name: exposedToolName(server.name, prompt.name) }))),
    serverOfUri: (uri) =>
      servers.find((server) => server.offer().resources.some((resource) => resource.uri === uri)) ??
      servers.find((server) => server.offer().templates.some(({ uriTemplate }) => uriTemplate === uri || matches(uriTemplate, uri))) ??
      remembered.get(uri) ??
      null,
    promptOf: (name) => {
      for (const server of servers) {
        const prompt = server.offer().prompts.find((one) => exposedToolName(server.name, one.name) === name)
        if (prompt !== undefined) return { server, name: prompt.name }
      }
      return null
    },
    remember: (serverName, { content }) => {
      const server = servers.find(({ name }) => name === serverName)
      if (server === undefined) return
      for (const block of content ?? []) {
        const { uri, resource } = block as { uri?: unknown; resource?: { uri?: unknown } }
        const found = uri ?? resource?.uri
        if (typeof found === 'string' && remembered.size < MAX_REMEMBERED && !remembered.has(found)) remembered.set(found, server)
      }
    },
    all: servers,
    serversWith,
  }
}
