import { randomUUID } from 'node:crypto'
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import BetterSqlite3 from 'better-sqlite3'
import { HoldfastError } from '../../contract/errors.ts'
import { readIfThere, writeWhole } from '../whole-file.ts'

const RETRY_MS = 15

/**
 * A lock between processes that ends with the process that holds it, however that ends: SQLite's own on `file`, an empty
 * database that is never written to. Beside it stands who held it last.
 */
export const createProcessLock = (file: string, waitMs = 30_000) => {
  const me = `${process.pid} ${randomUUID()}`
  const holderFile = `${file}.holder`
  let held: BetterSqlite3.Database | null = null

  const tryOnce = (): BetterSqlite3.Database | null => {
    const database = new BetterSqlite3(file, { timeout: 0 })
    try {
      database.exec('BEGIN IMMEDIATE')
      return database
    } catch (error) {
      database.close()
      if (/^SQLITE_(BUSY|LOCKED)/.test(String((error as { code?: unknown }).code))) return null
      throw error
    }
  }

  return {
    /**
     * Waits for the lock. Resolves to true when someone else has held it since this one last did: then nothing in memory
     * may be trusted. Throws HoldfastError `host-busy` when it takes too long.
     */
    async acquire(): Promise<boolean> {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
      // Only while it is not there: closing any descriptor of it lets this process's lock go.
      if (!existsSync(file)) closeSync(openSync(file, 'a', 0o600))
      for (const deadline = performance.now() + waitMs; ; await after(RETRY_MS)) {
        const database = tryOnce()
        const holder = readIfThere(holderFile)
        if (database === null) {
          if (performance.now() < deadline) continue
          throw new HoldfastError('host-busy', `Another Holdfast process (${holder?.split(' ', 1)[0] ?? 'unknown'}) is at work here. Wait for it, or end it, then try again.`)
        }
        held = database
        if (holder === me) return false
        writeWhole(holderFile, me)
        return true
      }
    },

    release(): void {
      held?.close()
      held = null
    },
  }
}
export type ProcessLock = ReturnType<typeof createProcessLock>
