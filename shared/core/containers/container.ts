import type { ChildProcess } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { Container, ContainerExit, KillProof } from '../ports.ts'
import { removeCgroup } from './cgroup.ts'
import { createGrip } from './grip.ts'
import { removeKillFile, type KillFile } from './kill-file.ts'
import type { Pty } from './terminal.ts'

/** How long the end waits for output that a terminal still holds. A daemon may hold it open for ever. */
const DRAIN_MS = 200
/** How long the last output of an empty container may take to be read. */
const TAIL_MS = 5_000

export interface LaunchedProcess {
  readonly handle: KillFile
  readonly killFile: string
  readonly pid: number
  /** Standard input, output and error first; used where there is no terminal. */
  readonly pipes: readonly (Readable | Writable | null | undefined)[]
  readonly pty: Pty | null
  readonly exited: Promise<ContainerExit>
  /** Whether nothing may stay when the command has ended. */
  readonly endsWithCommand: boolean
  signal(signal: NodeJS.Signals): void
  /** Called once, when the container is proven empty. */
  release(): void
}

/** What all containers on Linux have in common once their first process runs. */
export const createContainer = (launched: LaunchedProcess): Container => {
  const { handle, pty } = launched
  const grip = createGrip(handle)
  let turn: Promise<unknown> = Promise.resolve()
  let killing: Promise<KillProof> | null = null
  let released = false

  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const mine = turn.then(() => (killing === null && !released ? work() : undefined))
    turn = mine.catch(() => undefined)
    return mine
  }

  const release = (): void => {
    if (released) return
    released = true
    launched.release()
    // What was printed last may still be on its way to a slow reader; then it closes by itself.
    if (pty !== null) void Promise.race([pty.closed, delay(TAIL_MS, undefined, { ref: false })]).then(() => pty.destroy())
    removeKillFile(launched.killFile)
  }

  const kill = (): Promise<KillProof> => {
    killing ??= grip
      .kill()
      .then((proof) => {
        if (proof.survivors.length === 0) release()
        return proof
      })
      .finally(() => {
        killing = null
      })
    return killing
  }

  const exited = launched.exited.then(async (exit) => {
    if (pty !== null) await Promise.race([pty.closed, delay(DRAIN_MS)])
    return exit
  })
  const tidy = async (): Promise<void> => {
    await exited
    if (launched.endsWithCommand) await kill()
    else if (grip.processes().length === 0) release()
  }
  // What could not be tidied is left to `kill`, which reports it.
  tidy().catch(() => undefined)

  return {
    kind: handle.kind,
    pid: launched.pid,
    pipes: pty === null ? pipesOf(launched.pipes) : null,
    terminal: pty?.terminal ?? null,
    exited,
    freeze: () => inTurn(grip.freeze),
    thaw: () => inTurn(grip.thaw),
    kill,
    signal: launched.signal,
    contains: async (pid) => grip.contains(pid),
    processes: async () => grip.processes(),
  }
}

/** Takes back what a launch that failed had begun. */
export const abandonLaunch = async (begun: {
  readonly child: ChildProcess
  readonly exited: Promise<ContainerExit>
  readonly pty: Pty | null
  readonly cgroup: string | null
  readonly killFile: string
}): Promise<void> => {
  begun.child.kill('SIGKILL')
  await begun.exited
  begun.pty?.destroy()
  if (begun.cgroup !== null) removeCgroup(begun.cgroup)
  removeKillFile(begun.killFile)
}

const pipesOf = (pipes: LaunchedProcess['pipes']): NonNullable<Container['pipes']> => {
  const [stdin, stdout, stderr] = pipes as [Writable, Readable, Readable]
  // A command that ends before it has read all of its input is no fault of the writer.
  stdin.on('error', () => undefined)
  return { stdin, stdout, stderr }
}
