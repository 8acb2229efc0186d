import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'
import { findGit } from '../program-trust.ts'
import { toText } from './byte-path.ts'

export interface GitCall {
  readonly args: readonly string[]
  /** Byte string for standard input. */
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  /** Byte path of the folder to run in; the root without it. */
  readonly cwd?: string
  /** Open files that it gets as /dev/fd/3 and so on. */
  readonly handles?: readonly number[]
  /** After this long it is ended, and has failed. */
  readonly timeoutMs?: number
  /** Takes the output as it comes; without it the whole output is returned. Never more than one chunk at a time. */
  readonly onOutput?: (chunk: Buffer) => void
}

/** Runs git on a repository of Holdfast's own, never on the user's. Resolves with its output as a byte string. */
export type Git = (call: GitCall) => Promise<string>

/** git ended with an error; `stderr` holds its own words. */
export class GitFailure extends Error {
  override readonly name = 'GitFailure'
  readonly stderr: string
  constructor(args: readonly string[], code: number | null, stderr: string) {
    super(`git ${args[0] ?? ''} ended with ${code ?? 'a signal'}: ${stderr.trim().slice(0, 2_000)}`)
    this.stderr = stderr
  }
}

const GIT_MISSING =
  'A checkpoint needs git, and there is none on the PATH. Install git 2.25 or newer (Debian: apt install git), then try again.'

/**
 * Builds a runner for the bare repository `gitDir`, with an environment made from nothing: no configuration of the
 * user's or the machine's, no hooks, no conversion of bytes.
 */
export const createGit =
  (gitDir: string): Git =>
  ({ args, input, env, cwd, handles = [], timeoutMs, onOutput }) =>
    new Promise((resolve, reject) => {
      const child = spawn(findGit(process.env['PATH'] ?? '') ?? '/usr/bin/git', ['-c', 'core.autocrlf=false', '-c', 'core.protectNTFS=false', '-c', 'core.protectHFS=false', ...args], {
        cwd: cwd === undefined ? '/' : toText(cwd),
        env: { ...cleanEnvironment(gitDir), GIT_DIR: gitDir, ...env },
        stdio: ['pipe', 'pipe', 'pipe', ...handles],
        ...(timeoutMs === undefined ? {} : { timeout: timeoutMs, killSignal: 'SIGKILL' as const }),
      }) as ChildProcessWithoutNullStreams
      const output: Buffer[] = []
      let stderr = ''
      let fault: unknown = null
      child.stdout.on('data', (chunk: Buffer) => {
        if (onOutput === undefined) return void output.push(chunk)
        try {
          onOutput(chunk)
        } catch (error) {
          fault ??= error
          child.kill('SIGKILL')
        }
      })
      child.stderr.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString('utf8')).slice(-65_536)))
      // git may end before it has read everything: its exit code and words say why.
      child.stdin.on('error', () => undefined)
      child.on('error', (error: NodeJS.ErrnoException) =>
        reject(error.code === 'ENOENT' ? new HoldfastError('checkpoint-failed', GIT_MISSING, { cause: error }) : error),
      )
      child.on('close', (code) => {
        if (fault !== null) reject(fault)
        else if (code === 0) resolve(Buffer.concat(output).toString('latin1'))
        else reject(new GitFailure(args, code, stderr))
      })
      child.stdin.end(Buffer.from(input ?? '', 'latin1'))
    })

const cleanEnvironment = (home: string): Record<string, string> => ({
  PATH: '/usr/local/bin:/usr/bin:/bin',
  HOME: home,
  XDG_CONFIG_HOME: home,
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_TERMINAL_PROMPT: '0',
})

/** The user's own list of ignored names for all repositories: the one thing read from their git configuration. */
export const userExcludesFile = async (git: Git): Promise<string> => {
  const configHome = process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config')
  const env = { HOME: homedir(), XDG_CONFIG_HOME: configHome, GIT_CONFIG_GLOBAL: join(homedir(), '.gitconfig') }
  const named = await git({ args: ['config', '--global', '--type=path', '--get', 'core.excludesFile'], env }).catch(() => '')
  return named.trim() === '' ? join(configHome, 'git', 'ignore') : Buffer.from(named.trim(), 'latin1').toString('utf8')
}

/** Turns what a file system or git says into a fault a person can act on; HoldfastErrors pass as they are. */
export const explain = (error: unknown, doing: string): HoldfastError => {
  if (error instanceof HoldfastError) return error
  const { code, path } = error as NodeJS.ErrnoException
  const words = error instanceof GitFailure ? error.stderr : error instanceof Error ? error.message : String(error)
  const cause = { cause: error }
  if (code === 'ENOSPC' || code === 'EDQUOT' || /No space left on device|Disk quota exceeded/.test(words))
    return new HoldfastError('disk-full', `The disk is full while ${doing}. Make room, then try again: nothing was lost.`, cause)
  if (code === 'EROFS' || /Read-only file system/.test(words))
    return new HoldfastError('read-only', `The file system is read-only while ${doing}: ${path ?? words.trim()}.`, cause)
  const denied = /could not open '(.*)' for reading: Permission denied/s.exec(words)?.[1] ?? (code === 'EACCES' || code === 'EPERM' ? path : undefined)
  if (denied !== undefined)
    return new HoldfastError(
      'checkpoint-failed',
      `No permission for ${String(denied)} while ${doing}. Give yourself access to it, or move it out of the folder, then try again.`,
      cause,
    )
  return new HoldfastError('checkpoint-failed', `Something went wrong while ${doing}: ${words.trim().slice(0, 2_000)}`, cause)
}
