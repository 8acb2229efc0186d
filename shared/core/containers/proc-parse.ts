/** The pure part: text of Linux's /proc and cgroup files, and of ps, in, facts out. Formats: proc(5), cgroup-v2.rst. */

export interface ProcessStat {
  readonly pid: number
  /** One letter of proc(5): R running, S sleeping, D disk, T stopped, t traced, Z zombie, X dead, I idle. */
  readonly state: string
  readonly parent: number
  /** Clock ticks since boot, or seconds of the clock where ps tells; with the process id it names one process for as long as the machine is up. */
  readonly startTime: number
}

/** Reads one `/proc/PID/stat` line; null when it is not one. The name in it may hold spaces and brackets. */
export const parseStat = (text: string): ProcessStat | null => {
  const open = text.indexOf('(')
  const close = text.lastIndexOf(')')
  if (open < 0 || close < open) return null
  const rest = text.slice(close + 2).split(' ')
  const stat = {
    pid: Number(text.slice(0, open)),
    state: rest[0] ?? '',
    parent: Number(rest[1]),
    startTime: Number(rest[19]),
  }
  const numbers = [stat.pid, stat.parent, stat.startTime]
  return stat.state.length === 1 && numbers.every(Number.isSafeInteger) && stat.pid > 0 ? stat : null
}

/** What `ps -axo pid=,ppid=,stat=,lstart=` prints, with start times in seconds since 1970: ps(1), alike on macOS and Linux. */
export const parsePs = (text: string): ProcessStat[] =>
  text.split('\n').flatMap((line) => {
    const [, pid, parent, state, started] = /^\s*(\d+)\s+(\d+)\s+([A-Za-z])\S*\s+(.+?)\s*$/.exec(line) ?? []
    const startTime = Date.parse(started ?? '') / 1_000
    return pid === undefined || Number.isNaN(startTime) ? [] : [{ pid: Number(pid), parent: Number(parent), state: state ?? '', startTime }]
  })

export interface CgroupMount {
  /** The folder inside the cgroup tree that is mounted. */
  readonly root: string
  readonly mountPoint: string
}

const unescapeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))

/** The cgroup v2 mounts in the text of `/proc/self/mountinfo`, in order. */
export const parseCgroupMounts = (mountinfo: string): CgroupMount[] =>
  mountinfo.split('\n').flatMap((line) => {
    const [mount, source] = line.split(' - ')
    if (source?.split(' ')[0] !== 'cgroup2') return []
    const [, , , root, mountPoint] = mount?.split(' ') ?? []
    if (root === undefined || mountPoint === undefined) return []
    return [{ root: unescapeOctal(root), mountPoint: unescapeOctal(mountPoint) }]
  })

/** The cgroup v2 path in the text of `/proc/PID/cgroup` (its `0::` line); null when there is none. */
export const parseCgroupPath = (text: string): string | null => /^0::(\/.*)$/m.exec(text)?.[1] ?? null

/** One flag of `cgroup.events`: `populated` or `frozen`. */
export const parseCgroupEvent = (text: string, name: 'populated' | 'frozen'): boolean =>
  text.split('\n').includes(`${name} 1`)

/** Which of these processes descend from one of `ancestors`, themselves left out. */
export const descendantsOf = (processes: readonly ProcessStat[], ancestors: ReadonlySet<number>): ProcessStat[] => {
  const children = Map.groupBy(processes, (process) => process.parent)
  const found: ProcessStat[] = []
  const seen = new Set(ancestors)
  const queue = [...ancestors]
  for (let pid = queue.pop(); pid !== undefined; pid = queue.pop()) {
    for (const child of children.get(pid) ?? []) {
      if (seen.has(child.pid)) continue
      seen.add(child.pid)
      found.push(child)
      queue.push(child.pid)
    }
  }
  return found
}
