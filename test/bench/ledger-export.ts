import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readEndpoint } from '../../shared/core/transports/endpoint-file.ts'
import { fillLedger } from './ledger-fill.ts'

/**
 * `holdfast ledger export` of a small and a large ledger, with the most memory that the command line and its host ever
 * took: it must not grow with the ledger. Needs the bundles (npm start makes them).
 *
 *   node test/bench/ledger-export.ts [entries]        default: 1000000
 */
const ENTRIES = Number(process.argv[2] ?? 1_000_000)
const CLI = fileURLToPath(new URL('../../build/out/host/cli.mjs', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'hf-'))

/** The most memory a process has had, in MB; 0 when it has ended. Linux alone. */
const peakOf = (pid: number): number => {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024
  } catch {
    return 0
  }
}

const run = async (home: string, args: readonly string[]) => {
  const child = spawn(process.execPath, [CLI, ...args], { env: { PATH: '/usr/bin:/bin', HOME: home, HOLDFAST_HOME: home }, stdio: ['ignore', 'pipe', 'inherit'] })
  let lines = 0
  let peak = 0
  const timer = setInterval(() => (peak = Math.max(peak, peakOf(child.pid ?? 0))), 50)
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    for (const byte of chunk) if (byte === 10) lines += 1
  }
  clearInterval(timer)
  return { lines, peak }
}

const measure = async (format: string, entries: number) => {
  const home = join(scratch, `${format}-${entries}`)
  mkdirSync(join(home, 'data'), { recursive: true, mode: 0o700 })
  fillLedger(join(home, 'data', 'ledger.db'), entries)
  await run(home, ['sessions'])
  const pid = (await readEndpoint(join(home, 'run')))?.pid ?? 0
  const start = performance.now()
  const { lines, peak } = await run(home, ['ledger', 'export', '--format', format])
  const seconds = (performance.now() - start) / 1_000
  const host = peakOf(pid)
  await run(home, ['down'])
  rmSync(home, { recursive: true })
  return { what: `${format}, ${entries.toLocaleString('en')} entries`, lines: lines.toLocaleString('en'), 'command line, peak MB': peak.toFixed(0), 'host, peak MB': host.toFixed(0), 'entries / s': Math.round(lines / seconds).toLocaleString('en') }
}

try {
  const rows = []
  for (const format of ['jsonl', 'csv']) for (const entries of [ENTRIES / 10, ENTRIES]) rows.push(await measure(format, entries))
  console.table(rows)
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
