import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openLedger } from '../../shared/core/ledger/ledger.ts'
import { fillLedger, sessionOf } from './ledger-fill.ts'
import { median, whole } from './numbers.ts'

/**
 * How long a ledger that was left by SIGKILL under the load of twenty sessions takes until it has a new entry on disk: its
 * log is read again, its head compared, and the first entry appended.
 *
 *   node test/bench/ledger-restart.ts [kills] [entries in it before]        default: 30, 100000
 */
const KILLS = Number(process.argv[2] ?? 30)
const ENTRIES = Number(process.argv[3] ?? 100_000)
const CHILD = fileURLToPath(new URL('../fixtures/ledger-child.ts', import.meta.url))
const LONGEST_LOAD_MS = 2_000
const scratch = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))

try {
  const file = join(scratch, 'ledger.db')
  fillLedger(file, ENTRIES)
  const restarts: number[] = []
  const logs: number[] = []
  let entries = 0
  for (let kill = 0; kill < KILLS; kill += 1) {
    const child = spawn(process.execPath, [CHILD, 'load', file], { env: {}, stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    child.stdout.resume()
    await delay(Math.random() * LONGEST_LOAD_MS)
    child.kill('SIGKILL')
    await once(child, 'close')
    logs.push(statSync(`${file}-wal`).size / 2 ** 20)
    const start = performance.now()
    const ledger = openLedger({ file, clock: { now: Date.now } })
    entries = ledger.append('session/resumed', sessionOf(1), {}).sequence
    restarts.push(performance.now() - start)
    ledger.close()
  }
  console.table([
    { what: `restart to a durable entry after ${KILLS} SIGKILLs, p50 ms`, value: median(restarts).toFixed(0), target: '' },
    { what: 'slowest, ms', value: Math.max(...restarts).toFixed(0), target: '< 1,000' },
    { what: 'log to read again, largest MB', value: Math.max(...logs).toFixed(1), target: '' },
    { what: 'entries at the end', value: whole(entries), target: '' },
    { what: `load average while it ran, on ${cpus().length} cores`, value: (loadavg()[0] ?? 0).toFixed(1), target: '' },
  ])
} finally {
  rmSync(scratch, { recursive: true })
}
