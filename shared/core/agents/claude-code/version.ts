import { HoldfastError } from '../../../contract/errors.ts'
import type { AskProgram } from '../ask-program.ts'

/** The first version whose http hooks can be told to block when they fail. */
export const OLDEST_VERSION = '2.1.295'

/** Numbers of `2.1.330 (Claude Code)`, or null. */
export const parseVersion = (text: string): readonly number[] | null => {
  const match = /^(\d+)\.(\d+)\.(\d+)\b/.exec(text.trim())
  return match === null ? null : match.slice(1, 4).map(Number)
}

/** Whether version `a` comes before version `b`. */
export const isOlder = (a: readonly number[], b: readonly number[]): boolean => {
  for (let i = 0; i < 3; i += 1) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}

/**
 * Asks the executable for its version, and promises that it is new enough. `path` is where it finds programs.
 * Throws HoldfastError `agent-refused` when it is older, or does not answer as Claude Code does.
 */
export const requireVersion = async (ask: AskProgram, file: string, path: string): Promise<string> => {
  const version = parseVersion(await ask(file, ['--version'], path))
  if (version === null) {
    throw new HoldfastError('agent-refused', `${file} does not say which version of Claude Code it is. Run "${file} --version" to see why.`)
  }
  if (isOlder(version, parseVersion(OLDEST_VERSION) ?? [])) {
    throw new HoldfastError(
      'agent-refused',
      `Claude Code ${version.join('.')} is too old to be held: its hooks let a call through when they fail. Run "claude update" to get ${OLDEST_VERSION} or newer.`,
    )
  }
  return version.join('.')
}
