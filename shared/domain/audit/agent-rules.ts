import { visibleText } from '../visible-text.ts'
import { at, type AuditFinding, type FileKind, fieldsOf, type JsonPath, remove, set, type Source, textOf, textsOf } from './finding.ts'

interface Setting {
  readonly path: readonly string[]
  readonly is: (value: unknown) => boolean
  readonly fault: Pick<AuditFinding, 'rule' | 'severity' | 'threat' | 'what' | 'why'>
  /** What it is set to, where without it the program asks about as little. */
  readonly better?: string | boolean
}

const isOn = (value: unknown): boolean => value === true
const equals = (...wanted: readonly string[]) => (value: unknown): boolean => typeof value === 'string' && wanted.includes(value)

const unasked = (what: string): Setting['fault'] => ({ rule: 'bypass-mode', severity: 'high', threat: 'destructive actions', what, why: 'one wrong or injected step deletes or sends, and nobody sees it before' })
const open = (what: string): Setting['fault'] => ({ rule: 'sandbox-off', severity: 'high', threat: 'privilege escalation', what, why: 'its commands reach your keys and everything else of yours' })
const trusting = (what: string): Setting['fault'] => ({ rule: 'untrusted-runs', severity: 'medium', threat: 'prompt injection', what, why: 'opening a stranger\'s project is enough' })

const SETTINGS: Partial<Record<FileKind, readonly Setting[]>> = {
  codex: [
    { path: ['approval_policy'], is: equals('never'), fault: unasked('Codex asks about nothing'), better: 'on-request' },
    { path: ['sandbox_mode'], is: equals('danger-full-access'), fault: open('Codex runs commands without its sandbox'), better: 'workspace-write' },
    { path: ['shell_environment_policy', 'ignore_default_excludes'], is: isOn, fault: { rule: 'environment-passed', severity: 'medium', threat: 'data leak', what: 'Codex hands variables with KEY, SECRET and TOKEN in their name to its commands', why: 'any command can send them away' }, better: false },
  ],
  gemini: [
    { path: ['general', 'defaultApprovalMode'], is: equals('yolo', 'auto_edit_all'), fault: unasked('Gemini asks about nothing') },
    { path: ['tools', 'autoAccept'], is: isOn, fault: unasked('Gemini runs tools without asking') },
    { path: ['autoAccept'], is: isOn, fault: unasked('Gemini runs tools without asking') },
    { path: ['security', 'folderTrust', 'enabled'], is: (value) => value === false, fault: trusting('Gemini trusts every folder') },
  ],
  opencode: [
    { path: ['permission'], is: equals('allow'), fault: unasked('opencode asks about nothing'), better: 'ask' },
    { path: ['permission', '*'], is: equals('allow'), fault: unasked('opencode asks about nothing'), better: 'ask' },
    { path: ['permission', 'bash'], is: equals('allow'), fault: unasked('opencode runs any command without asking'), better: 'ask' },
    { path: ['permission', 'bash', '*'], is: equals('allow'), fault: unasked('opencode runs any command without asking'), better: 'ask' },
    { path: ['share'], is: equals('auto'), fault: { rule: 'auto-share', severity: 'medium', threat: 'data leak', what: 'opencode publishes every conversation', why: 'code and whatever it printed is then on a public page' } },
  ],
  'vscode-settings': [
    { path: ['chat.tools.autoApprove'], is: isOn, fault: unasked('the editor\'s agent runs every tool without asking') },
    { path: ['chat.tools.global.autoApprove'], is: isOn, fault: unasked('the editor\'s agent runs every tool without asking') },
    { path: ['claudeCode.allowDangerouslySkipPermissions'], is: isOn, fault: unasked('Claude Code in the editor may start without asking about anything') },
    { path: ['claudeCode.initialPermissionMode'], is: equals('bypassPermissions'), fault: unasked('Claude Code in the editor asks about nothing') },
    { path: ['security.workspace.trust.enabled'], is: (value) => value === false, fault: trusting('the editor trusts every folder') },
    { path: ['task.allowAutomaticTasks'], is: equals('on'), fault: trusting('tasks of a project run when it is opened') },
  ],
  zed: [
    { path: ['agent', 'always_allow_tool_actions'], is: isOn, fault: unasked('Zed\'s agent runs every tool without asking') },
    { path: ['agent', 'tool_permissions', 'default'], is: equals('allow'), fault: unasked('Zed\'s agent runs every tool without asking') },
  ],
  'claude-state': [
    { path: ['bypassPermissionsModeAccepted'], is: isOn, fault: { rule: 'bypass-prompt', severity: 'low', threat: 'destructive actions', what: 'the mode that asks about nothing was accepted for good', why: 'a flag in a script is then enough' } },
  ],
}

const WIDE_TERMINAL = /^(\/\.\*\/[a-z]*|\/\^?\.\*\$?\/[a-z]*|\*|rm|sudo|bash|sh|curl|wget|python3?|node|eval)$/

const inLists = (kind: FileKind, value: unknown): { path: JsonPath; what: string }[] => {
  if (kind === 'vscode-settings') {
    return Object.entries(fieldsOf(fieldsOf(value)['chat.tools.terminal.autoApprove']))
      .filter(([pattern, allowed]) => (allowed === true || fieldsOf(allowed)['approve'] === true) && WIDE_TERMINAL.test(pattern))
      .map(([pattern]) => ({ path: ['chat.tools.terminal.autoApprove', pattern], what: `the editor's agent runs commands like ${visibleText(pattern)} without asking` }))
      .concat(textsOf(fieldsOf(value)['windsurf.cascadeCommandsAllowList']).flatMap((pattern, index) =>
        WIDE_TERMINAL.test(pattern) ? [{ path: ['windsurf.cascadeCommandsAllowList', index] as never, what: `Windsurf runs commands like ${visibleText(pattern)} without asking` }] : []))
  }
  if (kind === 'cursor-cli') {
    return textsOf(at(value, 'permissions', 'allow')).flatMap((rule, index) =>
      /^(Shell\((\*|\*\*|rm|sudo|bash|sh|curl|python3?|node)\)|Write\(\*\*(\/\*)?\)|Mcp\(\*:\*\))$/.test(rule) ? [{ path: ['permissions', 'allow', index], what: `Cursor's agent may do ${visibleText(rule)} without asking` }] : [])
  }
  return []
}

/** Folders that Codex trusts whole. */
const codexTrust = (source: Source): AuditFinding[] =>
  Object.entries(fieldsOf(at(source.value, 'projects'))).flatMap(([folder, settings]) =>
    textOf(fieldsOf(settings)['trust_level']) === 'trusted' && /^(\/|\/(home|Users)(\/[^/]+)?)\/?$/.test(folder)
      ? [{ ...trusting(`Codex trusts everything below ${visibleText(folder)}`), line: source.lineOf(['projects', folder]), fix: 'set it to "untrusted", and trust projects one by one', mend: set(['projects', folder, 'trust_level'], 'untrusted'), of: ['projects', folder] }] : [])

const automaticTasks = (source: Source): AuditFinding[] => {
  const tasks = fieldsOf(source.value)['tasks']
  return (Array.isArray(tasks) ? tasks : []).flatMap((task: unknown, index) =>
    at(task, 'runOptions', 'runOn') === 'folderOpen'
      ? [{ rule: 'task-on-open', severity: 'high', threat: 'supply chain', line: source.lineOf(['tasks', index, 'runOptions']), what: 'a task runs as soon as the folder is opened', why: 'it came with a clone, and runs with all of your rights',
          fix: 'remove runOn, or read the task first', mend: remove(['tasks', index, 'runOptions', 'runOn']), of: ['tasks', index] } satisfies AuditFinding] : [])
}

/** What is wrong with an agent's or editor's own settings, beside its servers. */
export const auditAgentSettings = (kind: FileKind, source: Source): AuditFinding[] => {
  const settings = (SETTINGS[kind] ?? []).filter(({ path, is }) => is(at(source.value, ...path))).map(({ path, fault, better }): AuditFinding => ({
    ...fault, line: source.lineOf(path), of: path,
    ...(better === undefined ? { fix: `remove ${path.join('.')}`, mend: remove(path) } : { fix: `set ${path.join('.')} to ${JSON.stringify(better)}`, mend: set(path, better) }),
  }))
  const lists = inLists(kind, source.value).map(({ path, what }): AuditFinding => ({
    rule: 'wide-allow', severity: 'high', threat: 'privilege escalation', what, line: source.lineOf(path), why: 'what an agent reads can make it run that, unasked', fix: `remove ${path.join('.')}`, mend: remove(path), of: path,
  }))
  return [...settings, ...lists, ...(kind === 'codex' ? codexTrust(source) : []), ...(kind === 'vscode-tasks' ? automaticTasks(source) : [])]
}
