import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { z } from 'zod'
import { HoldfastError } from '../../contract/errors.ts'
import type { Container, ContainerExit, ContainerProvider, ContainerSpec } from '../ports.ts'
import { createCgroup } from './cgroup.ts'
import { abandonLaunch, createContainer } from './container.ts'
import { writeKillFile, type KillFile } from './kill-file.ts'
import { sealDescriptors } from './libc.ts'
import { DEFAULT_LIMITS, limitProcessIds, type Limits } from './limits.ts'
import { viewArguments } from './linux-view.ts'
import { identify, readBootId, readProcesses, sendSignal, type ProcessIdentity } from './processes.ts'
import { seccompFilter } from './seccomp.ts'
import { openPty } from './terminal.ts'
import { findTool, tryTool } from './tools.ts'
import { descriptorSaid, letGo, openerArguments, serveWayOut } from './way-out.ts'
import type { ContainerWrites } from './write-record.ts'

/**
 * Runs before bubblewrap, never with the agent's data: joins the cgroup in $1, if there is one to join, puts itself first
 * in line where the machine runs out of memory, reports, and goes on only at the host's word. When the host has gone there
 * is no word, and nothing starts.
 */
const GATE = `
echo 1000 > /proc/self/oom_score_adj
test -n "$1" && echo $$ > "$1/cgroup.procs"
shift
echo ready >&4
read -r word <&4 && test "$word" = go && exec "$@" 4<&-
exit 125`

const NAMESPACES = ['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try']

/** What no namespace holds: see there. */
const FILTER = seccompFilter()

/** What bubblewrap writes to `--info-fd`. */
const BubblewrapInfo = z.object({ 'child-pid': z.number().int().positive() })

const bubblewrapOptions = (spec: ContainerSpec, { canDisableUserNamespaces }: Tools, limits: Limits): string[] => [
  ...NAMESPACES,
  ...(spec.network === 'open' ? [] : ['--unshare-net']),
  // No namespaces within: they hand out capabilities over mounts and put processes out of sight.
  ...(canDisableUserNamespaces ? ['--disable-userns'] : []),
  ...['--die-with-parent', '--cap-drop', 'ALL'],
  ...viewArguments(spec, canDisableUserNamespaces ? limits.memoryBytes : null),
  '--clearenv',
  ...['--chdir', spec.cwd, '--info-fd', '5', '--block-fd', '7'],
  ...(FILTER === null ? [] : ['--seccomp', '8']),
]

type LaunchRecord = Pick<ContainerWrites, 'add' | 'miss' | 'isOn'>
const NO_WRITES: LaunchRecord = { add: async () => undefined, miss: () => undefined, isOn: () => false }

interface Tools {
  readonly bwrap: string
  readonly setpriv: string
  readonly prlimit: string
  readonly perl: string
  readonly nsenter: string | null
  readonly setsid: string
  readonly sh: string
  /** bubblewrap from 0.8 on, which can also limit a temporary file system. */
  readonly canDisableUserNamespaces: boolean
}

/** What the container is made with, proven by making one; or, for a person, why it cannot be made. */
const findTools = async (): Promise<Tools | string> => {
  const [bwrap, setpriv, setsid, sh, prlimit, perl] = ['bwrap', 'setpriv', 'setsid', 'sh', 'prlimit', 'perl'].map((name) => findTool(name))
  if (!bwrap) return 'bubblewrap is not installed. Install it: apt-get install bubblewrap (or dnf, pacman, apk).'
  if (!setpriv || !setsid || !sh || !prlimit) return 'setpriv, setsid or prlimit is missing. Install them: apt-get install util-linux.'
  if (!perl) return 'perl is missing: it opens the one way out of a closed network. Install it: apt-get install perl-base (or dnf install perl-interpreter, pacman -S perl).'
  const trial = [...NAMESPACES, '--die-with-parent', '--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev', 'true']
  const tools = { bwrap, setpriv, setsid, sh, prlimit, perl, nsenter: findTool('nsenter') }
  const canDisableUserNamespaces = (await tryTool(bwrap, ['--disable-userns', ...trial])) === null
  const problem = canDisableUserNamespaces ? null : await tryTool(bwrap, trial)
  if (problem === null) return { ...tools, canDisableUserNamespaces }
  return (
    `bubblewrap cannot make a container here (${problem}). Often user namespaces are switched off: allow them with ` +
    'sysctl kernel.unprivileged_userns_clone=1, or on Ubuntu with an AppArmor profile for bwrap that allows userns.'
  )
}

/**
 * Holds a session in namespaces of its own, made by bubblewrap: user, pid, ipc, uts and cgroup. Nothing inside sees,
 * signals or traces a process outside; nothing inside outlives the first process in there, which dies with
 * bubblewrap, which dies with this host, also when that is killed with SIGKILL (the thread that launches must be the
 * main one: the kernel ties the death to it). Neither capabilities nor set-user-id files give rights inside.
 *
 * A closed network is a namespace of its own too, with a loopback device and nothing else: no address, no name server,
 * no abstract unix socket of the machine can be reached. A command ended by signal N reports code 128 + N. `launch`
 * throws HoldfastError `container-unavailable` when it cannot hold what the spec asks. `writes` is told of each container that
 * can write more than its own home, before anything of the agent's runs in it.
 */
export const createLinuxProvider = (makeCgroup = createCgroup, limits = DEFAULT_LIMITS, writes: LaunchRecord = NO_WRITES): ContainerProvider => {
  let found: Promise<Tools | string> | undefined
  const tools = (): Promise<Tools | string> => (found ??= findTools())

  const launch = async (spec: ContainerSpec): Promise<Container> => {
    const ready = await tools()
    if (typeof ready === 'string') throw new HoldfastError('container-unavailable', ready)
    // A namespace made inside could hold a mount that is not recorded.
    if (!ready.canDisableUserNamespaces) writes.miss()
    const record = spec.writable.length > 0 && writes.isOn() ? writes.add : null
    const cgroup = makeCgroup(spec.sessionId, limits)
    const pty = spec.terminal === null ? null : openPty(spec.terminal)
    // Inside the user namespace, so that the processes in it are counted alone.
    const limited = [ready.prlimit, `--nproc=${limits.processes}`, '--']
    const command = [...limited, ...openerArguments(spec.network, ready.perl), ...(pty === null ? [] : [ready.setsid, '--ctty']), spec.file, ...spec.args]
    const gated = [ready.bwrap, '--args', '3', '--', ...command]
    const end = pty?.agentEnd ?? 'pipe'
    sealDescriptors()
    const child = spawn(ready.setpriv, ['--pdeathsig', 'KILL', ready.sh, '-c', GATE, 'sh', cgroup ?? '', ...gated], {
      cwd: '/',
      env: {},
      detached: true,
      stdio: [end, end, end, 'pipe', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
    })
    pty?.closeAgentEnd()
    const exited = new Promise<ContainerExit>((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }))
      child.once('error', () => resolve({ code: null, signal: null }))
    })
    try {
      // While the gate joins the cgroup, for which the kernel may wait some 10 ms.
      const options = bubblewrapOptions(spec, ready, limits)
      const limit = (init: number) => limitProcessIds(ready.nsenter, init, limits)
      const handle = await openGate(spec, child, { cgroup, options, limit, record })
      const { init } = handle
      return createContainer({
        handle,
        killFile: spec.killFile,
        pid: init?.pid ?? handle.root.pid,
        pipes: child.stdio,
        pty,
        exited,
        endsWithCommand: true,
        signal: (signal) => (init === null ? undefined : signalCommand(init, signal)),
        release: () => undefined,
      })
    } catch (error) {
      await abandonLaunch({ child, exited, pty, cgroup, killFile: spec.killFile })
      throw error
    }
  }

  const unavailable = async (): Promise<string | null> => {
    const ready = await tools()
    return typeof ready === 'string' ? ready : null
  }

  return { kind: 'linux', unavailable, launch }
}

/** Writes the kill file while the gate holds everything back, lets it go on, adds the namespace's first process and limits it. */
const openGate = async (
  spec: ContainerSpec,
  child: ChildProcess,
  { cgroup, options, limit, record }: { cgroup: string | null; options: readonly string[]; limit: (init: number) => Promise<void>; record: LaunchRecord['add'] | null },
): Promise<KillFile> => {
  const [argumentsEnd, gate, info, opener, block, filter] = child.stdio.slice(3) as [Duplex, Duplex, Duplex, Duplex, Duplex, Duplex]
  for (const stream of [argumentsEnd, gate, info, opener, block, filter]) stream.on('error', () => undefined)
  const reported = text(info)
  await new Promise((resolve) => gate.once('data', resolve).once('close', resolve))
  const root = child.pid === undefined ? null : identify(child.pid)
  if (root === null) throw await startFailure(child)
  const { sessionId, cwd } = spec
  const early: KillFile = { version: 1, kind: 'linux', sessionId, cwd, bootId: readBootId(), cgroup, root, init: null }
  writeKillFile(spec.killFile, early)
  spec.requireStart?.()
  gate.end('go\n')
  filter.end(FILTER)
  argumentsEnd.end(options.map((option) => `${option}\0`).join(''))
  const answer = await reported
  if (answer === '') throw await startFailure(child)
  const init = identify(BubblewrapInfo.parse(JSON.parse(answer))['child-pid'])
  const handle = { ...early, init }
  if (init !== null) writeKillFile(spec.killFile, handle)
  const limited = init === null ? Promise.resolve() : limit(init.pid)
  block.end('go\n')
  const descriptor = await descriptorSaid(opener)
  if (descriptor === null || init === null) throw await startFailure(child)
  const recorded = record?.(init.pid)
  if (typeof spec.network === 'object') await serveWayOut(spec.network, init.pid, descriptor)
  await Promise.all([limited, recorded])
  // Until now nothing of the agent's ran.
  letGo(opener, spec.env)
  return handle
}

const startFailure = async (child: ChildProcess): Promise<HoldfastError> => {
  child.kill('SIGKILL')
  const said = child.stderr === null ? '' : (await text(child.stderr)).trim()
  return new HoldfastError('container-unavailable', `The container did not start. ${said || 'It did not say why.'}`)
}

/** The command is the first child that the namespace's first process has; what it adopts later began later. */
const signalCommand = (init: ProcessIdentity, signal: NodeJS.Signals): void => {
  const [command] = readProcesses().filter(({ parent }) => parent === init.pid).sort((a, b) => a.startTime - b.startTime || pidInside(a.pid) - pidInside(b.pid))
  if (command !== undefined) sendSignal(command.pid, signal)
}

const pidInside = (pid: number): number => {
  try {
    return Number(/^NSpid:.*\s(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0)
  } catch {
    return 0
  }
}
