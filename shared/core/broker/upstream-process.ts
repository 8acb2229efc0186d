import { spawn } from 'node:child_process'
import type { StdioServerTransport } from '@modelcontextprotocol/server/stdio'
import { createLineTransport } from './line-transport.ts'
import type { ServerLaunch } from './server-launch.ts'

const STDIN_GRACE_MS = 1_500
const TERM_GRACE_MS = 1_500
const KILL_GRACE_MS = 1_000
/** How long output may still arrive after the process has ended, held open by something that left its group. */
const DRAIN_MS = 250
const STDERR_TAIL = 2_048

/** One process of an upstream server, in a process group of its own. */
export interface UpstreamProcess {
  readonly transport: StdioServerTransport
  /** Resolves, never rejects, with how it ended (unredacted), once SIGKILL has gone to its whole group. */
  readonly ended: Promise<string>
  /** Closes its input, then SIGTERM, then SIGKILL to the group, each after a grace time; at once, SIGKILL alone. */
  stop(urgency: Urgency): Promise<void>
}

export type Urgency = 'gently' | 'at-once'

/** Spawns without a shell. A command that cannot be started shows as `ended`. */
export const startUpstreamProcess = (launch: ServerLaunch, cwd: string): UpstreamProcess => {
  const child = spawn(launch.command, launch.args, {
    cwd,
    env: launch.env,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    windowsHide: true,
  })
  const { promise: ended, resolve } = Promise.withResolvers<string>()

  const signalGroup = (signal: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal)
    } catch {
      // Nothing of the group is left.
    }
  }

  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr = (stderr + chunk).slice(-STDERR_TAIL)
  })
  child.stdin.on('error', () => {})
  child.once('error', (error: NodeJS.ErrnoException) => {
    if (child.pid !== undefined) return
    child.stdout.destroy()
    resolve(`could not be started (${error.code ?? error.message})`)
  })
  child.once('exit', (code, signal) => {
    signalGroup('SIGKILL')
    setTimeout(() => child.stdout.destroy(), DRAIN_MS).unref()
    const lastWords = stderr.trim().split('\n').at(-1)
    const end = signal === null ? `exited with code ${code}` : `was ended by ${signal}`
    resolve(lastWords ? `${end}: ${lastWords}` : end)
  })

  const endsWithin = async (ms: number): Promise<boolean> => {
    const { promise: late, resolve: giveUp } = Promise.withResolvers<false>()
    const timer = setTimeout(() => giveUp(false), ms)
    try {
      return await Promise.race([ended.then(() => true), late])
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    transport: createLineTransport(child.stdout, child.stdin, () => child.stdin.end()),
    ended,
    stop: async (urgency) => {
      if (urgency === 'gently') {
        child.stdin.end()
        if (await endsWithin(STDIN_GRACE_MS)) return
        signalGroup('SIGTERM')
        if (await endsWithin(TERM_GRACE_MS)) return
      }
      signalGroup('SIGKILL')
      await endsWithin(KILL_GRACE_MS)
    },
  }
}
