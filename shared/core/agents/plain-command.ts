import { HoldfastError } from '../../contract/errors.ts'
import { DEFAULT_MODEL_KEY } from '../policy/agent-profile.ts'
import type { AgentAdapter } from './adapter.ts'
import { asItIs } from './canonical-call.ts'
import { filesBehind, findExecutable, foldersToSearch } from './find-executable.ts'

/**
 * A command with no adapter: container, checkpoint, identity and kill hold; its single tool calls are not seen. It runs
 * in the container alone, so a program of the project's may be started by its path; by its name it is not looked for.
 */
export const plainCommand: AgentAdapter = {
  id: 'none',
  modelKey: DEFAULT_MODEL_KEY,
  modelBaseUrl: 'https://api.anthropic.com',
  matches: () => true,
  prepare: async ({ command, cwd, env, home }) => {
    const [name, ...args] = command
    const folders = await foldersToSearch(env['PATH'] ?? '', [cwd, home])
    const file = name === undefined ? null : await findExecutable(name, folders, cwd)
    if (file === null) {
      throw new HoldfastError('agent-not-found', `There is no program "${name}" on the PATH, where folders of the project do not count. Check the spelling, or give its path.`)
    }
    return { file, args, env: {}, readable: await filesBehind(file), writable: [], signInHosts: [], isSignedOut: false, housekeepingHosts: [] }
  },
  createHookHandler: () => null,
  isBrokered: () => false,
  canonical: asItIs,
}
