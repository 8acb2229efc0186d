import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readEndpoint } from '../../shared/core/transports/endpoint-file.ts'
import { fillLedger } from './ledger-fill.ts'

/**
 * `holdfast ledger export` of a small and a large ledger, to a file and to an OpenTelemetry collector that throws away what it
 * takes, with the most memory that the command line and its host ever took: it must not grow with the ledger. Needs the
 * bundles (npm start makes them).
 *
 *   node test/bench/ledger-export.ts [entries] [format]        default: 1000000, and jsonl, csv and otlp
 */
const ENTRIES = Number(process.argv[2] ?? 1_000_000)
const CLI = fileURLToPath(new URL('../../build/out/host/cli.mjs', import.meta.url))
const FORMATS = process.argv[3] === undefined ? ['jsonl', 'csv', 'otlp'] : [process.argv[3]]
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
  let last = ''
  const timer = setInterval(() => (peak = Math.max(peak, peakOf(child.pid ?? 0))), 50)
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    for (const byte of chunk) if (byte === 10) lines += 1
    last = chunk.toString()
  }
  clearInterval(timer)
  return { lines, peak, last }
}

const startCollector = async () => {
  const server = createServer((request, response) => request.resume().on('end', () => response.end())).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() }
}

const measure = async (format: string, entries: number) => {
  const home = join(scratch, `${format}-${entries}`)
  mkdirSync(join(home, 'data'), { recursive: true, mode: 0o700 })
  fillLedger(join(home, 'data', 'ledger.db'), entries)
  await run(home, ['sessions'])
  const pid = (await readEndpoint(join(home, 'run')))?.pid ?? 0
  const start = performance.now()
  const collector = format === 'otlp' ? await startCollector() : null
  const { lines, peak, last } = await run(home, ['ledger', 'export', '--format', format, ...(collector === null ? [] : ['--to', collector.url, '--json'])])
  collector?.close()
  const exported = collector === null ? lines : (JSON.parse(last) as { sent: number }).sent
  const seconds = (performance.now() - start) / 1_000
  const host = peakOf(pid)
  await run(home, ['down'])
  rmSync(home, { recursive: true })
  return { what: `${format}, ${entries.toLocaleString('en')} entries`, exported: exported.toLocaleString('en'), 'command line, peak MB': peak.toFixed(0), 'host, peak MB': host.toFixed(0), 'entries / s': Math.round(exported / seconds).toLocaleString('en') }
}

try {
  const rows = []
  for (const format of FORMATS) for (const entries of [ENTRIES / 10, ENTRIES]) rows.push(await measure(format, entries))
  console.table(rows)
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
