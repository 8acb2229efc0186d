import { setTimeout as delay } from 'node:timers/promises'
import { HoldfastError } from '../../contract/errors.ts'
import type { KillProof } from '../ports.ts'
import {
  cgroupProcesses,
  freezeCgroup,
  isCgroupOf,
  isInCgroup,
  isPopulated,
  killCgroup,
  removeCgroup,
  thawCgroup,
} from './cgroup.ts'
import { readKillFile, type KillFile } from './kill-file.ts'
import { descendantsOf, type ProcessStat } from './proc-parse.ts'
import { isAlive, isHeld, isSameAlive, readBootId, readProcess, readProcesses, sendSignal } from './processes.ts'

const FREEZE_TIMEOUT_MS = 3_000
/** A kill does not wait longer than this for stillness: killing ends movement too. */
const FREEZE_BEFORE_KILL_MS = 250
const KILL_TIMEOUT_MS = 5_000

/** A hold on everything inside one container; the same in the host's hands and in an emergency's without it. */
export interface Grip {
  freeze(): Promise<void>
  thaw(): Promise<void>
  kill(): Promise<KillProof>
  processes(): number[]
  contains(pid: number): boolean
}

/**
 * Takes hold of what a kill file names. Two ways at once, each enough alone for most: the cgroup, and descent from
 * `root`, which nothing leaves: inside a pid namespace orphans go to its first process, below a subreaper to that.
 * Stopping goes on until two looks in a row find nothing that runs, so that what forks meanwhile is caught too.
 */
export const createGrip = (handle: KillFile): Grip => {
  const sameBoot = handle.bootId === readBootId()
  const cgroup =
    sameBoot && handle.cgroup !== null && isCgroupOf(handle.cgroup, handle.sessionId) ? handle.cgroup : null

  const liveAnchors = (): number[] =>
    [handle.root, handle.init].flatMap((one) => (one !== null && isSameAlive(one) ? [one.pid] : []))

  /** Whether the cgroup alone holds everything: what is born in it inside a `linux` container finds no way to leave. */
  let sealed = false
  const isSealed = (): boolean => {
    const { kind, root } = handle
    sealed ||= kind === 'linux' && cgroup !== null && isSameAlive(root) && isInCgroup(cgroup, root.pid)
    return sealed
  }

  const members = (): ProcessStat[] => {
    if (!sameBoot) return []
    const anchors = isSealed() ? [] : liveAnchors()
    const held = cgroup === null ? [] : cgroupProcesses(cgroup)
    if (anchors.length === 0 && held.length === 0) return []
    const processes = sealed ? held.flatMap((pid) => readProcess(pid) ?? []) : readProcesses()
    const inside = new Set([...held, ...descendantsOf(processes, new Set(anchors)).map(({ pid }) => pid)])
    if (handle.init !== null && anchors.includes(handle.init.pid)) inside.add(handle.init.pid)
    inside.delete(handle.root.pid)
    return processes.filter((process) => inside.has(process.pid) && isAlive(process))
  }

  const stopAll = async (timeoutMs: number): Promise<boolean> => {
    const deadline = performance.now() + timeoutMs
    for (let still = 0; still < 2; ) {
      const frozen = new Set(cgroup === null ? [] : cgroupProcesses(cgroup))
      const running = members().filter((process) => !frozen.has(process.pid) && !isHeld(process))
      for (const { pid } of running) sendSignal(pid, 'SIGSTOP')
      still = running.length === 0 ? still + 1 : 0
      if (performance.now() > deadline) return false
      if (running.length > 0) await delay(1)
    }
    return true
  }

  const hold = async (timeoutMs: number): Promise<boolean> => {
    const frozen = cgroup === null || (await freezeCgroup(cgroup, timeoutMs))
    return frozen && (isSealed() || (await stopAll(timeoutMs)))
  }

  const freeze = async (): Promise<void> => {
    if (await hold(FREEZE_TIMEOUT_MS)) return
    throw new HoldfastError('internal', 'Some of the session still runs after a freeze. Kill the session instead.')
  }

  const thaw = async (): Promise<void> => {
    if (cgroup !== null) thawCgroup(cgroup)
    for (const { pid, state } of members()) if (state === 'T') sendSignal(pid, 'SIGCONT')
  }

  const kill = async (): Promise<KillProof> => {
    const startedAt = performance.now()
    const inTime = (): boolean => performance.now() - startedAt < KILL_TIMEOUT_MS
    await hold(FREEZE_BEFORE_KILL_MS)
    const killed = new Set<number>()
    let survivors: number[] = []
    for (let empty = 0; empty < 2; ) {
      survivors = members().map(({ pid }) => pid)
      if (cgroup !== null) killCgroup(cgroup)
      for (const pid of survivors) {
        killed.add(pid)
        sendSignal(pid, 'SIGKILL')
      }
      empty = survivors.length === 0 ? empty + 1 : 0
      if (!inTime()) break
      if (empty > 0) continue
      // A look at every process of the machine takes longer than most of them take to die.
      do await delay(1)
      while (cgroup !== null && isPopulated(cgroup) && inTime())
    }
    if (survivors.length === 0) {
      // The root last: in a plain container it may be the process that runs this.
      while (cgroup !== null && !removeCgroup(cgroup) && inTime()) await delay(1)
      while (sameBoot && isSameAlive(handle.root) && inTime()) {
        sendSignal(handle.root.pid, 'SIGKILL')
        await delay(1)
      }
    }
    return { killed: killed.size, survivors, durationMs: performance.now() - startedAt }
  }

  const contains = (pid: number): boolean => {
    if (!sameBoot || pid === handle.root.pid) return false
    const anchors = new Set(liveAnchors())
    for (let at: number | undefined = pid; at !== undefined && at > 1; at = readProcess(at)?.parent) {
      if (anchors.has(at)) return true
    }
    return cgroup !== null && isInCgroup(cgroup, pid)
  }

  return { freeze, thaw, kill, processes: () => members().map(({ pid }) => pid), contains }
}

const NOTHING: KillProof = { killed: 0, survivors: [], durationMs: 0 }

/**
 * Freezes and kills a container with no help from its host, and proves it empty. Safe while the host does the same,
 * and when all is long dead. The file stays: its host removes it. Throws HoldfastError `illegal-state` when damaged.
 */
export const killByFile = async (file: string): Promise<KillProof> => {
  const handle = readKillFile(file)
  return handle === null ? NOTHING : createGrip(handle).kill()
}

/** Freezes likewise: nothing inside runs from the moment it resolves. */
export const freezeByFile = async (file: string): Promise<void> => {
  const handle = readKillFile(file)
  if (handle !== null) await createGrip(handle).freeze()
}
