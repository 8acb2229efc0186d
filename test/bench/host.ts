// The host itself: from its start to ready beside a bare Node that says so, what it takes when idle, and how long after its
// ledger entry a tool call of a real Claude Code is counted on the screen. node test/bench/host.ts [TIMES]. The programs must be built.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startBrowser } from '../support/browser.ts'
import { bash, createScriptedWorld } from '../support/script.ts'
import { median } from './numbers.ts'

const TIMES = Number(process.argv[2] ?? 20)
const CALLS = 40
const IDLE_MS = 10_000
const HOST = fileURLToPath(new URL('../../build/out/host/host-main.mjs', import.meta.url))

const home = mkdtempSync(join(tmpdir(), 'hf-'))
/** As the command line starts a host. */
const environment = { PATH: '/usr/bin:/bin', HOME: home, HOLDFAST_HOME: home, NODE_COMPILE_CACHE: join(home, 'compiled') }
const bare = join(home, 'bare.mjs')
writeFileSync(bare, 'process.send({ ready: true })\n')

/** Starts a program that tells its parent when it is ready; in ms, with what it takes in MB after a while. */
const start = async (file: string, idleMs = 0): Promise<{ readyMs: number; residentMb: number }> => {
  const started = performance.now()
  const child = fork(file, { env: environment, execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const ended = once(child, 'close')
  const [message] = (await once(child, 'message')) as [{ ready?: true; message?: string }]
  const readyMs = performance.now() - started
  if (message.ready !== true) throw new Error(message.message)
  await sleep(idleMs)
  const residentMb = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1_024
  child.kill('SIGTERM')
  await ended
  return { readyMs, residentMb }
}

/** From a call's entry, by its own time, until the list of sessions counts it, in ms; both clocks are this machine's. */
const onScreen = async (): Promise<number[]> => {
  const world = await createScriptedWorld(() => [...Array.from({ length: CALLS }, (_, index) => bash(`echo ${index}`)), { content: [{ type: 'text', text: 'Done.' }] }])
  const browser = await startBrowser()
  try {
    await world.holdfast(['up', '--shell', 'none'])
    const client = await world.client()
    const at: number[] = []
    client.on('ledger/appended', (entry) => {
      if (entry.kind === 'tool-call/intent') at.push(entry.at)
    })
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
    await page.goto((await client.call('dashboard/open', {})).url)
    await page.getByText('Connected', { exact: true }).waitFor({ state: 'attached' })
    await page.evaluate(`{
      window.seen = []
      const look = () => {
        const calls = Number(document.querySelector('td.number.wide-only')?.textContent)
        while (calls > window.seen.length) window.seen.push(Date.now())
      }
      new MutationObserver(look).observe(document.body, { childList: true, characterData: true, subtree: true })
    }`)
    await world.holdfast(['run', '--profile', 'test', '--', 'claude', '-p', 'go'])
    const seen = (await page.evaluate('window.seen')) as number[]
    client.close()
    if (seen.length !== CALLS || at.length !== CALLS) throw new Error(`${at.length} calls were recorded and ${seen.length} shown, of ${CALLS}`)
    return seen.map((time, index) => time - (at[index] ?? 0))
  } finally {
    await browser.close()
    await world.end()
  }
}

console.log(`${cpus().length} cores, load ${(loadavg()[0] ?? 0).toFixed(1)}`)
try {
  // The first start makes keys and the database, and compiles.
  const { readyMs: first } = await start(HOST)
  const [ready, floor]: [number[], number[]] = [[], []]
  for (let round = 0; round < TIMES; round += 1) {
    floor.push((await start(bare)).readyMs)
    ready.push((await start(HOST)).readyMs)
  }
  const idle = await start(HOST, IDLE_MS)
  const counted = await onScreen()
  const row = (what: string, values: readonly number[], target: string) => ({ what, p50: median(values).toFixed(0), max: Math.max(...values).toFixed(0), target })
  console.table([
    row('start to ready, ms', ready, '<= 400'),
    row('the very first start, ms', [first], ''),
    row('floor: bare Node to its first message, ms', floor, ''),
    row(`resident when idle for ${IDLE_MS / 1_000} s, MB`, [idle.residentMb], '<= 90'),
    row('tool call recorded to counted on the screen, ms', counted, '<= 50'),
  ])
} finally {
  rmSync(home, { recursive: true, force: true, maxRetries: 5 })
}
