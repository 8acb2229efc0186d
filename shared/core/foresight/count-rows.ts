import { execFile } from 'node:child_process'
import { lstat, realpath, stat } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { isWithin } from '../../domain/foresight/operands.ts'

const TIMEOUT_MS = 2_000
const MAX_BYTES = 4 * 1024 ** 3

/** Runs apart, so that a file made to mislead SQLite, or a count without end, takes nothing with it. */
const COUNT = `
const { DatabaseSync } = require('node:sqlite')
const [file, sql] = process.argv.slice(-2)
const database = new DatabaseSync(new URL(file), { readOnly: true, enableForeignKeyConstraints: false, allowExtension: false })
database.exec('PRAGMA trusted_schema = OFF; PRAGMA query_only = ON; PRAGMA cell_size_check = ON')
process.stdout.write(String(database.prepare(sql).get().n))
`

/**
 * Counts rows in a SQLite file of the session's folders, which is opened as one that never changes: nothing is written,
 * locked or made beside it. Says why not when another program may be writing to it, or it cannot be counted in two seconds.
 */
export const countInSqlite = async (file: string, sql: string, roots: readonly string[], signal: AbortSignal): Promise<{ rows: number } | { why: string }> => {
  const real = await realpath(file).catch(() => null)
  if (real === null) return { why: 'there is no such database' }
  if (!roots.some((root) => isWithin(real, root)) || !(await lstat(real)).isFile()) return { why: 'the database lies outside the folders of the session' }
  if ((await stat(real)).size > MAX_BYTES) return { why: 'the database is larger than is counted here' }
  for (const suffix of ['-wal', '-journal']) {
    const beside = await stat(real + suffix).catch(() => null)
    if (beside !== null && beside.size > 0) return { why: 'another program is writing to the database' }
  }
  const url = `${pathToFileURL(real).href}?mode=ro&immutable=1`
  return new Promise((resolve) => {
    const options = { env: {}, timeout: TIMEOUT_MS, killSignal: 'SIGKILL' as const, maxBuffer: 1_024, signal }
    execFile(process.execPath, ['--no-warnings', '--permission', `--allow-fs-read=${real}`, '-e', COUNT, '--', url, sql], options, (error, stdout) => {
      resolve(error === null && /^\d{1,15}$/.test(stdout) ? { rows: Number(stdout) } : { why: 'the database could not be counted' })
    })
  })
}
