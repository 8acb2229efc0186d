// How soon the kill hotkey is answered while a session runs: from the start of the program that presses the keys (xdotool,
// on a display that nobody sees) until the app has set its icon. The floor is a hotkey of the same app that only notes when.
// Not in it: what a desktop then needs to draw, and the notice, which is handed over after the icon where something takes it.
// Run: node test/bench/hotkey.ts [TIMES], with an Electron (or ELECTRON_OVERRIDE_DIST_PATH), xdotool and Xvfb. Build first;
// prints a table, asserts nothing. The kill itself: kill.ts.
import { execFileSync, spawn } from 'node:child_process'
import { cpus, loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Shell } from '../../electron/shell.ts'
import { missingForElectron, startApp, startDisplay, until } from '../support/electron-app.ts'
import { createScriptedWorld } from '../support/script.ts'
import { CLI_FILE } from '../support/world.ts'
import { median } from './numbers.ts'

const TIMES = Number(process.argv[2] ?? 15)
const KEYS = 'ctrl+alt+shift+k'
const FLOOR = { keys: 'ctrl+alt+shift+j', accelerator: 'Control+Alt+Shift+J' }
/** A second press within two seconds would lock. */
const BETWEEN_MS = 2_200

const missing = missingForElectron()
if (missing !== null) throw new Error(`missing: ${missing}`)
const display = await startDisplay()
const world = await createScriptedWorld(() => [])
const app = await startApp(world, display.env).catch(async (error: unknown) => {
  await world.end()
  display.end()
  throw error
})

/** When the icon was set to that of a kill, and when the bare hotkey was heard. */
type Noted = Record<'icon' | 'floor', number[]>
const noted = (): Promise<Noted> => app.electron.evaluate(() => (globalThis as unknown as { noted: Noted }).noted)
/** Presses keys, and gives when that began. */
const press = (keys: string): number => {
  const at = Date.now()
  execFileSync('xdotool', ['key', '--delay', '0', keys], { env: { ...display.env, PATH: process.env['PATH'] } })
  return at
}

const rows = new Map<string, number[]>()
const note = (what: string, ms: number): void => void rows.set(what, [...(rows.get(what) ?? []), ms])
try {
  await app.electron.evaluate(({ globalShortcut }, accelerator) => {
    const { noted, holdfast } = Object.assign(globalThis as unknown as { holdfast: Shell }, { noted: { icon: [], floor: [] } as Noted })
    let icon = holdfast.tray().icon
    setInterval(() => {
      const before = icon
      icon = holdfast.tray().icon
      if (icon === 'killed' && before !== 'killed') noted.icon.push(Date.now())
    }, 1)
    globalShortcut.register(accelerator, () => noted.floor.push(Date.now()))
  }, FLOOR.accelerator)
  for (let round = 0; round < TIMES; round += 1) {
    const floor = press(FLOOR.keys)
    await until('the bare hotkey', async () => (await noted()).floor.length > round)
    note('a bare hotkey of the app: the floor', ((await noted()).floor[round] ?? 0) - floor)

    const session = spawn(process.execPath, [CLI_FILE, 'run', '--', 'sleep', '600'], { cwd: world.project, env: { ...world.environment }, stdio: 'ignore' })
    await until('a session', async () => (await app.icon()) === 'running')
    await sleep(BETWEEN_MS)
    const pressed = press(KEYS)
    await until('the icon', async () => (await noted()).icon.length > round)
    note('the icon of a kill is set', ((await noted()).icon[round] ?? 0) - pressed)
    await until('the end of the kill', () => app.shell((shell) => !shell.state().killing))
    session.kill('SIGKILL')
  }
  console.log(`${cpus().length} cores, load ${(loadavg()[0] ?? 0).toFixed(1)}, Electron ${await app.electron.evaluate(() => process.versions['electron'])}; ms from the keys, ${TIMES} times:`)
  console.table([...rows].map(([what, values]) => ({ what, p50: median(values).toFixed(0), max: Math.max(...values).toFixed(0), target: what.startsWith('the icon') ? '<= 50' : '' })))
} finally {
  await app.end()
  await world.end()
  display.end()
}
