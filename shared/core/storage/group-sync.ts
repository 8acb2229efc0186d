import { closeSync, existsSync, fdatasync, fdatasyncSync, fstatSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes what was written to a file durable; who waits at the same time shares one sync. Once one has failed, every later one
 * does: the system forgets what it could not write, and the next sync would say that all is well.
 */
export interface GroupSync {
  /** Resolves when all that was written before is on disk; rejects with the system's error when it may not be. */
  sync(): Promise<void>
  /** The same at once, on this thread. Throws the system's error. */
  syncNow(): void
  /** Makes durable what was written so far; from then on `sync` rejects. Throws the system's error. */
  close(): void
}

/** Makes a file's name durable. */
const syncFolder = (folder: string): void => {
  if (process.platform === 'win32') return
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/**
 * On a disk whose last sync took less than this, the next is made on this thread: to wake another, and be woken by it, was
 * measured at half a sync more. What takes longer holds up nobody else.
 */
const QUICK_MS = 0.5

const ZEROS = Buffer.alloc(256 * 1024)

/** Zeros up to this length, or, where there is no room for them, the file as it was. */
const fill = (descriptor: number, bytes: number): void => {
  const { size } = fstatSync(descriptor)
  try {
    for (let at = size; at < bytes; at += ZEROS.length) writeSync(descriptor, ZEROS, 0, Math.min(ZEROS.length, bytes - at), at)
    fdatasyncSync(descriptor)
  } catch {
    ftruncateSync(descriptor, size)
  }
}

/**
 * null when the file is not there. The file must not be replaced by another while this is open, nor written before it
 * returns. It is filled with zeros up to `reserved` bytes: a sync of what is written there later need not note a new length
 * of the file as well, and was measured at a tenth of the time.
 */
export const openGroupSync = (file: string, reserved: number): GroupSync | null => {
  if (!existsSync(file)) return null
  const descriptor = openSync(file, 'r+')
  fill(descriptor, reserved)
  syncFolder(dirname(file))
  let isClosed = false
  let running: Promise<void> | null = null
  let next: Promise<void> | null = null
  let failure: Error | null = null
  let tookMs = Number.POSITIVE_INFINITY

  const syncNow = (): void => {
    if (failure !== null) throw failure
    try {
      fdatasyncSync(descriptor)
    } catch (error) {
      failure = error as Error
      throw error
    }
  }

  const start = (): Promise<void> => {
    if (isClosed) return Promise.reject(new Error(`${file} is closed`))
    if (failure !== null) return Promise.reject(failure)
    const run = new Promise<void>((resolve, reject) => {
      // After what is sent in this turn: the disk works, on this thread or another, while somebody else does too.
      setImmediate(() => {
        // Then closing has made it durable, or failed to.
        if (isClosed) return failure === null ? resolve() : reject(failure)
        const before = performance.now()
        const onSynced = (error: Error | null): void => {
          tookMs = performance.now() - before
          if (error === null) resolve()
          else reject((failure = error))
        }
        if (tookMs >= QUICK_MS) return fdatasync(descriptor, onSynced)
        try {
          fdatasyncSync(descriptor)
          onSynced(null)
        } catch (error) {
          onSynced(error as Error)
        }
      })
    })
    running = run
    const over = (): void => {
      if (running === run) running = null
    }
    run.then(over, over)
    return run
  }

  return {
    sync: () => {
      if (running === null) return start()
      // The one under way may have begun before what is to be made durable was written.
      next ??= running
        .catch(() => undefined)
        .then(() => {
          next = null
          return start()
        })
      return next
    },
    syncNow,
    close: () => {
      if (isClosed) return
      isClosed = true
      try {
        syncNow()
      } finally {
        closeSync(descriptor)
      }
    },
  }
}
