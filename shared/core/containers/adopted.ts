import type { Container, ContainerExit } from '../ports.ts'
import { createGrip } from './grip.ts'
import { removeKillFile, type KillFile } from './kill-file.ts'

/** How often a container without a first process of ours is looked at for its end, in ms. */
const LOOK_MS = 500

/**
 * A container that another host launched and left, held by its kill file alone: no input or output, and how its command
 * ended is not known. `exited` resolves when nothing is left inside; then the kill file is removed.
 */
export const adoptContainer = (handle: KillFile, killFile: string): Container => {
  const grip = createGrip(handle)
  const { promise: exited, resolve } = Promise.withResolvers<ContainerExit>()
  const over = (): void => {
    clearInterval(looking)
    removeKillFile(killFile)
    resolve({ code: null, signal: null })
  }
  const looking = setInterval(() => grip.processes().length === 0 && over(), LOOK_MS).unref()
  return {
    kind: handle.kind,
    pid: handle.root.pid,
    pipes: null,
    terminal: null,
    exited,
    freeze: grip.freeze,
    thaw: grip.thaw,
    kill: async () => {
      const proof = await grip.kill()
      if (proof.survivors.length === 0) over()
      return proof
    },
    signal: () => undefined,
    contains: async (pid) => grip.contains(pid),
    processes: async () => grip.processes(),
  }
}
