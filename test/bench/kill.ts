/**
 * Kill and start-up, measured: `node test/bench/kill.ts [rounds]`.
 * Kill: 200 processes, two thirds in sessions of their own, time until a look at /proc finds none of them, next to
 * what others do: SIGKILL to the process group, and to every descendant found by walking the tree once. For those the
 * time is that of the kill alone, and what they leave is counted (and then removed).
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { descendantsOf } from '../../shared/core/containers/proc-parse.ts'
import { readProcesses, sendSignal } from '../../shared/core/containers/processes.ts'
import type { Listen } from '../../shared/core/ports.ts'
import { aliveWith, makeScene, printed, PROVIDERS } from '../fixtures/containers.ts'

const PROCESSES = 200
const rounds = Number(process.argv[2] ?? 30)
const scene = makeScene()
let count = 0

const scriptOf = (marker: string): string => `
for i in $(seq ${Math.ceil(PROCESSES / 3)}); do
  /bin/sleep ${marker} &
  ( /usr/bin/setsid /bin/sleep ${marker} & ) &
  ( env -i /usr/bin/setsid /bin/sleep ${marker} & ) &
done; echo up; exec sleep ${marker}`

const started = async (marker: string): Promise<void> => {
  while (aliveWith(`sleep\0${marker}`).length < PROCESSES) await new Promise((resolve) => setImmediate(resolve))
}

interface Row {
  readonly name: string
  readonly times: number[]
  survivors: number
}

const percentile = (times: readonly number[], share: number): string =>
  (times.toSorted((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * share))] ?? NaN).toFixed(1)

const print = (title: string, rows: readonly Row[]): void => {
  console.log(`\n${title} (${rounds} rounds)`)
  const cells = rows.map(({ name, times, survivors }) => ({
    way: name,
    'p50 ms': percentile(times, 0.5),
    'p99 ms': percentile(times, 0.99),
    survivors,
  }))
  console.table(cells)
}

const killRows: Row[] = []
for (const { name, provider, missing } of PROVIDERS) {
  if (missing !== null) continue
  const row: Row = { name: `holdfast, ${name}`, times: [], survivors: 0 }
  for (let round = 0; round < rounds; round += 1) {
    const marker = `100000.${process.pid}${(count += 1)}`
    const container = await provider.launch(scene.spec(scriptOf(marker)))
    await printed(container, 'up')
    await started(marker)
    const startedAt = performance.now()
    await container.kill()
    row.times.push(performance.now() - startedAt)
    row.survivors += aliveWith(marker).length
  }
  killRows.push(row)
}

const killTree = (child: ChildProcess): void => {
  const tree = descendantsOf(readProcesses(), new Set([child.pid ?? 0]))
  for (const { pid } of tree) sendSignal(pid, 'SIGKILL')
  child.kill('SIGKILL')
}
const peers = {
  'process group, SIGKILL': (child: ChildProcess) => void process.kill(-(child.pid ?? 0), 'SIGKILL'),
  'tree walk, SIGKILL': killTree,
}
for (const [name, kill] of Object.entries(peers)) {
  const row: Row = { name, times: [], survivors: 0 }
  for (let round = 0; round < rounds; round += 1) {
    const marker = `100000.${process.pid}${(count += 1)}`
    const child = spawn('/bin/sh', ['-c', scriptOf(marker)], { detached: true, stdio: 'ignore' })
    await started(marker)
    const startedAt = performance.now()
    kill(child)
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    row.times.push(performance.now() - startedAt)
    const left = aliveWith(marker)
    row.survivors += left.length
    for (const pid of left) sendSignal(pid, 'SIGKILL')
  }
  killRows.push(row)
}
print(`Kill ${PROCESSES} processes, to proven empty. Target: p99 <= 100 ms, 0 survivors in all rounds`, killRows)

const startRows: Row[] = []
const measureStart = async (name: string, run: () => Promise<() => Promise<unknown>>): Promise<void> => {
  const row: Row = { name, times: [], survivors: 0 }
  for (let round = 0; round < rounds; round += 1) {
    const startedAt = performance.now()
    const end = await run()
    row.times.push(performance.now() - startedAt)
    await end()
  }
  startRows.push(row)
}
await measureStart('bare spawn', async () => {
  const child = spawn('/bin/sh', ['-c', 'echo up; exec sleep 60'])
  await once(child.stdout, 'data')
  return async () => {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
})
for (const { name, provider, missing } of PROVIDERS) {
  if (missing !== null) continue
  await measureStart(`holdfast, ${name}`, async () => {
    const container = await provider.launch(scene.spec('echo up; exec sleep 60'))
    await printed(container, 'up')
    return () => container.kill()
  })
}
const linux = PROVIDERS.find(({ name, missing }) => name === 'linux' && missing === null)
if (linux !== undefined) {
  await measureStart('holdfast, linux, closed network', async () => {
    const host = createServer()
    const listen: Listen = (where) => new Promise((resolve) => host.listen(where, resolve))
    const container = await linux.provider.launch(scene.spec('echo up; exec sleep 60', { network: { port: 41_999, listen } }))
    await printed(container, 'up')
    return async () => {
      await container.kill()
      host.close()
    }
  })
}
print('Start, until the first output. Target: <= 30 ms over a bare spawn', startRows)
rmSync(scene.folder, { recursive: true })
