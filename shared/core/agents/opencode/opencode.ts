import { basename, join } from 'node:path'
import type { AgentAdapter, LaunchContext } from '../adapter.ts'
import type { AllowedArguments } from '../check-arguments.ts'
import { type KeyedAgent, launchOnKey } from '../launch-on-key.ts'
import { makeOwnFolder, writeOwnFile } from '../own-file.ts'
import { canonical, isBrokered } from './tools.ts'

/** Checked against `opencode --help` and `opencode run --help` of 1.18.33. */
const ALLOWED: AllowedArguments = {
  flags: {
    '-h': 'none', '--help': 'none', '-v': 'none', '--version': 'none', '--print-logs': 'none', '--log-level': 'one', '--pure': 'none',
    '-m': 'one', '--model': 'one', '-c': 'none', '--continue': 'none', '-s': 'one', '--session': 'one', '--fork': 'none', '--prompt': 'one',
    '--agent': 'one', '--command': 'one', '--format': 'one', '-f': 'one', '--file': 'one', '--title': 'one', '--variant': 'one',
    '--thinking': 'none', '-i': 'none', '--interactive': 'none',
  },
  refusedSubcommands: ['acp', 'mcp', 'attach', 'upgrade', 'uninstall', 'serve', 'web', 'import', 'github', 'pr', 'plugin', 'plug', 'db', 'debug'],
}

/** The model of `--model holdfast/NAME`: one that opencode does not list, at the profile's own address. */
const ownModel = (args: readonly string[]): string | null => {
  const at = args.findIndex((argument) => /^(-m|--model)(=|$)/.test(argument))
  const value = at === -1 ? '' : (args[at]?.split('=', 2)[1] ?? args[at + 1] ?? '')
  return value.startsWith('holdfast/') ? value.slice('holdfast/'.length) : null
}

const NO_QUESTIONS = { '*': 'allow', edit: 'allow', bash: 'allow', webfetch: 'allow', doom_loop: 'allow', external_directory: 'allow' }

/** All that opencode is configured with: its providers at the gateway, our one server, and no question of its own beside ours. */
const configuration = ({ baseUrl, shim, command }: LaunchContext) => {
  const options = { baseURL: `${baseUrl}/v1`, apiKey: 'held-by-holdfast' }
  const own = ownModel(command.slice(1))
  return {
    share: 'disabled',
    autoupdate: false,
    enabled_providers: ['anthropic', 'openai', 'holdfast'],
    permission: NO_QUESTIONS,
    provider: {
      anthropic: { options },
      openai: { options },
      ...(own === null ? {} : { holdfast: { npm: '@ai-sdk/openai-compatible', name: 'Holdfast', options, models: { [own]: { name: own, tool_call: true } } } }),
    },
    ...(own === null ? {} : { small_model: `holdfast/${own}` }),
    mcp: { holdfast: { type: 'local', command: [shim.file, ...shim.args], environment: shim.env, enabled: true } },
  }
}

/**
 * At each start opencode fetches a package for plugins, which are switched off here, into every configuration folder
 * that lacks it. It takes it for fetched where there is a `node_modules` and a lock file that names it (1.18.33).
 */
const leavePluginsOut = async (home: string): Promise<void> => {
  await makeOwnFolder(home, '.config/opencode/node_modules')
  const lock = { name: 'opencode', lockfileVersion: 3, packages: { '': { dependencies: { '@opencode-ai/plugin': '*' } } } }
  await writeOwnFile(home, '.config/opencode/package-lock.json', JSON.stringify(lock))
}

const AGENT: KeyedAgent = {
  title: 'opencode',
  install: 'https://opencode.ai/docs',
  allowed: ALLOWED,
  withoutKey: 'opencode needs a key for its model, which stays in the keychain. Keep it with: holdfast secret set agent/anthropic, or name another under model.key in a profile.',
  // Seen with 1.18.33: its list of models and what it shares.
  housekeepingHosts: ['models.dev', 'opencode.ai', 'api.opencode.ai'],
}

/**
 * opencode 1.18. It asks nobody about a tool call in a way that holds, so the gateway asks before it has the call. The
 * project's configuration and plugins are left out: they run code that nobody is asked about.
 */
export const opencode: AgentAdapter = {
  id: 'opencode',
  modelKey: 'agent/anthropic',
  modelBaseUrl: 'https://api.anthropic.com',
  matches: (command) => basename(command[0] ?? '') === 'opencode',
  prepare: async (context) => {
    const launch = await launchOnKey(context, AGENT, {
      OPENCODE_CONFIG_CONTENT: JSON.stringify(configuration(context)),
      OPENCODE_CONFIG_DIR: join(context.homeAt, '.config', 'opencode'),
      OPENCODE_DISABLE_PROJECT_CONFIG: '1',
      OPENCODE_PURE: '1',
      OPENCODE_DISABLE_DEFAULT_PLUGINS: '1',
      OPENCODE_DISABLE_AUTOUPDATE: '1',
      OPENCODE_DISABLE_MODELS_FETCH: '1',
      OPENCODE_DISABLE_SHARE: '1',
      ...(context.isCapped ? { OPENCODE_EXPERIMENTAL_OUTPUT_TOKEN_MAX: '16000' } : {}),
    })
    await leavePluginsOut(context.home)
    return launch
  },
  createHookHandler: () => null,
  isBrokered,
  canonical,
}
