import { accessSync, chmodSync, closeSync, constants, fsyncSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import { HoldfastError } from '../../contract/errors.ts'

export type Database = BetterSqlite3.Database

/** One step of a database's schema. Versions count 1, 2, 3 … without a gap. */
export interface Migration {
  readonly version: number
  readonly sql: string
}

export interface DatabaseOptions {
  /** Absolute path; its folder exists. */
  readonly file: string
  /** Marks the file as this kind of database: SQLite's `application_id`. */
  readonly applicationId: number
  readonly migrations: readonly Migration[]
}

/** Two that open in the same instant refuse each other (both hold it shared): a lock that outlasts this is a host's. */
const LOCK_ATTEMPTS = 8
const LOCK_PAUSE_MS = 25

/** Keeps open databases from the garbage collector, which would close one and let its lock go. */
const held = new Set<Database>()

/**
 * Opens, creating it (0600) when missing, and holds an exclusive lock until `closeDatabase` or the end of the
 * process, however it ends. Every commit is on disk before it returns: a write-ahead log synced per commit needs one
 * sync where a rollback journal needs three, and was measured at three to four times its rate.
 *
 * While it is open, open the file in this process in no other way: closing any descriptor of it drops the lock.
 *
 * Throws HoldfastError `host-busy` (another process has it), `read-only`, `disk-full`, `version-mismatch` (written by
 * a newer Holdfast) or `ledger-unavailable` (not a database of this kind, or damaged); the file is then as it was.
 */
export const openDatabase = (options: DatabaseOptions): Database => {
  options.migrations.forEach(({ version }, index) => {
    if (version !== index + 1) throw new Error(`migration ${version} stands where ${index + 1} belongs`)
  })
  for (let attempt = 1; ; attempt += 1) {
    try {
      createFile(options.file)
      return openLocked(options)
    } catch (error) {
      const told = databaseError(error, options.file)
      if (told.code !== 'host-busy' || attempt === LOCK_ATTEMPTS) throw told
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.random() * LOCK_PAUSE_MS)
    }
  }
}

const createFile = (file: string): void => {
  const folder = dirname(file)
  accessSync(folder, constants.R_OK | constants.W_OK)
  try {
    closeSync(openSync(file, 'ax', 0o600))
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
    accessSync(file, constants.R_OK | constants.W_OK)
    chmodSync(file, 0o600)
    return
  }
  if (process.platform === 'win32') return
  const handle = openSync(folder, 'r')
  fsyncSync(handle)
  closeSync(handle)
}

const errorCode = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '')

const openLocked = ({ file, applicationId, migrations }: DatabaseOptions): Database => {
  const database = new BetterSqlite3(file, { timeout: 0, fileMustExist: true })
  try {
    database.pragma('locking_mode = EXCLUSIVE')
    const empty = database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined
    if (!empty && database.pragma('application_id', { simple: true }) !== applicationId) {
      throw new HoldfastError(
        'ledger-unavailable',
        `${file} is a database of another program. Move it away and start again.`,
      )
    }
    const version = Number(database.pragma('user_version', { simple: true }))
    if (version > migrations.length) {
      throw new HoldfastError(
        'version-mismatch',
        `${file} was written by a newer Holdfast (format ${version}; this one knows ${migrations.length}). ` +
          'Update Holdfast; the file was left as it is.',
      )
    }
    database.pragma('journal_mode = WAL')
    database.pragma('synchronous = FULL')
    database.pragma('fullfsync = ON')
    for (const migration of migrations.slice(version)) {
      database.exec(
        `BEGIN IMMEDIATE; PRAGMA application_id = ${applicationId}; ${migration.sql}; ` +
          `PRAGMA user_version = ${migration.version}; COMMIT`,
      )
    }
    held.add(database)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** Closes and lets the lock go. */
export const closeDatabase = (database: Database): void => {
  database.close()
  held.delete(database)
}

/** Puts a fault of the driver or the file system into words for a person. Passes a HoldfastError through. */
export const databaseError = (error: unknown, file: string): HoldfastError => {
  if (error instanceof HoldfastError) return error
  const code = errorCode(error)
  const say = (kind: HoldfastError['code'], message: string) => new HoldfastError(kind, message, { cause: error })
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) {
    return say('host-busy', `Another Holdfast host is using ${file}. Use that one, or stop it first.`)
  }
  if (code === 'SQLITE_FULL' || code === 'ENOSPC' || code === 'EDQUOT') {
    return say('disk-full', `The disk that holds ${file} is full. Free some space and try again.`)
  }
  if (/^SQLITE_READONLY|^(EROFS|EACCES|EPERM)$/.test(code)) {
    return say(
      'read-only',
      `${file} cannot be written. Make it and its folder writable for you, or set HOLDFAST_HOME to a folder that is.`,
    )
  }
  if (code === 'ENOENT') {
    return say('ledger-unavailable', `The folder of ${file} does not exist. Create it and try again.`)
  }
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) {
    return say(
      'ledger-unavailable',
      `${file} is damaged and was left as it is. Restore it from a backup, or keep it as evidence and ` +
        'begin a new one: "holdfast ledger begin-anew".',
    )
  }
  return say('ledger-unavailable', `${file} cannot be used: ${error instanceof Error ? error.message : String(error)}`)
}

/** Runs `work`, and throws what it throws as `databaseError` puts it. */
export const inDatabaseWords = <Result>(file: string, work: () => Result): Result => {
  try {
    return work()
  } catch (error) {
    throw databaseError(error, file)
  }
}
