import { HoldfastError } from '../../contract/errors.ts'
import type { AgentLaunch, LaunchContext } from './adapter.ts'
import { type AllowedArguments, checkArguments } from './check-arguments.ts'
import { filesBehind, findAgent, foldersToSearch } from './find-executable.ts'

export interface KeyedAgent {
  readonly title: string
  /** How it is installed: an address or a command. */
  readonly install: string
  readonly allowed: AllowedArguments
  /** Said where the keychain holds no key for it. */
  readonly withoutKey: string
  readonly housekeepingHosts: readonly string[]
}

/**
 * How to start an agent that has no sign-in of its own, so that it works with a key in the keychain alone; `env` is
 * what it is told. Throws HoldfastError `agent-refused`, `agent-not-found`.
 */
export const launchOnKey = async (context: LaunchContext, agent: KeyedAgent, env: Readonly<Record<string, string>>): Promise<AgentLaunch> => {
  const [name = '', ...args] = context.command
  checkArguments(agent.title, args, agent.allowed)
  if (!context.hasModelKey) throw new HoldfastError('agent-refused', agent.withoutKey)
  const file = await findAgent(name, await foldersToSearch(context.env['PATH'] ?? '', [context.cwd, context.home]), context.cwd, agent)
  return {
    file,
    args,
    env: { ...context.pinnedEnv, ...env },
    readable: await filesBehind(file),
    writable: [],
    signInHosts: [],
    isSignedOut: false,
    housekeepingHosts: agent.housekeepingHosts,
  }
}
