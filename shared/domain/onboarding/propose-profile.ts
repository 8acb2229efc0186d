import { stringify } from 'yaml'
import type { McpConfig } from '../../contract/schemas/mcp-config.ts'
import { visibleText } from '../visible-text.ts'
import type { Boundary } from './boundaries.ts'
import { type ActionFacts, meaningOf, type SampleCall } from './known-actions.ts'
import type { PastUse } from './past-use.ts'
import { proposeServers } from './propose-servers.ts'

/** What a project says of itself. */
export interface ProjectFacts {
  /** Name of its folder. */
  readonly name: string
  readonly boundaries: readonly Boundary[]
  readonly mcp: McpConfig
  readonly packageManager: string | null
  readonly scripts: readonly string[]
  /** `owner/name` of its origin, where that is on GitHub. */
  readonly repository: string | null
  /** The keychain item of the model's key, which no server gets. */
  readonly modelKey: string
  readonly past: PastUse
}

export interface BoundaryProposal {
  readonly boundary: Boundary
  /** Null where nothing here knows what it means. */
  readonly samples: readonly SampleCall[] | null
}

export interface Proposal {
  readonly agent: string
  /** Text of `profiles/NAME.yaml`: what needs the user's own word. */
  readonly userText: string
  /** Text of the project's `holdfast.yaml`, which only tightens. */
  readonly projectText: string
  readonly boundaries: readonly BoundaryProposal[]
  /** Keychain items to fill. */
  readonly secrets: readonly string[]
  readonly notes: readonly string[]
}

const USUAL_SPEND_USD = 5
const MICRO = 1_000_000
const LIMITS = { toolCallsPerMinute: 60, modelRequestsPerMinute: 60, reviewEvery: { minutes: 60 } }

/** Twice what the dearest session cost, in whole dollars: room for a long day, and an end to a runaway. */
const spendCapOf = ({ dearestMicroUsd }: PastUse): number => (dearestMicroUsd === null ? USUAL_SPEND_USD : Math.min(1_000, Math.max(1, Math.ceil((2 * dearestMicroUsd) / MICRO))))

const spendNotes = ({ dearestMicroUsd, sessions }: PastUse, cap: number): string[] =>
  dearestMicroUsd === null ? [] : [`The spend cap is $${cap}: the dearest of ${sessions} past session${sessions === 1 ? '' : 's'} here came to about $${(dearestMicroUsd / MICRO).toFixed(2)} at list price.`]

const slug = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '')

/** The agent that a folder's name proposes. */
export const proposedAgent = (folder: string): string => `claude-${slug(folder) || 'project'}`.slice(0, 64).replace(/-+$/, '')

const comment = (text: string): string => `# ${visibleText(text).replaceAll(/\s+/g, ' ').slice(0, 200)}`

const projectTextOf = (asked: readonly { readonly boundary: Boundary; readonly ask: readonly string[] }[], spendUsd: number): string => {
  const lines = ['# Made by "holdfast init". A project\'s file can only tighten what your own profile allows.']
  const seen = new Set<string>()
  const rules: string[] = []
  for (const { boundary, ask } of asked) {
    const fresh = ask.filter((rule) => !seen.has(rule))
    fresh.forEach((rule) => seen.add(rule))
    rules.push(`    ${comment(`${boundary.file}:${boundary.line}: ${boundary.text}`)}`)
    if (fresh.length === 0) rules.push('    # (asked about by what such a call does, without a rule)')
    rules.push(...fresh.map((rule) => `    - ${JSON.stringify(rule)}`))
  }
  if (seen.size > 0) lines.push('policy:', '  ask:', ...rules)
  return `${[...lines, 'network: allowlist', `limits: { spendUsd: ${spendUsd} }`].join('\n')}\n`
}

const userTextOf = (agent: string, folder: string, servers: Readonly<Record<string, unknown>>, spendUsd: number): string => {
  const profile = {
    agent,
    command: ['claude'],
    identity: { git: { name: `Claude (${agent})`, email: `${agent}@agents.invalid` } },
    ...(Object.keys(servers).length > 0 ? { servers } : {}),
    limits: { spendUsd, ...LIMITS },
  }
  return `${comment(`Made by "holdfast init" for the folder ${folder}. Start it: holdfast run --profile ${agent} -- claude`)}\n${stringify(profile, { lineWidth: 0 })}`
}

/**
 * A governed profile for a project, from what lies there: the part that only tightens, for the project itself, and the
 * part that needs the user's word. Nothing that the project allows lifts a question.
 */
export const proposeProfile = (facts: ProjectFacts, name?: string): Proposal => {
  const agent = name ?? proposedAgent(facts.name)
  const { servers, secrets, notes } = proposeServers(facts.mcp, facts.repository, facts.modelKey, facts.past)
  const spendUsd = spendCapOf(facts.past)
  const actions: ActionFacts = { packageManager: facts.packageManager, scripts: facts.scripts, servers: Object.keys(servers) }
  const meanings = facts.boundaries.map((boundary) => ({ boundary, meaning: meaningOf(boundary, actions) }))
  return {
    agent,
    userText: userTextOf(agent, facts.name, servers, spendUsd),
    projectText: projectTextOf(meanings.flatMap(({ boundary, meaning }) => (meaning === null || (boundary.kind === 'allowed' && meaning.ask.length === 0) ? [] : [{ boundary, ask: meaning.ask }])), spendUsd),
    boundaries: meanings.map(({ boundary, meaning }) => ({ boundary, samples: meaning?.samples ?? null })),
    secrets,
    notes: [...notes, ...spendNotes(facts.past, spendUsd)],
  }
}
