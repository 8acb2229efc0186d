import type { ToolAccess } from '../../contract/schemas/mcp-config.ts'
import { type AllowedActions, hasMethodArgument, outsideActions, parseAllowedActions } from './action-boundary.ts'
import { describeTest, passesTest } from './argument-test.ts'
import { type AllowedRepositories, outsideRepositories, parseAllowedRepositories } from './repository-boundary.ts'

/** A tool as its server defines it, as far as a boundary looks at it. */
export interface BoundedTool {
  readonly name: string
  /** Names of the arguments it declares. */
  readonly properties: readonly string[]
}

/** What a server may be used for, whatever its credential could do. */
export interface ServerBoundary {
  /** Whether an agent gets to see the tool. */
  shows(tool: BoundedTool): boolean
  /** Why a call is outside, for the agent and the record; null when it is inside. */
  outside(tool: BoundedTool, input: unknown): string | null
}

export interface BoundaryConfig {
  readonly env: Readonly<Record<string, string>>
  readonly tools: ToolAccess | undefined
  /** The session's folder. */
  readonly cwd: string
}

export type ParsedBoundary =
  | { readonly ok: true; /** null when nothing is bounded. */ readonly boundary: ServerBoundary | null }
  | { readonly ok: false; readonly problem: string }

const accessOf = (access: ToolAccess, name: string): ToolAccess[string] | null => {
  if (Object.hasOwn(access, name)) return access[name] ?? null
  const pattern = Object.keys(access).find((key) => key.endsWith('*') && name.startsWith(key.slice(0, -1)))
  return pattern === undefined ? null : (access[pattern] ?? null)
}

const createBoundary = (
  repositories: AllowedRepositories | null,
  actions: AllowedActions | null,
  { tools, cwd }: BoundaryConfig,
): ServerBoundary => ({
  shows: ({ name, properties }) => {
    if (tools !== undefined && accessOf(tools, name) === null) return false
    return actions === null || hasMethodArgument(properties) || outsideActions(actions, name, {}) === null
  },
  outside: ({ name, properties }, input) => {
    if (typeof input !== 'object' || input === null || Array.isArray(input)) return 'its arguments cannot be judged'
    const fields = input as Record<string, unknown>
    const undeclared = Object.keys(fields).find((field) => !properties.includes(field))
    // A server may ignore it, and then the call is not what it seems; or read it without saying so.
    if (undeclared !== undefined) return `it has an argument that ${name} does not declare`
    const access = tools === undefined ? true : accessOf(tools, name)
    if (access === null) return `${name} is not one of the tools that the profile lists`
    if (access !== true) {
      for (const [field, test] of Object.entries(access)) {
        if (!passesTest(test, Object.hasOwn(fields, field) ? fields[field] : undefined, cwd)) return `\`${field}\` ${describeTest(test)}`
      }
    }
    return (
      (actions === null ? null : outsideActions(actions, name, fields)) ??
      (repositories === null ? null : outsideRepositories(repositories, fields))
    )
  },
})

/** Reads what bounds a server: `ALLOWED_REPOS` and `ALLOWED_ACTIONS` of its environment, and the tools its entry lists. */
export const parseServerBoundary = (config: BoundaryConfig): ParsedBoundary => {
  const { ALLOWED_REPOS: repositoryList, ALLOWED_ACTIONS: actionList } = config.env
  const repositories = repositoryList === undefined ? null : parseAllowedRepositories(repositoryList)
  const actions = actionList === undefined ? null : parseAllowedActions(actionList)
  if (repositoryList !== undefined && repositories === null) {
    return { ok: false, problem: 'ALLOWED_REPOS must list repositories as owner/name, with commas between them' }
  }
  if (actionList !== undefined && actions === null) {
    return { ok: false, problem: 'ALLOWED_ACTIONS must list actions such as read,create_pr,comment, with commas between them' }
  }
  const isBounded = repositories !== null || actions !== null || config.tools !== undefined
  return { ok: true, boundary: isBounded ? createBoundary(repositories, actions, config) : null }
}
