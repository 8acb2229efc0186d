import { execFile } from 'node:child_process'
import { release, totalmem } from 'node:os'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** What one session may use of the machine, so that a fork bomb and a memory hog end inside, and the user's machine answers. */
export interface Limits {
  readonly processes: number
  readonly memoryBytes: number
}

export const DEFAULT_LIMITS: Limits = { processes: 4_096, memoryBytes: Math.floor(totalmem() * 0.75) }

/** From 6.14 on each pid namespace has a `pid_max` of its own; before, there was one for the whole machine: never to be touched. */
export const hasOwnPidMax = (kernel = release()): boolean => {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(kernel) ?? []
  return Number(major) > 6 || (Number(major) === 6 && Number(minor) >= 14)
}

/**
 * Linux does not hold root to RLIMIT_NPROC. As root, the pid namespace that `init` is in gets fewer process ids instead,
 * where the kernel can do that; elsewhere only a cgroup limits root.
 */
export const limitProcessIds = async (nsenter: string | null, init: number, { processes }: Limits): Promise<void> => {
  if (process.getuid?.() !== 0 || nsenter === null || !hasOwnPidMax()) return
  const script = 'echo "$1" > /proc/sys/kernel/pid_max'
  await run(nsenter, ['--target', String(init), '--pid', '--', '/bin/sh', '-c', script, 'sh', String(processes)], { env: {}, timeout: 5_000 }).catch(() => undefined)
}
