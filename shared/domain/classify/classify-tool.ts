import type { ActionClass, Classification } from '../../contract/schemas/tool-call.ts'
import { classifyShell, type ShellContext } from './classify-shell.ts'
import { classifySql } from './classify-sql.ts'
import { destructive, type Finding, isStricter, read, shown, summarize, write } from './finding.ts'
import { judgeWrittenPath } from './paths.ts'

export interface ToolAction {
  /** The name policy rules know it by: `Bash`, `mcp__server__tool`. */
  readonly tool: string
  readonly input: unknown
  /** The session's folder; without it no path counts as outside the project. */
  readonly cwd?: string | undefined
  /** The agent's home folder, when known. */
  readonly home?: string | undefined
  /** The text of a file of the project; see ShellContext. */
  readonly readFile?: ShellContext['readFile']
}

/** Claude Code's tools that take no path and no command: what each means by itself. */
const PLAIN: Readonly<Record<string, Finding>> = {
  Read: read('reads a file'),
  Glob: read('lists files'),
  Grep: read('searches files'),
  LS: read('lists files'),
  NotebookRead: read('reads a notebook'),
  LSP: read('asks the language server'),
  WebFetch: read('fetches a page'),
  WebSearch: read('searches the web'),
  BashOutput: read("reads a command's output"),
  TaskOutput: read("reads a task's output"),
  Monitor: read('watches a command that runs already'),
  ListMcpResourcesTool: read('lists resources'),
  ReadMcpResourceTool: read('reads a resource'),
  ToolSearch: read('looks for tools'),
  AskUserQuestion: read('asks the user'),
  EnterPlanMode: read('starts to plan'),
  ExitPlanMode: read('shows its plan'),
  StructuredOutput: read('gives its answer'),
  TodoWrite: read("changes the agent's own list of tasks"),
  TaskCreate: read("changes the agent's own list of tasks"),
  TaskUpdate: read("changes the agent's own list of tasks"),
  TaskList: read("reads the agent's own list of tasks"),
  TaskGet: read("reads the agent's own list of tasks"),
  Skill: write('takes up a skill, whose calls are judged one by one'),
  SlashCommand: write('takes up a command, whose calls are judged one by one'),
  Task: write('starts a subagent, whose calls are judged one by one'),
  Agent: write('starts a subagent, whose calls are judged one by one'),
  SendMessage: write('sends a message to another agent'),
  KillShell: write('ends a command of its own'),
  KillBash: write('ends a command of its own'),
  TaskStop: write('ends a task of its own'),
  EnterWorktree: write('makes a working tree'),
}

const PATH_OF: Readonly<Record<string, string>> = {
  Write: 'file_path',
  Edit: 'file_path',
  MultiEdit: 'file_path',
  NotebookEdit: 'notebook_path',
}

const DESTRUCTIVE_VERBS = new Set((
  'delete remove drop destroy purge wipe truncate kill terminate revoke reset force erase uninstall disable ban deploy publish unpublish '
  + 'release merge pay transfer charge refund grant unlink clear cancel stop shutdown reboot restart rollback revert archive expire detach '
  + 'evict drain trash del rm flush empty withdraw buy purchase order sell void close rotate suspend deactivate block impersonate promote '
  + 'admin permission permissions iam role policy secret secrets'
).split(' '))
const READ_VERBS = new Set((
  'get list search read find query fetch describe show view count check status lookup browse resolve inspect explain summarize preview diff '
  + 'compare validate verify analyze analyse select tail head ls cat stat info help ping whoami who tree grep glob history log logs snapshot '
  + 'screenshot retrieve download export think sequentialthinking ask calculate convert parse poll watch wait discover schema recall load'
).split(' '))
const WRITE_VERBS = new Set((
  'create add update set write edit insert put post send save upload comment reply move rename copy append patch modify change assign label '
  + 'commit push open start build test click type fill navigate press hover drag scroll submit install import sync tag fork clone mark store '
  + 'remember resize launch select_option handle evaluate new make register subscribe upsert request invite generate draft schedule share '
  + 'attach link enable upgrade migrate apply trigger restore close_issue goto react'
).split(' '))
const RUN_VERBS = new Set('run execute exec eval shell command bash terminal sql script invoke call query'.split(' '))

const fieldsOf = (input: unknown): Record<string, unknown> =>
  typeof input === 'object' && input !== null && !Array.isArray(input) ? (input as Record<string, unknown>) : {}

const textIn = (fields: Record<string, unknown>, names: readonly string[]): string | null => {
  for (const name of names) {
    const value = fields[name]
    if (typeof value === 'string') return value
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.join(' ')
  }
  return null
}

const LOOKS_LIKE_SQL = /^\s*(--[^\n]*\n\s*|\/\*[\s\S]{0,2000}?\*\/\s*)*(select|with|insert|update|delete|drop|truncate|alter|create|grant|revoke|explain|show|do|call|merge|begin|exec\w*)\b/i

/** The words of a tool's name: `deleteUserById`, `delete-user`, `delete_user` → delete, user, … */
const wordsOf = (name: string): string[] =>
  name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase().split(/[^a-z0-9]+/).filter((word) => word !== '')

const classOfVerb = (word: string): ActionClass | null => {
  if (DESTRUCTIVE_VERBS.has(word)) return 'destructive'
  if (RUN_VERBS.has(word) && word !== 'query') return 'destructive'
  if (WRITE_VERBS.has(word)) return 'write'
  return READ_VERBS.has(word) ? 'read' : null
}

/** A tool of an MCP server: by the first verb of its name, the strictest where `and` joins several, and by SQL or commands it carries. */
const classifyMcpTool = (tool: string, fields: Record<string, unknown>, context: ShellContext): Classification => {
  const name = tool.split('__').slice(2).join('__')
  const words = wordsOf(name)
  const label = shown(tool)
  const sql = textIn(fields, ['sql', 'query', 'statement', 'statements', 'q'])
  if (sql !== null && LOOKS_LIKE_SQL.test(sql)) return classifySql(sql)
  const runs = words.some((word) => RUN_VERBS.has(word) && word !== 'query')
  const command = textIn(fields, ['command', 'cmd', 'commandLine', 'command_line', 'script', 'shell'])
  if (runs && command !== null && !/sql/.test(name)) {
    return summarize([write(`${label} runs a command`), ...toFindings(classifyShell(command, context))])
  }
  const method = textIn(fields, ['method', 'http_method', 'httpMethod', 'verb'])
  if (method !== null && /^delete$/i.test(method)) return summarize([destructive(`${label}: asks a server to delete`)])
  const classes = words.map(classOfVerb)
  const first = classes.find((found) => found !== null)
  if (first === undefined || first === null) return summarize([destructive(`${label}: its name does not say what it does`)])
  let strictest: ActionClass = first
  if (first !== 'read' || words.some((word) => /^(and|or|then)$/.test(word))) {
    for (const found of classes) if (found !== null && isStricter(found, strictest)) strictest = found
  }
  return { class: strictest, reasons: [`${label}: judged by its name`] }
}

/** A connection out of a closed network, as the proxy at its end sees it: what goes out cannot be taken back. */
const judgeConnection = ({ host, port, listed }: Record<string, unknown>): Finding => {
  const label = `${shown(String(host))}:${Number(port)}`
  return typeof listed === 'string' ? write(`reaches ${label}: ${listed}`) : destructive(`would reach ${label}, and can send there what the agent has read`)
}

/** A higher cap on what the model costs, as the gateway asks for it: money that is spent does not come back. */
const judgeSpend = ({ raise, to }: Record<string, unknown>): Finding => destructive(`would raise ${shown(String(raise))} to ${shown(String(to))}`)

const toFindings = ({ class: found, reasons }: Classification): Finding[] => reasons.map((reason) => ({ class: found, reason }))

/**
 * What a tool call does, from its name and input alone. Never throws. A tool that is not known, and an input that is
 * not as its tool takes it, are destructive.
 */
export const classifyTool = ({ tool, input, cwd, home, readFile }: ToolAction): Classification => {
  const fields = fieldsOf(input)
  if (tool === 'Bash') {
    const { command } = fields
    if (typeof command !== 'string') return summarize([destructive('Bash without a command')])
    return classifyShell(command, { cwd, home, readFile })
  }
  if (Object.hasOwn(PATH_OF, tool)) {
    const path = fields[PATH_OF[tool] ?? '']
    if (typeof path !== 'string' || path === '') return summarize([destructive(`${tool} without a path`)])
    return summarize([judgeWrittenPath(path, { projectFolder: cwd ?? null, folder: cwd ?? '.', home })])
  }
  if (tool === 'Spend') return summarize([judgeSpend(fields)])
  if (tool === 'Network') return summarize([judgeConnection(fields)])
  if (tool.startsWith('mcp__')) return classifyMcpTool(tool, fields, { cwd, home, readFile })
  const plain = Object.hasOwn(PLAIN, tool) ? PLAIN[tool] : undefined
  return summarize([plain ?? destructive(`a tool that is not known: ${shown(tool)}`)])
}

/** The built-in tools that are known by name. */
export const KNOWN_TOOLS: readonly string[] = ['Bash', 'Network', 'Spend', ...Object.keys(PATH_OF), ...Object.keys(PLAIN)]
