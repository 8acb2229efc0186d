import { lstat, mkdir, writeFile } from 'node:fs/promises'
import { basename, delimiter, join, resolve } from 'node:path'
import { HoldfastError } from '../../../contract/errors.ts'
import { readPlainFile } from '../../plain-file.ts'
import { DEFAULT_MODEL_KEY } from '../../policy/agent-profile.ts'
import type { AgentAdapter, LaunchContext } from '../adapter.ts'
import { asItIs } from '../canonical-call.ts'
import { filesBehind, findAgent, foldersToSearch, requireOutOfReach } from '../find-executable.ts'
import { writeOwnFile } from '../own-file.ts'
import { checkFlags } from './flags.ts'
import { createClaudeCodeHooks, isBrokered } from './hooks.ts'
import { readResult, telemetryEnvironment } from './own-figures.ts'
import { bedrockEnvironment, claudeEnvironment, cloudVariable, managedSettings, pinnedProxies, pinnedSettings, pluginHooks, seedConfiguration } from './settings.ts'
import { requireVersion } from './version.ts'

const LARGEST_CONFIGURATION_BYTES = 16 * 1024 * 1024

/** Largest file of the agent's own configuration that is read: it may have grown it on purpose. */
const readOwnConfiguration = (file: string): unknown => {
  const text = readPlainFile(file, LARGEST_CONFIGURATION_BYTES)
  try {
    return text === null ? null : (JSON.parse(text) as unknown)
  } catch {
    return null
  }
}

/** Seeds the agent's configuration folder with what else it would ask a person at its first start. */
const seedHome = async (home: string, cwd: string): Promise<void> => {
  await writeOwnFile(home, '.claude/.claude.json', JSON.stringify(seedConfiguration(readOwnConfiguration(join(home, '.claude', '.claude.json')), cwd)))
}

/** What holds the session's token stands in files for the agent alone: a command line is for every process to read. */
const writeSessionFiles = async ({ folder, baseUrl, shim }: LaunchContext, env: Readonly<Record<string, string>>) => {
  const plugin = join(folder, 'plugin')
  await mkdir(join(plugin, '.claude-plugin'), { recursive: true, mode: 0o700 })
  await mkdir(join(plugin, 'hooks'), { recursive: true, mode: 0o700 })
  const write = async (file: string, value: unknown): Promise<string> => {
    await writeFile(file, JSON.stringify(value), { mode: 0o600 })
    return file
  }
  await write(join(plugin, '.claude-plugin', 'plugin.json'), { name: 'holdfast', version: '1.0.0', description: 'Asks Holdfast about every tool call.' })
  await write(join(plugin, 'hooks', 'hooks.json'), pluginHooks(baseUrl))
  const server = { command: shim.file, args: shim.args, env: shim.env }
  return {
    plugin,
    settings: await write(join(folder, 'settings.json'), pinnedSettings(baseUrl, env)),
    mcpConfig: await write(join(folder, 'mcp.json'), { mcpServers: { holdfast: server } }),
  }
}

/** Where a subscription's login is made and renewed, as 2.1.330 has it. */
const SIGN_IN_HOSTS = ['platform.claude.com']

/** Seen with 2.1.330, though non-essential traffic is switched off. */
const HOUSEKEEPING_HOSTS = ['downloads.claude.ai', 'statsig.anthropic.com', 'mcp-proxy.anthropic.com', '*.datadoghq.com', '*.sentry.io']

/** Claude Code 2.1.295 and newer, as a terminal program or with `-p`. */
export const claudeCode: AgentAdapter = {
  id: 'claude-code',
  modelKey: DEFAULT_MODEL_KEY,
  modelBaseUrl: 'https://api.anthropic.com',
  usesClouds: true,
  matches: (command) => basename(command[0] ?? '') === 'claude',
  prepare: async (context) => {
    const [name = 'claude', ...args] = context.command
    const check = checkFlags(args)
    if (!check.ok) throw new HoldfastError('agent-refused', `Holdfast does not start Claude Code with ${check.flag}: ${check.reason}.`)
    const variable = cloudVariable(context.env)
    if (variable !== null) {
      throw new HoldfastError(
        'agent-refused',
        `Holdfast does not start Claude Code with ${variable}: it would ask that cloud for its model past the gateway, unmetered, with credentials of yours. Leave the variable out of env.pass; for Bedrock say "model: { provider: bedrock, region: … }" in your profile, and an endpoint of yours that speaks Anthropic's API can be model.baseUrl.`,
      )
    }
    const extraFolders = await Promise.all(check.extraFolders.map((folder) => context.resolveFolder(resolve(context.cwd, folder))))
    const agentFolders = [context.cwd, ...extraFolders, context.home]
    const folders = await foldersToSearch(context.env['PATH'] ?? '', agentFolders)
    const file = await findAgent(name, folders, context.cwd, { title: 'Claude Code', install: 'https://code.claude.com/docs/en/setup' })
    await requireVersion(context.ask, await requireOutOfReach(file, agentFolders), folders.join(delimiter))
    await seedHome(context.home, context.cwd)
    const { baseUrl, hasModelKey, isCapped, pinnedEnv, cloud } = context
    const pinned = { ...pinnedEnv, ...(cloud === null ? {} : bedrockEnvironment(baseUrl, cloud.region)), ...telemetryEnvironment(baseUrl, context.env), ...pinnedProxies({ ...context.env, ...pinnedEnv }) }
    const { plugin, settings, mcpConfig } = await writeSessionFiles(context, pinned)
    const isSignedOut = !hasModelKey && (await lstat(join(context.home, '.claude', '.credentials.json')).catch(() => null)) === null
    const held =
      check.subcommand === null
        ? [
            `--managed-settings=${JSON.stringify(managedSettings)}`,
            `--settings=${settings}`,
            `--plugin-dir=${plugin}`,
            `--mcp-config=${mcpConfig}`,
            '--strict-mcp-config',
            ...(check.setsPermissionMode ? [] : ['--permission-mode=manual']),
          ]
        : []
    return {
      file,
      args: [...held, ...args],
      signInHosts: hasModelKey ? [] : SIGN_IN_HOSTS,
      isSignedOut,
      housekeepingHosts: HOUSEKEEPING_HOSTS,
      env: { ...pinned, ...claudeEnvironment({ baseUrl, configFolder: join(context.homeAt, '.claude'), hasModelKey, isCapped }) },
      readable: await filesBehind(file),
      writable: extraFolders,
    }
  },
  createHookHandler: createClaudeCodeHooks,
  readResult,
  isBrokered,
  canonical: asItIs,
}
