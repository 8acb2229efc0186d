import { HoldfastError } from '../../contract/errors.ts'
import type { AgentAdapter } from './adapter.ts'
import { filesBehind, findExecutable } from './find-executable.ts'

/** A command with no adapter: container, checkpoint, identity and kill hold; its single tool calls are not seen. */
export const plainCommand: AgentAdapter = {
  id: 'none',
  matches: () => true,
  prepare: async ({ command, cwd, env }) => {
    const [name, ...args] = command
    const file = name === undefined ? null : await findExecutable(name, env['PATH'] ?? '', cwd)
    if (file === null) throw new HoldfastError('agent-not-found', `There is no program "${name}" on the PATH. Check the spelling, or give its path.`)
    return { file, args, env: {}, readable: await filesBehind(file), writable: [] }
  },
  createHookHandler: () => null,
}
