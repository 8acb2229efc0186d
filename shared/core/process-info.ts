import { readFileSync } from 'node:fs'

/** Far more generations than any real process has; ends a walk over a tree that changes underneath. */
const MAX_GENERATIONS = 4_096

/** Fields of /proc/PID/stat after the command name, which may itself hold spaces and parentheses (proc_pid_stat(5)). */
const statFields = (pid: number): readonly string[] | null => {
  if (process.platform !== 'linux') return null
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return null
  }
}

const numberAt = (fields: readonly string[] | null, index: number): number | null => {
  const value = Number(fields?.[index])
  return Number.isSafeInteger(value) ? value : null
}

/**
 * When a process started, in clock ticks since boot: together with its id it names one process, since ids come again.
 * null when there is no such process, or where the platform does not tell.
 */
export const processStartTime = (pid: number): number | null => numberAt(statFields(pid), 19)

/** The parent's id, 0 for the first process. null when there is no such process, or the platform does not tell. */
export const parentOf = (pid: number): number | null => numberAt(statFields(pid), 1)

/**
 * Whether a process is `ancestorPid` or descends from it through parents that still live.
 * null when that cannot be told, because a process on the way is gone: who guards something takes it for a yes.
 */
export const descendsFrom = (pid: number, ancestorPid: number): boolean | null => {
  let current = pid
  for (let generation = 0; generation < MAX_GENERATIONS; generation += 1) {
    if (current === ancestorPid) return true
    const parent = parentOf(current)
    if (parent === null) return null
    if (parent === 0) return false
    current = parent
  }
  return null
}
