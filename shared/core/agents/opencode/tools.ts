import { isFields } from '../../../domain/json-fields.ts'
import { type Canonical, patchAsEdit, renamed, runsInProject } from '../canonical-call.ts'

/** The server's name in opencode's own names of its tools. */
const BROKER_TOOLS = 'holdfast_'

export const isBrokered = (tool: string): boolean => tool.startsWith(BROKER_TOOLS)

const NAMES: Readonly<Record<string, string>> = {
  glob: 'Glob',
  grep: 'Grep',
  list: 'LS',
  webfetch: 'WebFetch',
  websearch: 'WebSearch',
  todowrite: 'TodoWrite',
  todoread: 'TaskList',
  task: 'Task',
  skill: 'Skill',
  question: 'AskUserQuestion',
}
const WITH_PATH: Readonly<Record<string, string>> = { read: 'Read', edit: 'Edit', write: 'Write', multiedit: 'MultiEdit' }

/** opencode 1.18's tools. */
export const canonical: Canonical = (tool, input, cwd) => {
  const as = { tool, input }
  if (!isFields(input)) return as
  if (tool === 'bash') return runsInProject(input['workdir'], cwd) ? { tool: 'Bash', input } : as
  if (tool === 'apply_patch') return patchAsEdit(input['patchText'], cwd) ?? as
  const withPath = Object.hasOwn(WITH_PATH, tool) ? WITH_PATH[tool] : undefined
  if (withPath !== undefined) return { tool: withPath, input: renamed(input, 'filePath', 'file_path') }
  return { tool: (Object.hasOwn(NAMES, tool) ? NAMES[tool] : undefined) ?? tool, input }
}
