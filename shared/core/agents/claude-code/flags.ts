/**
 * What a flag of Claude Code takes: nothing, one value, an optional value, or all values up to the next flag.
 * Checked against `claude --help` of 2.1.330.
 */
type Arity = 'none' | 'one' | 'optional' | 'many'

/** Flags that pass through: none of them loosens what Holdfast put in place. */
const ALLOWED: Readonly<Record<string, Arity>> = {
  '--add-dir': 'many',
  '--agent': 'one',
  '--allowedTools': 'many',
  '--allowed-tools': 'many',
  '--append-system-prompt': 'one',
  '--append-system-prompt-file': 'one',
  '--autocompact': 'one',
  '--ax-screen-reader': 'none',
  '--betas': 'many',
  '--brief': 'none',
  '--continue': 'none',
  '--debug': 'optional',
  '--disable-slash-commands': 'none',
  '--disallowedTools': 'many',
  '--disallowed-tools': 'many',
  '--effort': 'one',
  '--exclude-dynamic-system-prompt-sections': 'none',
  '--fallback-model': 'one',
  '--fork-session': 'none',
  '--forward-subagent-text': 'none',
  '--help': 'none',
  '--include-hook-events': 'none',
  '--include-partial-messages': 'none',
  '--input-format': 'one',
  '--json-schema': 'one',
  '--max-budget-usd': 'one',
  '--max-turns': 'one',
  '--model': 'one',
  '--name': 'one',
  '--no-chrome': 'none',
  '--no-session-persistence': 'none',
  '--output-format': 'one',
  '--permission-mode': 'one',
  '--print': 'none',
  '--prompt-suggestions': 'optional',
  '--replay-user-messages': 'none',
  '--restricted': 'none',
  '--resume': 'optional',
  '--session-id': 'one',
  '--system-prompt': 'one',
  '--system-prompt-file': 'one',
  '--system-prompt-snapshot': 'one',
  '--tools': 'many',
  '--verbose': 'none',
  '--version': 'none',
}

const SHORT: Readonly<Record<string, string>> = {
  '-p': '--print',
  '-c': '--continue',
  '-r': '--resume',
  '-n': '--name',
  '-d': '--debug',
  '-h': '--help',
  '-v': '--version',
}

const MCP_REASON = 'MCP servers reach the agent through Holdfast\'s broker alone; add the server to .mcp.json or to the profile instead'
const HOOKS_REASON = 'it would switch off the hooks through which Holdfast is asked about every tool call'
const SETTINGS_REASON = 'settings given here would replace those that hold the session'
const OUTSIDE_REASON = 'the work would go on outside the session, where Holdfast cannot see or stop it'
const ASKING_REASON = 'Holdfast answers the permission questions of this session'
const PLUGIN_REASON = 'a plugin\'s hooks run commands that no one is asked about'

/** Flags that would open a hole, each with the reason the user is told. */
const REFUSED: Readonly<Record<string, string>> = {
  '--agents': 'agents defined on the command line can carry hooks that no one is asked about; put them in .claude/agents',
  '--allow-dangerously-skip-permissions': 'every tool call of this session is asked about',
  '--background': OUTSIDE_REASON,
  '--bare': HOOKS_REASON,
  '--bg': OUTSIDE_REASON,
  '-w': 'the work tree would be made outside the folder that is kept for revert; make it first and run there',
  '--worktree': 'the work tree would be made outside the folder that is kept for revert; make it first and run there',
  '--chrome': OUTSIDE_REASON,
  '--cloud': OUTSIDE_REASON,
  '--dangerously-skip-permissions': 'every tool call of this session is asked about',
  '--desktop': OUTSIDE_REASON,
  '--environment': OUTSIDE_REASON,
  '--ide': OUTSIDE_REASON,
  '--managed-settings': SETTINGS_REASON,
  '--mcp-config': MCP_REASON,
  '--permission-prompt-tool': ASKING_REASON,
  '--permission-prompts': ASKING_REASON,
  '--plugin-dir': PLUGIN_REASON,
  '--plugin-url': PLUGIN_REASON,
  '--remote-control': OUTSIDE_REASON,
  '--safe-mode': HOOKS_REASON,
  '--setting-sources': SETTINGS_REASON,
  '--settings': SETTINGS_REASON,
  '--strict-mcp-config': MCP_REASON,
  '--teleport': OUTSIDE_REASON,
  '--tmux': OUTSIDE_REASON,
}

const PERMISSION_MODES = ['manual', 'plan', 'acceptEdits']

/** Subcommands of Claude Code that run inside a session; the others change this machine or work outside it. */
const SUBCOMMANDS_ALLOWED = ['auth', 'doctor', 'setup-token']
const SUBCOMMANDS_REFUSED = [
  'agents', 'attach', 'auto-mode', 'daemon', 'gateway', 'import', 'install', 'kill', 'logs', 'mcp', 'plugin', 'plugins', 'purge',
  'remote-control', 'respawn', 'rm', 'stop', 'ultrareview', 'update', 'upgrade',
]

export type FlagCheck =
  | { readonly ok: true; readonly setsPermissionMode: boolean; readonly subcommand: string | null; readonly extraFolders: readonly string[] }
  | { readonly ok: false; readonly flag: string; readonly reason: string }

const refuse = (flag: string, reason: string): FlagCheck => ({ ok: false, flag, reason })

/**
 * Judges the arguments a user gave to `claude`. Closed: a flag that is not known to be harmless is refused,
 * so that a new version of Claude Code cannot bring a hole with it.
 */
export const checkFlags = (args: readonly string[]): FlagCheck => {
  let setsPermissionMode = false
  let subcommand: string | null = null
  const extraFolders: string[] = []
  let words = 0
  for (let i = 0; i < args.length; i += 1) {
    const arg = args[i] ?? ''
    if (arg === '--') break
    if (!arg.startsWith('-') || arg === '-') {
      words += 1
      if (words === 1) {
        if (SUBCOMMANDS_REFUSED.includes(arg)) return refuse(arg, 'this command of Claude Code works outside a session; run it without Holdfast')
        if (SUBCOMMANDS_ALLOWED.includes(arg)) subcommand = arg
      }
      if (subcommand !== null) break
      continue
    }
    const equals = arg.indexOf('=')
    const written = equals === -1 ? arg : arg.slice(0, equals)
    const refused = REFUSED[written]
    if (refused !== undefined) return refuse(written, refused)
    const flag = SHORT[written] ?? written
    const arity = ALLOWED[flag]
    if (arity === undefined) return refuse(written, 'Holdfast does not know this flag and so cannot tell what it opens')
    const values: string[] = equals === -1 ? [] : [arg.slice(equals + 1)]
    if (equals === -1 && arity !== 'none') {
      const most = arity === 'many' ? args.length : 1
      while (values.length < most) {
        const next = args[i + 1]
        if (next === undefined || (arity !== 'one' && next.startsWith('-'))) break
        values.push(next)
        i += 1
      }
    }
    if (flag === '--permission-mode') {
      const mode = values[0] ?? ''
      if (!PERMISSION_MODES.includes(mode)) {
        return refuse(`${written} ${mode}`.trim(), `only ${PERMISSION_MODES.join(', ')} keep every tool call asked about`)
      }
      setsPermissionMode = true
    }
    if (flag === '--add-dir') extraFolders.push(...values)
  }
  return { ok: true, setsPermissionMode, subcommand, extraFolders }
}
