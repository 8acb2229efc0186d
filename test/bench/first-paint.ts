// From a host that is ready to a window that shows something: the real host, the real login link, a browser that knows nothing.
// node test/bench/first-paint.ts [TIMES]. The programs must be built.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readEndpoint } from '../../shared/core/transports/endpoint-file.ts'
import { connectLocal } from '../../shared/core/transports/local-socket-client.ts'
import { startBrowser } from '../support/browser.ts'

const times = Number(process.argv[2] ?? 20)
const CLI = fileURLToPath(new URL('../../build/out/host/cli.mjs', import.meta.url))
const HOLDFAST_HOME = mkdtempSync(join(tmpdir(), 'hf-'))
const holdfast = (...args: string[]) => once(spawn(process.execPath, [CLI, ...args], { env: { PATH: '/usr/bin:/bin', HOME: HOLDFAST_HOME, HOLDFAST_HOME }, stdio: 'ignore' }), 'close')

await holdfast('up', '--shell', 'none')
const endpoint = await readEndpoint(join(HOLDFAST_HOME, 'run'))
if (endpoint === null) throw new Error('the host did not start')
const client = await connectLocal(endpoint, 'bench')
const browser = await startBrowser()
const [painted, connected]: [number[], number[]] = [[], []]
try {
  for (let round = 0; round <= times; round += 1) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } })
    const page = await context.newPage()
    const started = Date.now()
    const { url } = await client.call('dashboard/open', {})
    await page.goto(url)
    await page.getByText('Connected', { exact: true }).waitFor({ state: 'attached' })
    const usable = Date.now() - started
    const paint = (await page.evaluate(`performance.timeOrigin + performance.getEntriesByName('first-contentful-paint')[0].startTime`)) as number
    // The first one starts the servers of the pages as well: it is shown apart.
    if (round === 0) console.log(`the very first: painted after ${Math.round(paint - started)} ms, connected after ${usable} ms`)
    else {
      painted.push(paint - started)
      connected.push(usable)
    }
    await context.close()
  }
} finally {
  await browser.close()
  client.close()
  await holdfast('down')
  rmSync(HOLDFAST_HOME, { recursive: true, force: true, maxRetries: 5 })
}
console.log('from "dashboard/open", through the login    p50 ms   max ms')
for (const [name, values] of [['first contentful paint', painted], ['connected, with all lists', connected]] as const) {
  const sorted = values.toSorted((a, b) => a - b)
  console.log(`${name.padEnd(40)} ${(sorted[Math.floor(sorted.length / 2)] ?? 0).toFixed(0).padStart(9)} ${(sorted.at(-1) ?? 0).toFixed(0).padStart(8)}`)
}
