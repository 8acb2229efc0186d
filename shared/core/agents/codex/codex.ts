import { basename, join } from 'node:path'
import type { AgentAdapter, LaunchContext } from '../adapter.ts'
import type { AllowedArguments } from '../check-arguments.ts'
import { type KeyedAgent, launchOnKey } from '../launch-on-key.ts'
import { writeOwnFile } from '../own-file.ts'
import { canonical, isBrokered } from './tools.ts'

/** Checked against `codex --help` and `codex exec --help` of 0.169.0. */
const ALLOWED: AllowedArguments = {
  flags: {
    '-h': 'none', '--help': 'none', '-V': 'none', '--version': 'none', '-m': 'one', '--model': 'one', '-i': 'one', '--image': 'one',
    '--skip-git-repo-check': 'none', '--ephemeral': 'none', '--json': 'none', '--color': 'one', '-o': 'one', '--output-last-message': 'one',
    '--output-schema': 'one', '--last': 'none', '--no-alt-screen': 'none',
  },
  refusedSubcommands: [
    'agents', 'login', 'logout', 'mcp', 'mcp-server', 'plugin', 'app-server', 'remote-control', 'update', 'sandbox', 'debug', 'cloud', 'exec-server',
    'migrate-rollouts', 'migrate-nfs-db',
  ],
}

/** A string of TOML (v1.0, basic strings): JSON's escapes are a part of TOML's. */
const toml = (value: string): string => JSON.stringify(value).replaceAll('\u007f', '\\u007f')
const list = (values: readonly string[]): string => `[${values.map(toml).join(', ')}]`
const table = (values: Readonly<Record<string, string>>): string => `{ ${Object.entries(values).map(([name, value]) => `${toml(name)} = ${toml(value)}`).join(', ')} }`

/**
 * All that Codex is configured with. It asks nothing and sandboxes nothing by itself: the container holds it, and the
 * gateway asks before it has a call. The address holds the session's token, so it stands here and in no argument.
 */
export const codexConfiguration = ({ baseUrl, cwd, shim }: Pick<LaunchContext, 'baseUrl' | 'cwd' | 'shim'>): string => `# Written by Holdfast at each start.
model_provider = "holdfast"
approval_policy = "never"
sandbox_mode = "danger-full-access"
web_search = "disabled"
check_for_update_on_startup = false

[model_providers.holdfast]
name = "Holdfast"
base_url = ${toml(`${baseUrl}/v1`)}
wire_api = "responses"
env_key = "HOLDFAST_MODEL"
stream_idle_timeout_ms = 86400000
supports_websockets = false

[features]
plugins = false
apps = false

[analytics]
enabled = false

[projects.${toml(cwd)}]
trust_level = "untrusted"

[mcp_servers.holdfast]
command = ${toml(shim.file)}
args = ${list(shim.args)}
env = ${table(shim.env)}
`

const AGENT: KeyedAgent = {
  title: 'Codex',
  install: 'npm install -g @openai/codex',
  allowed: ALLOWED,
  withoutKey: 'Codex needs an API key, which stays in the keychain; its sign-in with ChatGPT is not supported. Keep the key with: holdfast secret set agent/openai',
  housekeepingHosts: ['chatgpt.com', 'ab.chatgpt.com', 'auth.openai.com'],
}

/** Codex 0.169, as a terminal program or with `exec`, with an API key. */
export const codex: AgentAdapter = {
  id: 'codex',
  modelKey: 'agent/openai',
  modelBaseUrl: 'https://api.openai.com',
  matches: (command) => basename(command[0] ?? '') === 'codex',
  prepare: async (context) => {
    const launch = await launchOnKey(context, AGENT, { CODEX_HOME: join(context.homeAt, '.codex'), HOLDFAST_MODEL: 'held-by-holdfast' })
    await writeOwnFile(context.home, '.codex/config.toml', codexConfiguration(context))
    return launch
  },
  createHookHandler: () => null,
  isBrokered,
  canonical,
}
