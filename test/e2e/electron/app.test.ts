import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { missingForElectron, startApp, startDisplay, type App } from '../../support/electron-app.ts'
import { bash, createScriptedWorld, toolResults } from '../../support/script.ts'
import { missingForEndToEnd, type Running, type World } from '../../support/world.ts'

const missing = [missingForElectron(), missingForEndToEnd()].filter((part) => part !== null).join(', ')

let display: Awaited<ReturnType<typeof startDisplay>>
let world: World
let app: App
let running: Running | null

beforeAll(async () => {
  if (missing === '') display = await startDisplay()
})
afterAll(() => display?.end())
beforeEach(async () => {
  running = null
  world = await createScriptedWorld(() => [bash('touch made-by-the-agent && rm -rf build'), bash('sleep 300')])
  app = await startApp(world, display.env)
})
afterEach(async () => {
  await app?.end()
  running?.child.kill('SIGKILL')
  await world?.end()
})

const run = (): void => void (running = world.start(['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.']))
const approvals = () => app.window('Approvals · Holdfast')
/** The question is deaf at first, on purpose. */
const answerable = async () => {
  const page = await approvals()
  await page.locator('.answers button:not([aria-disabled="true"])').first().waitFor({ timeout: 30_000 })
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
const killed = async (): Promise<void> => {
  await expect.poll(() => app.icon(), { timeout: 30_000 }).toBe('killed')
  await expect.poll(() => app.shell((shell) => shell.state().killing), { timeout: 30_000 }).toBe(false)
}

/** What a page tries that would break out, and how it went. */
const PROBE = `(async () => {
  const outcome = (work) => Promise.resolve().then(work).then(() => 'done', () => 'refused')
  const violated = []
  document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) => violated.push(effectiveDirective))
  const script = document.createElement('script')
  script.textContent = 'globalThis.injected = true'
  document.body.append(script)
  const found = {
    node: [typeof require, typeof process, typeof module],
    injected: 'injected' in globalThis,
    permissions: [await Notification.requestPermission(), await outcome(() => navigator.mediaDevices.getUserMedia({ audio: true }))],
    fetched: await outcome(() => fetch('https://evil.example/')),
    opened: window.open('https://evil.example/'),
  }
  return { ...found, violated }
})()`

describe.skipIf(missing !== '')(`the app in a real Electron${missing === '' ? '' : ` (missing: ${missing})`}`, () => {
  it('shows the state in its tray, raises the question without the keyboard, and gives the answer to the agent', async () => {
    await expect.poll(() => app.icon(), { timeout: 30_000 }).toBe('idle')
    run()
    const page = await answerable()
    expect(await app.icon()).toBe('waiting')
    expect(await app.menu()).toEqual(expect.arrayContaining(['Answer the approval that waits…', 'tester in project: running', 'Kill all (Ctrl+Alt+Shift+K)']))
    const window = await app.electron.browserWindow(page)
    expect(await window.evaluate((it) => [it.isVisible(), it.isFocused(), it.isAlwaysOnTop()])).toEqual([true, false, true])
    await page.getByRole('button', { name: 'Deny', exact: true }).click()
    await expect.poll(() => toolResults(world).some((result) => result.includes('Denied')), { timeout: 30_000 }).toBe(true)
    await expect.poll(() => window.evaluate((it) => it.isVisible())).toBe(false)
    expect(readdirSync(world.project)).toContain('build')
  })

  it('kills by its hotkey, puts the folder back, and undoes it', async () => {
    expect(await app.electron.evaluate(({ globalShortcut }) => globalShortcut.isRegistered('Control+Alt+Shift+K'))).toBe(true)
    run()
    await (await answerable()).getByRole('button', { name: /^Approve once/ }).click()
    await expect.poll(() => readdirSync(world.project)).toContain('made-by-the-agent')
    await app.shell((shell) => shell.press())
    await killed()
    expect(readdirSync(world.project)).toEqual(expect.arrayContaining(['build']))
    expect(readdirSync(world.project)).not.toContain('made-by-the-agent')
    await app.shell((shell) => {
      const [sessionId] = shell.state().undoable
      if (sessionId !== undefined) shell.act({ do: 'undo', sessionId })
    })
    await expect.poll(() => readdirSync(world.project), { timeout: 30_000 }).toContain('made-by-the-agent')
  })

  it.each(['SIGSTOP', 'SIGKILL'] as const)('kills by its hotkey after the host’s %s', async (signal) => {
    run()
    await answerable()
    const { pid } = await world.endpoint()
    process.kill(pid, signal)
    await app.shell((shell) => shell.press())
    await expect.poll(() => running?.child.exitCode, { timeout: 30_000 }).not.toBeNull()
    await expect.poll(() => app.shell((shell) => shell.state().killing), { timeout: 30_000 }).toBe(false)
    if (signal === 'SIGSTOP') process.kill(pid, 'SIGCONT')
    await expect.poll(() => app.shell((shell) => shell.state().away), { timeout: 30_000 }).toBeNull()
    await expect.poll(sessions, { timeout: 30_000 }).toEqual(['killed'])
  })

  it('kills by its hotkey while a box waits for an answer, and after its pages crashed', async () => {
    run()
    const page = await answerable()
    await noteBoxes(null)
    const window = await app.electron.browserWindow(page)
    await window.evaluate((it) => it.webContents.forcefullyCrashRenderer())
    await expect.poll(boxes).toEqual(['tester wants to use Bash (destructive)'])
    expect(await sessions()).toEqual(['running'])
    await app.shell((shell) => shell.press())
    await killed()
    expect(await sessions()).toEqual(['killed'])
  })

  it('asks before it is left while a session runs', async () => {
    run()
    await answerable()
    await noteBoxes(0)
    await app.shell((shell) => shell.act({ do: 'quit' }))
    await expect.poll(boxes).toEqual(['A session still runs.'])
    expect(app.child.exitCode).toBeNull()
  })

  it('locks at a second press, so that nothing starts until it is unlocked', async () => {
    await expect.poll(() => app.icon(), { timeout: 30_000 }).toBe('idle')
    await app.shell((shell) => {
      shell.press()
      shell.press()
    })
    await expect.poll(() => app.menu(), { timeout: 30_000 }).toContain('Unlock: let sessions start again')
    await expect.poll(async () => (await world.holdfast(['run', '--', 'true'])).stderr, { timeout: 30_000 }).toContain('Holdfast is locked')
    await app.shell((shell) => shell.act({ do: 'unlock' }))
    await expect.poll(() => app.menu(), { timeout: 30_000 }).not.toContain('Unlock: let sessions start again')
  })

  it('gives its pages no power and no way out', async () => {
    const page = await app.window('Sessions · Holdfast')
    await page.getByText('Connected', { exact: true }).waitFor({ state: 'attached', timeout: 30_000 })
    const before = page.url()
    const found = await page.evaluate<{ violated: string[] }>(PROBE)
    expect(found).toMatchObject({ node: ['undefined', 'undefined', 'undefined'], injected: false, permissions: ['denied', 'refused'], fetched: 'refused', opened: null })
    expect(found.violated).toEqual(expect.arrayContaining(['script-src-elem', 'connect-src']))
    await page.evaluate("void (location.href = 'https://evil.example/')")
    await page.evaluate("void (location.href = 'file:///etc/passwd')")
    expect(page.url()).toBe(before)
    expect(app.electron.windows().length).toBe(1)
    const csp = await page.evaluate(async () => (await fetch('/')).headers.get('content-security-policy'))
    expect(csp).toContain("default-src 'none'")
  })

  it('is one app: a second start brings its window to the front, and a link shows what it names', async () => {
    await app.window('Sessions · Holdfast')
    const again = await startApp(world, display.env, ['holdfast://session/ses_22222222222b']).catch(() => null)
    await again?.end()
    await expect.poll(async () => (await app.window('Sessions · Holdfast')).url(), { timeout: 30_000 }).toContain('#/sessions/ses_22222222222b')
  })

  it('starts its host, and again when it has died', async () => {
    const { pid } = await world.endpoint()
    process.kill(pid, 'SIGKILL')
    await expect.poll(async () => (await world.endpoint().catch(() => null))?.pid ?? pid, { timeout: 30_000 }).not.toBe(pid)
    await expect.poll(() => app.shell((shell) => shell.state().away), { timeout: 30_000 }).toBeNull()
    expect(readdirSync(join(world.holdfastHome, 'electron'))).toContain('Crashpad')
  })
})
