import { closeSync, openSync, readFileSync, readdirSync, readSync } from 'node:fs'
import { z } from 'zod'
import { parseStat, type ProcessStat } from './proc-parse.ts'

/** One process, named so that a later one with the same id is not taken for it. */
export const ProcessIdentity = z.strictObject({
  pid: z.number().int().min(2).max(4_194_304),
  startTime: z.number().int().nonnegative(),
})
export type ProcessIdentity = z.infer<typeof ProcessIdentity>

/** A stat line is far shorter. Shared, and read without asking for a size first: a kill waits for hundreds of these. */
const line = Buffer.alloc(1024)

/** What is known of a process now; null when there is none. */
export const readProcess = (pid: number): ProcessStat | null => {
  let fd: number | undefined
  try {
    fd = openSync(`/proc/${pid}/stat`, 'r')
    return parseStat(line.toString('latin1', 0, readSync(fd, line)))
  } catch {
    return null
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

/** Every process that this /proc shows. Not a moment's picture: processes come and go while it is read. */
export const readProcesses = (): ProcessStat[] =>
  readdirSync('/proc').flatMap((name) => {
    const pid = Number(name)
    const process = Number.isInteger(pid) ? readProcess(pid) : null
    return process === null ? [] : [process]
  })

/** Whether a process still does, or may still do, something: zombies and dead ones do not. */
export const isAlive = (process: ProcessStat | null): process is ProcessStat =>
  process !== null && process.state !== 'Z' && process.state !== 'X'

/** Whether it has nothing left to run: stopped, traced, dead, or in the kernel with its stop pending. */
export const isHeld = (process: ProcessStat): boolean => 'TtZXD'.includes(process.state)

export const identify = (pid: number): ProcessIdentity | null => {
  const process = readProcess(pid)
  return process === null ? null : { pid, startTime: process.startTime }
}

/** Whether just this process, and not another with its id, is alive. */
export const isSameAlive = (identity: ProcessIdentity): boolean => {
  const process = readProcess(identity.pid)
  return isAlive(process) && process.startTime === identity.startTime
}

/** Sends a signal; a process that has gone meanwhile is no error. */
export const sendSignal = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal)
  } catch {
    // Gone, or no longer ours: the next sweep tells.
  }
}

/** Differs from one start of the machine to the next. */
export const readBootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
