import { execFile } from 'node:child_process'
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { isWithin } from '../../domain/foresight/operands.ts'
import { findGit } from '../program-trust.ts'

/** Longest that one look at a repository takes, in ms, and most that is read of it, in bytes. */
const TIMEOUT_MS = 2_000
const MAX_OUTPUT = 8 * 1024 * 1024

/**
 * The repository may be the agent's own, so nothing that its configuration names may run: no monitor, hook, pager, and no
 * transport, by which git would fetch objects that are not there. The commands asked for read objects, refs and the
 * index. None compares a file's content with the index, not even where the times are close: that would run a filter.
 */
const SAFE = ['--no-pager', '--no-optional-locks', '-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null', '-c', 'core.untrackedCache=false']

const environment = (): Record<string, string> => ({
  PATH: '/usr/bin:/bin',
  HOME: '/nonexistent',
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ALLOW_PROTOCOL: 'none',
  GIT_NO_LAZY_FETCH: '1',
  GIT_NO_REPLACE_OBJECTS: '1',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_TERMINAL_PROMPT: '0',
})

/** Runs one of git's reading commands on the repository of a folder; null when it fails, takes too long or says too much. */
export const lookAtGit = (folder: string, args: readonly string[], signal: AbortSignal): Promise<string | null> =>
  new Promise((resolve) => {
    const options = { cwd: folder, env: environment(), timeout: TIMEOUT_MS, killSignal: 'SIGKILL' as const, maxBuffer: MAX_OUTPUT, signal }
    const git = findGit(process.env['PATH'] ?? '')
    if (git === null) return resolve(null)
    execFile(git, [...SAFE, ...args], options, (error, stdout) => resolve(error === null ? stdout : null))
  })

const INDEXED = /([^\0]+)\0 {2}ctime: [^\n]*\n {2}mtime: (\d+):(\d+)\n[^\n]*\n[^\n]*\n {2}size: (\d+)[^\n]*\n/g
const MAX_INDEXED = 20_000

/**
 * The tracked files below a working tree's top that are not as git last saw them, by time and size alone; null where that
 * cannot be told, or the top is in none of `roots`.
 */
export const changedSinceIndexed = async (folder: string, roots: readonly string[], signal: AbortSignal): Promise<readonly string[] | null> => {
  const top = (await lookAtGit(folder, ['rev-parse', '--show-toplevel'], signal))?.replace(/\n$/, '')
  if (top === undefined || !roots.some((root) => isWithin(top, root))) return null
  const index = await lookAtGit(top, ['ls-files', '-z', '--debug'], signal)
  const entries = index === null ? [] : [...index.matchAll(INDEXED)]
  if (index === null || entries.length > MAX_INDEXED) return null
  const changed: string[] = []
  for (const [, path = '', seconds, nanoseconds, size] of entries) {
    const stat = await lstat(join(top, path), { bigint: true }).catch(() => null)
    if (stat === null) changed.push(`D ${path}`)
    else if (stat.size !== BigInt(size ?? 0) || stat.mtimeNs !== BigInt(seconds ?? 0) * 1_000_000_000n + BigInt(nanoseconds ?? 0)) changed.push(`M ${path}`)
    if (signal.aborted) return null
  }
  return changed
}
