import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { HoldfastError } from '../../../contract/errors.ts'

/** The first version whose http hooks can be told to block when they fail. */
export const OLDEST_VERSION = '2.1.295'

const run = promisify(execFile)

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
 * Asks the executable for its version, with nothing of the user's environment, and promises that it is new enough.
 * Throws HoldfastError `agent-refused` when it is older, or does not answer as Claude Code does.
 */
export const requireVersion = async (file: string, path: string): Promise<string> => {
  const told = await run(file, ['--version'], { env: { PATH: path, HOME: '/nonexistent' }, timeout: 15_000, maxBuffer: 65_536 }).then(
    ({ stdout }) => stdout,
    () => '',
  )
  const version = parseVersion(told)
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
