import { classifyTool } from '../classify/classify-tool.ts'
import { nameWords } from './spelling.ts'

/** One of `ALLOWED_ACTIONS`: `read`, `write`, a verb such as `comment`, a phrase such as `create_pr`, or a tool's name. */
export type AllowedActions = readonly string[]

/** Reads a list such as `read,create_pr,comment`. Null when it names nothing. */
export const parseAllowedActions = (list: string): AllowedActions | null => {
  const actions = list.split(/[\s,]+/).filter((part) => part !== '')
  return actions.length === 0 || actions.some((action) => nameWords(action) === null) ? null : actions
}

/** Words in one spelling: people write `pr`, servers `pull_request`. */
const plainWords = (name: string): string[] =>
  (nameWords(name) ?? [])
    .join(' ')
    .replaceAll(/\b(pull requests?|merge requests?|prs|mrs?)\b/g, 'pr')
    .replaceAll(/\b(open|new|add|post|submit)\b/g, 'create')
    .replaceAll(/\b(issue|comment|review|branch|file|repo)(s|es)\b/g, '$1')
    .split(' ')

/** Arguments by which one tool does several things: `issue_write` with `method: "create"`. */
const METHOD_ARGUMENTS = ['method', 'action', 'operation', 'command', 'mode']
/** Says that something is done, and not what. */
const VAGUE = /^(write|manage|execute|run|do|tool|op)$/

export const hasMethodArgument = (properties: readonly string[]): boolean =>
  properties.some((name) => METHOD_ARGUMENTS.includes(name.toLowerCase()))

const isSaying = (words: readonly string[]): boolean => words[0] === 'create' && words.at(-1) === 'comment'

const allows = (action: string, tool: string | null, words: readonly string[]): boolean => {
  if (action === tool) return true
  const wanted = plainWords(action)
  if (wanted.length === 1 && (wanted[0] === 'read' || wanted[0] === 'write')) {
    const found = classifyTool({ tool: `mcp__server__${words.join('_')}`, input: {} }).class
    return found === 'read' || (wanted[0] === 'write' && found === 'write')
  }
  if (wanted.join(' ') === words.join(' ')) return true
  // `comment` is `add_issue_comment` as well, and not `delete_comment`.
  return wanted.length === 1 && (wanted[0] === 'comment' ? isSaying(words) : words[0] === wanted[0] && words.length <= 2)
}

/**
 * Why a call is none of the allowed actions, or null when it is one. What a tool does is read from its name, and from
 * its method where it takes one; a name that says what it does is not overruled by a method.
 */
export const outsideActions = (allowed: AllowedActions, tool: string, input: Readonly<Record<string, unknown>>): string | null => {
  const methods = Object.entries(input).filter(([name]) => METHOD_ARGUMENTS.includes(name.toLowerCase())).map(([, value]) => value)
  if (methods.length > 1 || methods.some((method) => typeof method !== 'string')) return 'it says in more than one place what it does'
  const own = plainWords(tool)
  const [method] = methods as string[]
  const readings = method === undefined ? [own] : [[...plainWords(method), ...own.filter((word) => !VAGUE.test(word))]]
  if (method !== undefined && !own.some((word) => VAGUE.test(word) || word === 'read')) readings.push(own)
  const name = method === undefined ? tool : null
  const outside = readings.find((words) => !allowed.some((action) => allows(action, name, words)))
  return outside === undefined ? null : `${outside.join('_')} is none of the actions ${allowed.join(', ')}`
}
