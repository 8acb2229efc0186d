import {
  accessSync,
  constants,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmdirSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { totalmem } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { SessionId } from '../../contract/ids.ts'
import { parseCgroupEvent, parseCgroupMounts, parseCgroupPath } from './proc-parse.ts'

/** `CGROUP2_SUPER_MAGIC` of statfs(2). */
const CGROUP2_MAGIC = 0x63677270
/** Leaves the user a machine that answers: a fork bomb and a memory hog end inside. */
const LIMITS = { 'pids.max': '4096', 'memory.max': String(Math.floor(totalmem() * 0.75)) } as const

export const cgroupNameOf = (sessionId: SessionId): string => `holdfast-${sessionId}`

/** The folder of the cgroup v2 that this process is in, wherever it is mounted; null without one. */
export const findOwnCgroup = (): string | null => {
  const own = parseCgroupPath(readFileSync('/proc/self/cgroup', 'utf8'))
  if (own === null) return null
  for (const mount of parseCgroupMounts(readFileSync('/proc/self/mountinfo', 'utf8'))) {
    const inside = path.posix.relative(mount.root, own)
    if (!inside.startsWith('..')) return path.join(mount.mountPoint, inside)
  }
  return null
}

/**
 * Makes a cgroup for one session below the host's own. null where that is not possible: no cgroup v2, a folder that
 * is not ours to write (as in an ssh login), or a kernel without cgroup.kill (before 5.14). Processes are held
 * without one then, more slowly.
 */
export const createCgroup = (sessionId: SessionId): string | null => {
  try {
    const parent = findOwnCgroup()
    if (parent === null) return null
    const folder = path.join(parent, cgroupNameOf(sessionId))
    mkdirSync(folder)
    try {
      accessSync(path.join(folder, 'cgroup.kill'), constants.W_OK)
      accessSync(path.join(folder, 'cgroup.freeze'), constants.W_OK)
    } catch {
      rmdirSync(folder)
      return null
    }
    limit(folder)
    return folder
  } catch {
    return null
  }
}

const limit = (folder: string): void => {
  // Each is refused where its controller is not handed down to us; the session then runs without that limit.
  for (const [file, value] of Object.entries(LIMITS)) write(folder, file, value)
}

/** Whether a path read from a file can be a session's cgroup: of that name, and really in a cgroup v2 tree. */
export const isCgroupOf = (folder: string, sessionId: SessionId): boolean => {
  try {
    return (
      path.normalize(folder) === folder &&
      path.basename(folder) === cgroupNameOf(sessionId) &&
      statfsSync(folder).type === CGROUP2_MAGIC
    )
  } catch {
    return false
  }
}

const readEvents = (folder: string): string | null => {
  try {
    return readFileSync(path.join(folder, 'cgroup.events'), 'utf8')
  } catch {
    return null
  }
}

const write = (folder: string, file: string, value: string): boolean => {
  try {
    writeFileSync(path.join(folder, file), value, { flag: 'r+' })
    return true
  } catch {
    return false
  }
}

/** Moves this process there, all its threads; children are born where it is. Stays where it is if that is refused. */
export const joinCgroup = (folder: string): void => {
  write(folder, 'cgroup.procs', String(process.pid))
}

/** Resolves true once nothing in it runs, or it is gone; false when that took longer than `timeoutMs`. */
export const freezeCgroup = async (folder: string, timeoutMs: number): Promise<boolean> => {
  const deadline = performance.now() + timeoutMs
  if (!write(folder, 'cgroup.freeze', '1')) return true
  for (;;) {
    const events = readEvents(folder)
    if (events === null || parseCgroupEvent(events, 'frozen')) return true
    if (performance.now() > deadline) return false
    await delay(1)
  }
}

export const thawCgroup = (folder: string): void => {
  write(folder, 'cgroup.freeze', '0')
}

/** Sends SIGKILL to everything in it and below it at once, also to what is frozen. */
export const killCgroup = (folder: string): void => {
  write(folder, 'cgroup.kill', '1')
}

const subfolders = (folder: string): string[] => {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => path.join(folder, entry.name))
  } catch {
    return []
  }
}

/** Process ids in it and below it. */
export const cgroupProcesses = (folder: string): number[] => {
  const events = readEvents(folder)
  if (events === null || !parseCgroupEvent(events, 'populated')) return []
  let own: number[] = []
  try {
    own = readFileSync(path.join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number)
  } catch {
    // Gone between the two looks.
  }
  return [...own, ...subfolders(folder).flatMap(cgroupProcesses)]
}

/** Whether a process is in it or below it. By name, which holds the session's id, so no other cgroup has it. */
export const isInCgroup = (folder: string, pid: number): boolean => {
  try {
    const own = parseCgroupPath(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))
    return own !== null && own.split('/').includes(path.basename(folder))
  } catch {
    return false
  }
}

/** Removes an empty cgroup with those below it. True once it is gone; one still in use is left as it is. */
export const removeCgroup = (folder: string): boolean => {
  for (const below of subfolders(folder)) removeCgroup(below)
  try {
    rmdirSync(folder)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
  }
}
