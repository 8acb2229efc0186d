import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { HoldfastError } from '../../contract/errors.ts'
import type { Container, ContainerExit, ContainerProvider, ContainerSpec } from '../ports.ts'
import { createCgroup } from './cgroup.ts'
import { abandonLaunch, createContainer } from './container.ts'
import { writeKillFile, type KillFile } from './kill-file.ts'
import { sealDescriptors } from './libc.ts'
import type { PlainLaunch, PlainReport } from './plain-channel.ts'
import { identify, isSameAlive, readBootId, sendSignal } from './processes.ts'
import { openPty } from './terminal.ts'
import { findTool } from './tools.ts'

/** plain-init beside this file: where the host runs bundled, the bundle of it. */
const INIT_FILE = fileURLToPath(new URL('./plain-init.ts', import.meta.url))

/**
 * Holds a session by descent alone: for a Linux without bubblewrap or user namespaces. Each session has a first
 * process of its own (see plain-init) that stays the ancestor of everything the command starts, and takes all of it
 * along when the host dies. With a cgroup, freezing is immediate; without, it is SIGSTOP until nothing moves.
 *
 * What it cannot do: it hides nothing. The agent sees and may do what its user may: read the user's files, the spec's
 * `readable` and `hidden` notwithstanding, signal the user's other processes, and ask a service (systemd, cron, at) to
 * start one for it outside. An agent that kills its own first process slips out, where there is no cgroup; as root it
 * can leave the cgroup too. Its home is the spec's `home` only as far as `env.HOME` says so.
 */
export const createPlainProvider = (initFile = INIT_FILE, makeCgroup = createCgroup): ContainerProvider => {
  const unavailable = async (): Promise<string | null> => {
    if (process.platform !== 'linux') return 'A plain container needs Linux: it rests on subreapers and /proc.'
    return findTool('setsid') === null ? 'setsid is missing. Install it: apt-get install util-linux.' : null
  }

  const launch = async (spec: ContainerSpec): Promise<Container> => {
    const setsid = findTool('setsid')
    const problem = await unavailable()
    if (problem !== null || setsid === null) throw new HoldfastError('container-unavailable', String(problem))
    if (spec.network !== 'open') throw new HoldfastError('container-unavailable', 'A plain container cannot close the network. Say network: { mode: open } in your profile, or get bubblewrap.')
    const cgroup = makeCgroup(spec.sessionId)
    const pty = spec.terminal === null ? null : openPty(spec.terminal)
    const end = pty?.agentEnd ?? 'pipe'
    sealDescriptors()
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', initFile], {
      cwd: '/',
      env: {},
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc', end, end, end],
    })
    pty?.closeAgentEnd()
    const exited = exitOf(child)
    try {
      const root = child.pid === undefined ? null : identify(child.pid)
      if (root === null) throw new HoldfastError('container-unavailable', 'The container did not start.')
      const { sessionId, cwd } = spec
      const handle: KillFile = {
        ...{ version: 1, kind: 'plain', sessionId, cwd },
        ...{ bootId: readBootId(), cgroup, root, init: null },
      }
      writeKillFile(spec.killFile, handle)
      spec.requireStart?.()
      const command: PlainLaunch['command'] =
        pty === null ? [spec.file, ...spec.args] : [setsid, '--ctty', spec.file, ...spec.args]
      const pid = await start(child, { handle, command, cwd, env: spec.env, hasTerminal: pty !== null })
      const first = identify(pid)
      return createContainer({
        handle,
        killFile: spec.killFile,
        pid,
        pipes: child.stdio.slice(4),
        pty,
        exited,
        endsWithCommand: false,
        signal: (signal) => (first !== null && isSameAlive(first) ? sendSignal(pid, signal) : undefined),
        release: () => child.connected && child.disconnect(),
      })
    } catch (error) {
      await abandonLaunch({ child, exited, pty, cgroup, killFile: spec.killFile })
      throw error
    }
  }

  return { kind: 'plain', unavailable, launch }
}

/** How the command ended; when its first process was killed with it, that. */
const exitOf = (child: ChildProcess): Promise<ContainerExit> =>
  new Promise((resolve) => {
    child.on('message', (message: PlainReport) => {
      if (message.kind === 'exited') resolve(message.exit)
    })
    child.once('exit', (_, signal) => resolve({ code: null, signal }))
    child.once('error', () => resolve({ code: null, signal: null }))
  })

const start = (child: ChildProcess, launch: PlainLaunch): Promise<number> =>
  new Promise((resolve, reject) => {
    const fail = (why: string): void =>
      reject(new HoldfastError('container-unavailable', `The container did not start: ${why}`))
    child.on('message', (message: PlainReport) => {
      if (message.kind === 'started') resolve(message.pid)
      if (message.kind === 'failed') fail(message.message)
    })
    child.once('exit', () => fail('its first process ended.'))
    child.send(launch, (error) => error !== null && fail(error.message))
  })
