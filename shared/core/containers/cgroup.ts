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
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { SessionId } from '../../contract/ids.ts'
import { readIfThere } from '../whole-file.ts'
import { DEFAULT_LIMITS, type Limits } from './limits.ts'
import { parseCgroupEvent, parseCgroupMounts, parseCgroupPath } from './proc-parse.ts'

/** `CGROUP2_SUPER_MAGIC` of statfs(2). */
const CGROUP2_MAGIC = 0x63677270

export const cgroupNameOf = (sessionId: SessionId): string => `holdfast-${sessionId}`

/** The folder of the cgroup v2 that this process is in, wherever it is mounted; null without one. */
export const findOwnCgroup = (): string | null => {
  const own = parseCgroupPath(readIfThere('/proc/self/cgroup') ?? '')
  if (own === null) return null
  for (const mount of parseCgroupMounts(readFileSync('/proc/self/mountinfo', 'utf8'))) {
    const inside = path.posix.relative(mount.root, own)
    if (!inside.startsWith('..')) return path.join(mount.mountPoint, inside)
  }
  return null
}

const isCgroup2 = (folder: string): boolean => {
  try {
    return statfsSync(folder).type === CGROUP2_MAGIC
  } catch {
    return false
  }
}

/** Whether a cgroup made in there can be limited: a folder with processes of its own, as ours is, hands no controllers down. */
const handsDownLimits = (folder: string): boolean => {
  const controllers = (readIfThere(path.join(folder, 'cgroup.subtree_control')) ?? '').split(/\s/)
  return controllers.includes('pids') && controllers.includes('memory')
}

/** Where a session's cgroup may be made: the nearest above ours where it can be limited, or else in ours, without limits. */
const findParents = (own: string): string[] => {
  const above: string[] = []
  for (let at = own; isCgroup2(at); at = path.dirname(at)) above.push(at)
  return [...above.filter(handsDownLimits), own]
}

/**
 * Makes a cgroup for one session, with limits where the system hands the controllers down. null where none can be made:
 * no cgroup v2, no folder that is ours to write (as in an ssh login), or a kernel without cgroup.kill (before 5.14).
 * Processes are held without one then, more slowly.
 */
export const createCgroup = (sessionId: SessionId, limits = DEFAULT_LIMITS): string | null => {
  const own = findOwnCgroup()
  for (const parent of own === null ? [] : findParents(own)) {
    const folder = path.join(parent, cgroupNameOf(sessionId))
    try {
      mkdirSync(folder)
      accessSync(path.join(folder, 'cgroup.kill'), constants.W_OK)
      accessSync(path.join(folder, 'cgroup.freeze'), constants.W_OK)
      // What moves a process needs the right to its whole way there.
      accessSync(path.join(parent, 'cgroup.procs'), constants.W_OK)
    } catch {
      removeCgroup(folder)
      continue
    }
    limit(folder, limits)
    return folder
  }
  return null
}

const limit = (folder: string, { processes, memoryBytes }: Limits): void => {
  // Each is refused where its controller is not handed down to us; the session then runs without that limit.
  write(folder, 'pids.max', String(processes))
  write(folder, 'memory.max', String(memoryBytes))
}

/** Whether a path read from a file can be a session's cgroup: of that name, and really in a cgroup v2 tree. */
export const isCgroupOf = (folder: string, sessionId: SessionId): boolean =>
  path.normalize(folder) === folder && path.basename(folder) === cgroupNameOf(sessionId) && isCgroup2(folder)

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

/** Whether anything in it or below it lives. */
export const isPopulated = (folder: string): boolean => {
  const events = readEvents(folder)
  return events !== null && parseCgroupEvent(events, 'populated')
}

/** Process ids in it and below it. */
export const cgroupProcesses = (folder: string): number[] => {
  if (!isPopulated(folder)) return []
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
