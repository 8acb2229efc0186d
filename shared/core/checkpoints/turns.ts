import type { ProcessLock } from '../storage/process-lock.ts'
import { overlap } from './activity.ts'

/** The whole file system: overlaps with everything. */
export const EVERYWHERE: readonly string[] = ['/']

/**
 * Works on folders take turns: what overlaps goes one after the other, in the order asked; what does not, at the same
 * time. The lock between processes is held while any work is under way.
 */
export const createTurns = (lock: ProcessLock, onOthersWork: () => void) => {
  const waiting = new Set<{ readonly folders: readonly string[]; readonly done: Promise<unknown> }>()
  let working = 0
  let locked: Promise<void> | null = null

  const enter = async (): Promise<void> => {
    working += 1
    locked ??= lock.acquire().then((isOthers) => {
      if (isOthers) onOthersWork()
    })
    await locked
  }
  const leave = (): void => {
    working -= 1
    if (working > 0) return
    locked = null
    lock.release()
  }

  return async <Result>(folders: readonly string[], work: () => Promise<Result>): Promise<Result> => {
    const before = [...waiting].filter((other) => overlap(other.folders, folders)).map(({ done }) => done)
    const turn = (async () => {
      await Promise.all(before)
      try {
        await enter()
        return await work()
      } finally {
        leave()
      }
    })()
    const mine = { folders, done: turn.catch(() => undefined) }
    waiting.add(mine)
    try {
      return await turn
    } finally {
      waiting.delete(mine)
    }
  }
}
