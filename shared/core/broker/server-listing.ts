import type { Prompt, Resource, ResourceTemplateType, ServerCapabilities, Tool } from '@modelcontextprotocol/client'

/** What a server has beside its tools, as last listed. */
export interface UpstreamOffer {
  readonly capabilities: ServerCapabilities
  readonly resources: readonly Resource[]
  readonly templates: readonly ResourceTemplateType[]
  readonly prompts: readonly Prompt[]
}

/** What of a server's lists is kept, as long as it exists. */
export interface ServerListing {
  /** Those that may be used. */
  tools(): readonly Tool[]
  /** Returns what is wrong with them, for a person; null when nothing is. */
  takeTools(listed: readonly Tool[]): string | null
  /** The same for what was listed last. */
  reviewTools(): string | null
  offer(): UpstreamOffer
  /** A new life of the server: what it had beside tools is forgotten. */
  begin(capabilities: ServerCapabilities): void
  takeResources(resources: readonly Resource[], templates: readonly ResourceTemplateType[]): void
  takePrompts(prompts: readonly Prompt[]): void
}

const MAX_TOOLS = 1_000
/** Resources, templates and prompts that are kept of one server. */
const MAX_LISTED = 10_000
/** What a person can read in a question and write in a rule: no space, no invisible character. */
const TOOL_NAME = /^[\x21-\x7e]{1,128}$/

export const NO_OFFER: UpstreamOffer = { capabilities: {}, resources: [], templates: [], prompts: [] }

/** `admit` gives those tools that may be used; where it fails, none may: there is no record then of what was accepted. */
export const createServerListing = (admit: (tools: readonly Tool[]) => readonly Tool[]): ServerListing => {
  let offered: readonly Tool[] = []
  let tools: readonly Tool[] = []
  let offer = NO_OFFER
  let left = 0

  const reviewTools = (): string | null => {
    try {
      tools = admit(offered)
    } catch (error) {
      tools = []
      return `its tools cannot be checked (${error instanceof Error ? error.message : String(error)})`
    }
    const held = offered.length - tools.length
    const limits = `a name may be 128 plain characters long, and a server may have ${MAX_TOOLS} tools`
    const problems = [
      ...(left === 0 ? [] : [`${left} of its tools are left out: ${limits}`]),
      ...(held === 0 ? [] : [`${held} of its tools are stopped until the user has looked at them (holdfast servers)`]),
    ]
    return problems.length === 0 ? null : problems.join('; ')
  }

  return {
    tools: () => tools,
    takeTools: (listed) => {
      offered = listed.filter((tool) => TOOL_NAME.test(tool.name)).slice(0, MAX_TOOLS)
      left = listed.length - offered.length
      return reviewTools()
    },
    reviewTools,
    offer: () => offer,
    begin: (capabilities) => {
      offer = { ...NO_OFFER, capabilities }
    },
    takeResources: (resources, templates) => {
      offer = { ...offer, resources: resources.slice(0, MAX_LISTED), templates: templates.slice(0, MAX_LISTED) }
    },
    takePrompts: (prompts) => {
      offer = { ...offer, prompts: prompts.slice(0, MAX_LISTED) }
    },
  }
}
