/**
 * The first process of a `plain` container, one per session: `node plain-init.ts`, with an IPC channel to its host.
 * A subreaper, so whatever is orphaned below it comes to it and stays a descendant, a double-forked `env -i setsid`
 * daemon too. It runs the command, buries orphans, and when its host goes away it kills all that is below it.
 */
import { spawn } from 'node:child_process'
import { closeSync, readFileSync } from 'node:fs'
import { findOwnCgroup, joinCgroup } from './cgroup.ts'
import { createGrip } from './grip.ts'
import { becomeSubreaper, forbidNewPrivileges, reap, sealDescriptors } from './libc.ts'
import type { PlainLaunch, PlainReport } from './plain-channel.ts'

const report = (message: PlainReport): void => void process.send?.(message, () => undefined)

/** The session's standard input, output and error, handed over beside this process's own. */
const SESSION_FILES = [4, 5, 6]

const buryOrphans = (command: number | undefined): void => {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'latin1').split(' ').map(Number)
  for (const pid of children) if (pid > 0 && pid !== command) reap(pid)
}

/** Until the command runs there is nothing to kill. */
const leave = (): void => process.exit()

const run = ({ handle, command: [file, ...args], cwd, env, hasTerminal }: PlainLaunch): void => {
  process.off('disconnect', leave).on('disconnect', () => void createGrip(handle).kill())
  // A child is born into its parent's cgroup: step in, spawn, and out again, so that a freeze spares this process.
  const own = findOwnCgroup()
  if (handle.cgroup !== null) joinCgroup(handle.cgroup)
  const child = spawn(file, args, { cwd, env, stdio: SESSION_FILES, detached: !hasTerminal })
  if (handle.cgroup !== null && own !== null) joinCgroup(own)
  child.once('error', (error) => report({ kind: 'failed', message: error.message }))
  child.once('exit', (code, signal) => report({ kind: 'exited', exit: { code, signal } }))
  if (child.pid === undefined) return
  process.on('SIGCHLD', () => buryOrphans(child.pid))
  // The command alone holds its pipes or terminal then: their end is its end.
  for (const fd of SESSION_FILES) closeSync(fd)
  report({ kind: 'started', pid: child.pid })
}

becomeSubreaper()
forbidNewPrivileges()
sealDescriptors()
process.once('message', (message) => run(message as PlainLaunch))
process.on('disconnect', leave)
