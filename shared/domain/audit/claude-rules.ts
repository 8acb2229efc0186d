import { visibleText } from '../visible-text.ts'
import { at, type AuditFinding, fieldsOf, type JsonPath, remove, type Source, textOf, textsOf } from './finding.ts'

type Fault = Omit<AuditFinding, 'line' | 'mend'> & { readonly path: JsonPath }

const WIDE_RULES = new Set(['*', 'Bash', 'Bash(*)', 'Bash(:*)', 'WebFetch', 'WebFetch(*)', 'WebFetch(domain:*)', 'Write', 'Edit', 'Write(*)', 'Edit(*)', 'mcp__*'])
const WIDE_PROGRAM = /^Bash\((sudo|su|sh|bash|zsh|eval|exec|env|xargs|python3?|node|perl|ruby|npx|bunx|uvx|curl|wget|ssh|rm|docker|kubectl|aws|gcloud|terraform|chmod|git push|git reset|git push --force|git reset --hard|find)( ?:?\*)\)$/
const WIDE_PATH = /^(Read|Edit|Write)\((\/\/|~)\/?(\*\*?)?(\/\*)?\)$/

/** Whether a rule lets through what could be anything. */
export const isWideRule = (rule: string): boolean => WIDE_RULES.has(rule) || WIDE_PROGRAM.test(rule) || WIDE_PATH.test(rule)

const RISKY_HOOK = /(curl|wget)\b.{0,300}\|\s{0,5}\w{0,8}sh\b|\/tmp\/|base64\s+(-d|--decode)|\bnc\s/

/** Claude Code and Gemini group an event's hooks, Cursor lists them. */
const hookCommands = (hooks: unknown): { command: string; path: JsonPath }[] =>
  Object.entries(fieldsOf(hooks)).flatMap(([event, groups]) =>
    (Array.isArray(groups) ? groups : []).flatMap((group: unknown, index) => {
      const list = fieldsOf(group)['hooks']
      const own = textOf(fieldsOf(group)['command'])
      return own !== '' ? [{ command: own, path: ['hooks', event, index] }] : (Array.isArray(list) ? list : []).map((hook: unknown, place) => ({ command: textOf(fieldsOf(hook)['command']), path: ['hooks', event, index, 'hooks', place] }))
    })).filter(({ command }) => command !== '')

const isElsewhere = (url: string): boolean => url !== '' && !/^https:\/\/([\w-]+\.)*anthropic\.com(\/|$)|^https?:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])([:/]|$)/i.test(url)

/** Whether a model address sends what an agent says to somebody else. */
export const isForeignModelAddress = isElsewhere

const permissionFaults = (settings: unknown): Fault[] => {
  const faults: Fault[] = []
  const mode = textOf(at(settings, 'permissions', 'defaultMode'))
  if (mode === 'bypassPermissions' || mode === 'dontAsk') {
    faults.push({ rule: 'bypass-mode', severity: 'high', threat: 'destructive actions', path: ['permissions', 'defaultMode'], what: `Claude Code starts in ${mode}: it asks about nothing`,
      why: 'one wrong or injected step deletes or sends, and nobody sees it before', fix: 'remove permissions.defaultMode' })
  }
  if (fieldsOf(settings)['skipDangerousModePermissionPrompt'] === true) {
    faults.push({ rule: 'bypass-prompt', severity: 'medium', threat: 'destructive actions', path: ['skipDangerousModePermissionPrompt'], what: 'the warning before the mode that asks about nothing is off',
      why: 'a flag in a script is then enough', fix: 'remove skipDangerousModePermissionPrompt' })
  }
  textsOf(at(settings, 'permissions', 'allow')).forEach((rule, index) => {
    if (isWideRule(rule)) {
      faults.push({ rule: 'wide-allow', severity: 'high', threat: 'privilege escalation', path: ['permissions', 'allow', index], what: `the rule ${visibleText(rule).slice(0, 100)} lets through what could be anything`,
        why: 'what an agent reads can make it run that, unasked', fix: 'remove the rule, or name the whole command' })
    }
  })
  textsOf(at(settings, 'permissions', 'additionalDirectories')).forEach((folder, index) => {
    if (/^(\/|~\/?|\/(home|Users)(\/[^/]+)?\/?|\/etc\/?)$/.test(folder)) {
      faults.push({ rule: 'wide-folder', severity: 'medium', threat: 'privilege escalation', path: ['permissions', 'additionalDirectories', index], what: `the agent may work in all of ${visibleText(folder)}`,
        why: 'keys and other projects lie there', fix: 'name the folder it needs' })
    }
  })
  return faults
}

const hookFaults = (settings: unknown, scope: 'user' | 'project'): Fault[] => {
  const faults: Fault[] = []
  for (const { command, path } of hookCommands(fieldsOf(settings)['hooks'])) {
    if (scope === 'project' || RISKY_HOOK.test(command)) {
      faults.push({ rule: 'hook', severity: RISKY_HOOK.test(command) ? 'high' : 'medium', threat: 'supply chain', path,
        what: `a hook runs a command on your machine, ${scope === 'project' ? 'by the word of the project' : 'fetched or from where anyone writes'}`, why: 'it runs unasked, with all of your rights', fix: 'read it, and remove the hook unless you wrote it; it then runs no more' })
    }
  }
  return faults
}

const runFaults = (settings: unknown, scope: 'user' | 'project'): Fault[] => {
  const faults = hookFaults(settings, scope)
  if (scope === 'project') {
    for (const key of ['apiKeyHelper', 'awsAuthRefresh', 'awsCredentialExport', 'otelHeadersHelper', 'statusLine']) {
      if (key in fieldsOf(settings)) {
        faults.push({ rule: 'project-command', severity: key === 'statusLine' ? 'medium' : 'high', threat: 'supply chain', path: [key], what: `${key}: the project runs a command on your machine`,
          why: 'it came with a clone, and runs unasked', fix: `remove ${key}` })
      }
    }
  }
  if (fieldsOf(settings)['enableAllProjectMcpServers'] === true) {
    faults.push({ rule: 'all-project-servers', severity: 'high', threat: 'supply chain', path: ['enableAllProjectMcpServers'], what: 'every server that a project names is started unasked',
      why: 'a clone runs code as soon as an agent starts in it', fix: 'remove enableAllProjectMcpServers' })
  }
  if (fieldsOf(settings)['disableAllHooks'] === true) {
    faults.push({ rule: 'hooks-off', severity: 'medium', threat: 'destructive actions', path: ['disableAllHooks'], what: 'all hooks are off', why: 'what watches the agent through them sees nothing', fix: 'remove disableAllHooks' })
  }
  for (const key of ['ANTHROPIC_BASE_URL', 'HTTPS_PROXY']) {
    if (isElsewhere(textOf(at(settings, 'env', key))) && (key === 'ANTHROPIC_BASE_URL' || scope === 'project')) {
      faults.push({ rule: 'model-elsewhere', severity: scope === 'project' ? 'high' : 'medium', threat: 'data leak', path: ['env', key], what: `${key} sends what the agent says, and its key, to another address`,
        why: 'who is there reads your code and answers as the model', fix: `remove ${key}, unless that address is yours` })
    }
  }
  return faults
}

const findingsOf = (source: Source, faults: readonly Fault[]): AuditFinding[] => faults.map(({ path, ...fault }) => ({ ...fault, line: source.lineOf(path), of: path, mend: remove(path) }))

/** Hooks in the settings of any agent that has them. */
export const auditHooks = (source: Source, scope: 'user' | 'project'): AuditFinding[] => findingsOf(source, hookFaults(source.value, scope))

/** What is wrong with Claude Code's settings, of the user or of a project. */
export const auditClaudeSettings = (source: Source, scope: 'user' | 'project'): AuditFinding[] => findingsOf(source, [...permissionFaults(source.value), ...runFaults(source.value, scope)])
