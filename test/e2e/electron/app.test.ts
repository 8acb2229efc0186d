import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ScriptedAnswer } from '../../../shared/core/demo/stand-in-model.ts'
import { aliveWith } from '../../fixtures/containers.ts'
import { missingForElectron, startApp, startDisplay, type App } from '../../support/electron-app.ts'
import { bash, createScriptedWorld, toolResults } from '../../support/script.ts'
import { missingForEndToEnd, type Running, type World } from '../../support/world.ts'

const missing = [missingForElectron(), missingForEndToEnd()].filter((part) => part !== null).join(', ')
const MARKER = `100000.${process.pid}99`
/** However busy the machine is. */
const SOON = { timeout: 30_000 }

let display: Awaited<ReturnType<typeof startDisplay>>
let world: World
let app: App
let running: Running | null
let turns: readonly ScriptedAnswer[]

beforeAll(async () => {
  if (missing === '') display = await startDisplay()
})
afterAll(() => display?.end())
beforeEach(async () => {
  running = null
  world = await createScriptedWorld(() => turns)
  app = await startApp(world, display.env)
  await expect.poll(() => app.icon(), SOON).toBe('idle')
})
afterEach(async () => {
  await app?.end()
  running?.child.kill('SIGKILL')
  await world?.end()
})

const run = (...script: readonly ScriptedAnswer[]): void => {
  turns = script
  running = world.start(['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.'])
}
const files = (): string[] => readdirSync(world.project)
/** An agent at work, with a process in a session of its own. */
const work = async (): Promise<void> => {
  run(bash(`rm README.md; setsid sleep ${MARKER} & touch made-by-the-agent; sleep 300`))
  await (await answerable()).getByRole('button', { name: /^Approve once/ }).click()
  await expect.poll(files, SOON).toContain('made-by-the-agent')
  await expect.poll(() => aliveWith(MARKER).length, SOON).toBeGreaterThan(0)
}
/** The question, once it listens: it is deaf at first, on purpose. */
const answerable = async () => {
  const page = await app.window('Approvals · Holdfast')
  await page.locator('.answers button:not([aria-disabled="true"])').first().waitFor(SOON)
  return page
}
/** Message boxes are noted and answered by nobody, or by the button with this index. */
const noteBoxes = (answer: number | null): Promise<void> =>
  app.electron.evaluate(({ dialog }, answer) => {
    const boxes: unknown[] = []
    Object.assign(globalThis, { boxes })
    dialog.showMessageBox = ((options: { message: string }) => {
      boxes.push(options.message)
      return answer === null ? new Promise(() => undefined) : Promise.resolve({ response: answer, checkboxChecked: false })
    }) as never
  }, answer)
const boxes = (): Promise<string[]> => app.electron.evaluate(() => (globalThis as unknown as { boxes: string[] }).boxes)
const sessions = async (): Promise<string[]> => {
  const { stdout } = await world.holdfast(['sessions', '--json'])
  return (JSON.parse(stdout) as { sessions: { state: string }[] }).sessions.map(({ state }) => state)
}
const hasKilled = async (): Promise<void> => {
  await expect.poll(() => app.shell((shell) => shell.state().killing), SOON).toBe(false)
  expect(aliveWith(MARKER)).toEqual([])
}

/** What a page tries that would break out, and how it went. */
const PROBE = `(async () => {
  const outcome = (work) => Promise.resolve().then(work).then(() => 'done', () => 'refused')
  const violated = new Promise((resolve) => document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) => effectiveDirective === 'connect-src' && resolve(effectiveDirective)))
  await outcome(() => {
    const script = document.createElement('script')
    script.textContent = 'globalThis.injected = true'
    document.body.append(script)
  })
  return {
    node: [typeof require, typeof process, typeof module],
    injected: 'injected' in globalThis,
    permissions: [await Notification.requestPermission(), await outcome(() => navigator.mediaDevices.getUserMedia({ audio: true }))],
    fetched: await outcome(() => fetch('https://evil.example/')),
    violated: await violated,
    opened: window.open('https://evil.example/'),
  }
})()`

describe.skipIf(missing !== '')(`the app in a real Electron${missing === '' ? '' : ` (missing: ${missing})`}`, { timeout: 240_000 }, () => {
  it('shows the state in its tray, raises the question without the keyboard, and gives the answer to the agent', async () => {
    run(bash('rm -rf build'))
    const page = await answerable()
    expect(await app.icon()).toBe('waiting')
    expect(await app.menu()).toEqual(expect.arrayContaining(['Answer the approval that waits…', 'tester in project: running', 'Kill all (Ctrl+Alt+Shift+K)']))
    const window = await app.electron.browserWindow(page)
    expect(await window.evaluate((it) => [it.isVisible(), it.isFocused(), it.isAlwaysOnTop()])).toEqual([true, false, true])
    await page.getByRole('button', { name: 'Deny', exact: true }).click()
    await expect.poll(() => toolResults(world).some((result) => result.includes('Denied')), SOON).toBe(true)
    await expect.poll(() => window.evaluate((it) => it.isVisible()), SOON).toBe(false)
    expect(files()).toContain('build')
  })

  it('kills by its hotkey, puts the folder back, and undoes it', async () => {
    expect(await app.electron.evaluate(({ globalShortcut }) => globalShortcut.isRegistered('Control+Alt+Shift+K'))).toBe(true)
    await work()
    await app.shell((shell) => shell.press())
    await hasKilled()
    expect(await app.icon()).toBe('killed')
    expect(files()).toContain('README.md')
    expect(files()).not.toContain('made-by-the-agent')
    await app.shell((shell) => {
      const [sessionId] = shell.state().undoable
      if (sessionId !== undefined) shell.act({ do: 'undo', sessionId })
    })
    await expect.poll(files, SOON).toContain('made-by-the-agent')
  })

  it.each(['SIGSTOP', 'SIGKILL'] as const)('kills by its hotkey after the host’s %s', async (signal) => {
    await work()
    const { pid } = await world.endpoint()
    process.kill(pid, signal)
    await app.shell((shell) => shell.press())
    await hasKilled()
    if (signal === 'SIGSTOP') process.kill(pid, 'SIGCONT')
    await expect.poll(() => app.shell((shell) => shell.state().away), SOON).toBeNull()
    await expect.poll(sessions, SOON).toEqual([signal === 'SIGSTOP' ? 'killed' : expect.stringMatching(/^(killed|ended|failed)$/)])
  })

  it('asks with a box once its page has crashed, and kills by its hotkey while that waits', async () => {
    run(bash('rm -rf build'))
    const window = await app.electron.browserWindow(await answerable())
    await noteBoxes(null)
    await app.electron.evaluate(() => void setTimeout(() => { throw new Error('a fault of the app, which the test makes') }))
    await window.evaluate((it) => it.webContents.forcefullyCrashRenderer())
    await expect.poll(boxes, SOON).toEqual(['tester wants to use Bash (destructive)'])
    expect(await sessions()).toEqual(['running'])
    await app.shell((shell) => shell.press())
    await hasKilled()
    expect(await sessions()).toEqual(['killed'])
  })

  it('asks before it is left while a session runs', async () => {
    run(bash('rm -rf build'))
    await expect.poll(() => app.icon(), SOON).toBe('waiting')
    await noteBoxes(0)
    await app.shell((shell) => shell.act({ do: 'quit' }))
    await expect.poll(boxes, SOON).toEqual(['A session still runs.'])
    expect(app.child.exitCode).toBeNull()
  })

  it('locks at a second press, so that nothing starts until it is unlocked', async () => {
    await app.shell((shell) => {
      shell.press()
      shell.press()
    })
    await expect.poll(() => app.menu(), SOON).toContain('Unlock: let sessions start again')
    await expect.poll(async () => (await world.holdfast(['run', '--', 'true'])).stderr, SOON).toContain('Holdfast is locked')
    await app.shell((shell) => shell.act({ do: 'unlock' }))
    await expect.poll(() => app.menu(), SOON).not.toContain('Unlock: let sessions start again')
  })

  it('gives its pages no power and no way out', async () => {
    run(bash('rm -rf build'))
    const page = await answerable()
    const before = page.url()
    expect(await page.evaluate(PROBE)).toEqual({ node: ['undefined', 'undefined', 'undefined'], injected: false, permissions: ['denied', 'refused'], fetched: 'refused', violated: 'connect-src', opened: null })
    const windows = app.electron.windows().length
    await page.evaluate("void (location.href = 'https://evil.example/')")
    await page.evaluate("void (location.href = 'file:///etc/passwd')")
    expect(before).toBe('holdfast-app://approvals/')
    expect(await page.evaluate("fetch('/').then(() => 'done', () => 'refused')")).toBe('refused')
    expect(await page.evaluate('Object.keys(holdfastApp)')).toEqual(['open', 'send', 'close'])
    expect([page.url(), app.electron.windows().length]).toEqual([before, windows])
  })

  it('is one app: a second start brings its window to the front, and a link shows what it names', async () => {
    await app.window('#/sessions')
    const again = await startApp(world, display.env, ['holdfast://session/ses_22222222222b']).catch(() => null)
    await again?.end()
    await expect.poll(() => app.electron.windows().map((page) => page.url()).join(' '), SOON).toContain('#/sessions/ses_22222222222b')
  })

  it('starts its host, and again when it has died; what crashed is kept here alone', async () => {
    const { pid } = await world.endpoint()
    process.kill(pid, 'SIGKILL')
    await expect.poll(async () => (await world.endpoint().catch(() => null))?.pid ?? pid, SOON).not.toBe(pid)
    await expect.poll(() => app.shell((shell) => shell.state().away), SOON).toBeNull()
    expect(await app.electron.evaluate(({ crashReporter }) => crashReporter.getUploadToServer())).toBe(false)
    expect(readdirSync(join(world.holdfastHome, 'electron'))).toContain('Crashpad')
  })
})
