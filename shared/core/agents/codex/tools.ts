import { isFields } from '../../../domain/json-fields.ts'
import { type Canonical, patchAsEdit, renamed, runsInProject } from '../canonical-call.ts'

export const isBrokered = (tool: string): boolean => tool.startsWith('mcp__holdfast__')

/** Of a shell call, what changes which program reads the command. */
const HAS_OWN_SHELL = ['shell', 'login', 'sandbox_permissions', 'with_escalated_permissions']

/** Codex 0.169's tools. */
export const canonical: Canonical = (tool, input, cwd) => {
  const as = { tool, input }
  if (!isFields(input)) return as
  if (tool === 'exec_command') {
    const isPlain = typeof input['cmd'] === 'string' && runsInProject(input['workdir'], cwd) && HAS_OWN_SHELL.every((name) => input[name] == null)
    return isPlain ? { tool: 'Bash', input: renamed(input, 'cmd', 'command') } : as
  }
  if (tool === 'shell' || tool === 'local_shell') {
    const { command } = input
    const [shell, flag, script, ...rest] = Array.isArray(command) ? (command as unknown[]) : []
    const isScript = (shell === 'bash' || shell === 'sh') && (flag === '-lc' || flag === '-c') && typeof script === 'string' && rest.length === 0
    return isScript && runsInProject(input['workdir'], cwd) ? { tool: 'Bash', input: { ...input, command: script } } : as
  }
  if (tool === 'write_stdin') return input['chars'] === '' || input['chars'] == null ? { tool: 'BashOutput', input } : as
  if (tool === 'apply_patch') return patchAsEdit(input['input'] ?? input['patch'], cwd) ?? as
  if (tool === 'view_image') return { tool: 'Read', input: renamed(input, 'path', 'file_path') }
  if (tool === 'update_plan' || tool === 'update_goal' || tool === 'create_goal') return { tool: 'TodoWrite', input }
  if (tool === 'get_goal') return { tool: 'TaskList', input }
  if (tool === 'tool_search') return { tool: 'ToolSearch', input }
  if (tool === 'request_user_input') return { tool: 'AskUserQuestion', input }
  return as
}
