import { execFileSync, spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { HoldfastError } from '../../contract/errors.ts'
import type { Container, ContainerExit, ContainerProvider, ContainerSpec, KillProof } from '../ports.ts'
import { descendantsOf, parsePs, type ProcessStat } from './proc-parse.ts'
import { isAlive, sendSignal } from './processes.ts'
import { seatbeltProfile } from './seatbelt-profile.ts'
import { findTool } from './tools.ts'

const KILL_TIMEOUT_MS = 5_000
/** How often the tree is looked at, so that what later loses its parent is known already, in ms. */
const LOOK_MS = 250

const look = (): ProcessStat[] => parsePs(execFileSync('/bin/ps', ['-axo', 'pid=,ppid=,stat=,lstart='], { env: { LC_ALL: 'C' }, encoding: 'utf8', maxBuffer: 16 * 1024 * 1024 }))
const nameOf = ({ pid, startTime }: ProcessStat): string => `${pid} ${startTime}`

/**
 * Not run on this platform yet: written against sandbox-exec(1), ps(1) and kill(2) as documented.
 *
 * Hides by a Seatbelt profile what the spec does not list, and holds processes by descent. macOS has no subreaper: one
 * that was orphaned between two looks, in a new session and with no parent left, is not found by the sweep; it stays
 * inside the profile. No terminal, no closed network, and no kill file: a kill needs the host.
 */
export const createMacosProvider = (walls: boolean): ContainerProvider => {
  const unavailable = async (): Promise<string | null> => {
    if (process.platform !== 'darwin') return 'A macos container needs macOS.'
    return findTool('sandbox-exec') === null ? 'sandbox-exec is missing from this macOS.' : null
  }

  const launch = async (spec: ContainerSpec): Promise<Container> => {
    const refuse = (why: string): HoldfastError => new HoldfastError('container-unavailable', why)
    const problem = await unavailable()
    if (problem !== null) throw refuse(problem)
    if (spec.terminal !== null) throw refuse('An agent has no terminal on macOS yet. Run it without one, as in: claude -p.')
    if (spec.network !== 'open') throw refuse('A macos container cannot close the network. Say network: { mode: open } in your profile.')
    const profile = walls ? seatbeltProfile(spec) : '(version 1)(allow default)'
    const child = spawn('/usr/bin/sandbox-exec', ['-p', profile, spec.file, ...spec.args], { cwd: spec.cwd, env: spec.env, detached: true, stdio: 'pipe' })
    const exited = new Promise<ContainerExit>((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }))
      child.once('error', () => resolve({ code: null, signal: null }))
    })
    const { pid } = child
    if (pid === undefined) throw refuse('The container did not start.')

    const known = new Map<string, ProcessStat>()
    const members = (): ProcessStat[] => {
      const processes = look()
      const still = processes.filter((process) => process.pid === pid || known.has(nameOf(process)))
      const inside = [...still, ...descendantsOf(processes, new Set(still.map((process) => process.pid)))].filter(isAlive)
      known.clear()
      for (const process of inside) known.set(nameOf(process), process)
      return inside
    }
    members()
    const looking = setInterval(members, LOOK_MS).unref()

    const freeze = async (): Promise<void> => {
      for (let still = 0; still < 2; ) {
        const running = members().filter(({ state }) => state !== 'T')
        for (const process of running) sendSignal(process.pid, 'SIGSTOP')
        still = running.length === 0 ? still + 1 : 0
      }
    }
    const kill = async (): Promise<KillProof> => {
      const startedAt = performance.now()
      const killed = new Set<string>()
      let survivors: ProcessStat[] = []
      for (let empty = 0; empty < 2; ) {
        survivors = members()
        for (const process of survivors) {
          sendSignal(process.pid, 'SIGKILL')
          killed.add(nameOf(process))
        }
        empty = survivors.length === 0 ? empty + 1 : 0
        if (performance.now() - startedAt > KILL_TIMEOUT_MS) break
        if (empty === 0) await delay(5)
      }
      if (survivors.length === 0) clearInterval(looking)
      return { killed: killed.size, survivors: survivors.map((process) => process.pid), durationMs: performance.now() - startedAt }
    }
    child.stdin.on('error', () => undefined)
    return {
      kind: 'macos',
      pid,
      pipes: { stdin: child.stdin, stdout: child.stdout, stderr: child.stderr },
      terminal: null,
      exited,
      freeze,
      thaw: async () => members().forEach((process) => sendSignal(process.pid, 'SIGCONT')),
      kill,
      signal: (signal) => void child.kill(signal),
      contains: async (one) => members().some((process) => process.pid === one),
      processes: async () => members().map((process) => process.pid),
    }
  }

  return { kind: 'macos', unavailable, launch }
}
