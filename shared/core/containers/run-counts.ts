import { readdirSync, readFileSync } from 'node:fs'

/**
 * What the kernel counts of a container's processes, as one text: equal at two moments when none of them ran in between
 * and none was started. Of the `own` ones only what they started and waited for counts (cminflt and cmajflt of proc(5): no
 * child runs without a page fault); of the others how often each thread got a CPU and for how long. Null where that cannot
 * be told: no Linux, a kernel without these counts, or a process that came or went meanwhile.
 */
export const readRunCounts = async (processes: () => Promise<readonly number[]>, own: ReadonlySet<number>): Promise<string | null> => {
  const pids = (await processes()).toSorted((a, b) => a - b)
  try {
    const counts = pids.map((pid) => `${pid}=${own.has(pid) ? waitedFor(pid) : threadCounts(pid)}`).join(' ')
    return (await processes()).toSorted((a, b) => a - b).join() === pids.join() ? counts : null
  } catch {
    return null
  }
}

const waitedFor = (pid: number): string => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return `${fields[8]},${fields[10]}`
}

const threadCounts = (pid: number): string => {
  const threads = readdirSync(`/proc/${pid}/task`).sort()
  return threads.map((thread) => `${thread}:${schedstat(`/proc/${pid}/task/${thread}/schedstat`)}`).join(',')
}

/** Nanoseconds on a CPU, and times it was given one: sched-stats.rst. */
const schedstat = (file: string): string => {
  const [ranFor, , times] = readFileSync(file, 'latin1').trim().split(' ')
  if (ranFor === undefined || times === undefined || times === '0') throw new Error('not counted')
  return `${ranFor}/${times}`
}
