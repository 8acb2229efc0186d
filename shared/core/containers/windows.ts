import { spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { HoldfastError } from '../../contract/errors.ts'
import type { Container, ContainerExit, ContainerProvider, ContainerSpec, KillProof } from '../ports.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import { createJob } from './windows-job.ts'

const KILL_TIMEOUT_MS = 5_000

/** Waits until it is in the job, and then starts the command: a process started later is born in the job of its parent. */
const GATE = `
process.once('message', ({ file, args, cwd, env }) => {
  const child = require('node:child_process').spawn(file, args, { cwd, env, stdio: 'inherit', windowsHide: true })
  child.once('error', () => process.exit(127)).once('exit', (code) => process.exit(code ?? 1))
  process.disconnect()
})`

/**
 * Not run on this platform yet: written against Windows' job objects as documented. Holds processes, and hides nothing:
 * the agent sees and may do what its user may, so this is a container for `sandbox: off` alone. No terminal, no closed
 * network, and no kill file: when the host dies, its jobs close and everything in them ends.
 */
export const createWindowsProvider = (): ContainerProvider => {
  const unavailable = async (): Promise<string | null> => (process.platform === 'win32' ? null : 'A windows container needs Windows.')

  const launch = async (spec: ContainerSpec): Promise<Container> => {
    const refuse = (why: string): HoldfastError => new HoldfastError('container-unavailable', why)
    const problem = await unavailable()
    if (problem !== null) throw refuse(problem)
    if (spec.terminal !== null) throw refuse('An agent has no terminal on Windows yet. Run it without one, as in: claude -p.')
    if (spec.network !== 'open') throw refuse('A windows container cannot close the network. Say network: { mode: open } in your profile.')
    const job = createJob(DEFAULT_LIMITS)
    const child = spawn(process.execPath, ['-e', GATE], { cwd: spec.cwd, env: {}, stdio: ['pipe', 'pipe', 'pipe', 'ipc'], windowsHide: true })
    const { pid, stdin, stdout, stderr } = child
    if (pid === undefined || stdin === null || stdout === null || stderr === null || !job.assign(pid)) {
      child.kill()
      job.close()
      throw refuse('The container did not start.')
    }
    const exited = new Promise<ContainerExit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
    child.send({ file: spec.file, args: spec.args, cwd: spec.cwd, env: spec.env })

    let isOver = false
    // Windows counts suspensions: each process once.
    const held = new Set<number>()
    const processes = (): number[] => (isOver ? [] : job.processes())
    const freeze = async (): Promise<void> => {
      for (let still = 0; still < 2; ) {
        const running = processes().filter((one) => !held.has(one))
        for (const one of running) {
          job.suspend(one)
          held.add(one)
        }
        still = running.length === 0 ? still + 1 : 0
      }
    }
    const kill = async (): Promise<KillProof> => {
      const startedAt = performance.now()
      const killed = processes().length
      let survivors = processes()
      while (survivors.length > 0 && performance.now() - startedAt < KILL_TIMEOUT_MS) {
        job.terminate()
        await delay(5)
        survivors = processes()
      }
      if (survivors.length === 0 && !isOver) {
        isOver = true
        job.close()
      }
      return { killed, survivors, durationMs: performance.now() - startedAt }
    }
    stdin.on('error', () => undefined)
    return {
      kind: 'windows',
      pid,
      pipes: { stdin, stdout, stderr },
      terminal: null,
      exited,
      freeze,
      thaw: async () => {
        for (const one of held) job.resume(one)
        held.clear()
      },
      kill,
      signal: () => void child.kill(),
      contains: async (one) => processes().includes(one),
      processes: async () => processes(),
    }
  }

  return { kind: 'windows', unavailable, launch }
}
