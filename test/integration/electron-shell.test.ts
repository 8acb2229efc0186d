import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Settings } from '../../electron/settings.ts'
import { startShell, type Shell } from '../../electron/shell.ts'
import { CheckpointId } from '../../shared/contract/ids.ts'
import type { CommandResult } from '../../shared/contract/protocol.ts'
import type { ApprovalRequest } from '../../shared/contract/schemas/approval.ts'
import type { KillReport } from '../../shared/contract/schemas/session.ts'
import type { Release } from '../../shared/contract/schemas/update.ts'
import type { Role } from '../../shared/core/api/roles.ts'
import { createEventHub, type EventHub } from '../../shared/core/api/event-hub.ts'
import { listenLocalSocket, type LocalSocketServer } from '../../shared/core/transports/local-socket-server.ts'
import { createElectronDouble, type ElectronDouble } from '../support/electron-double.ts'
import { anApproval, aSession, sessionId } from '../support/shell-state.ts'

const TOKEN = 'a-token-of-this-test-and-nothing-else-0123'
const REPORT: KillReport = { sessionId: sessionId('b'), processesKilled: 2, survivors: [], durationMs: 1, restore: null, restoreProblem: null }
const [before, asKilled] = ['chk_22222222222b', 'chk_22222222222c'].map((id) => CheckpointId.parse(id)) as [CheckpointId, CheckpointId]
const RESTORE = { restoredTo: before, savedAs: asKilled, written: ['a'], deleted: [], conflicts: [], leftAlone: [], refsMoved: [] }
const RESTORED: KillReport = { ...REPORT, restore: RESTORE }

let folder: string
let server: LocalSocketServer
let hub: EventHub
let electron: ElectronDouble
let shell: Shell
let waiting: ApprovalRequest[]
let asked: { command: string; params: unknown; role?: Role }[]
let killedAlone: unknown[]
let kept: Settings[]
let report: KillReport
/** When the host has proven its kill. */
let proven: Promise<void>
/** Whether the host takes up commands but answers none. */
let hangs: boolean

const listen = async (): Promise<void> => {
  hub = createEventHub()
  const answers: Record<string, () => unknown> = {
    'event/subscribe': () => ({ sequence: 0 }),
    'session/list': () => ({ sessions: [aSession('b')] }),
    'approval/list': () => ({ requests: waiting }),
    'session/kill': () => ({ reports: [report] }),
    'session/undo': () => RESTORE,
    'host/info': (): CommandResult<'host/info'> => ({ version: '0', pid: 1, startedAt: 0, dataFolder: '/', sessions: 1, approvalsPage: null }),
    'approval/decide': () => ({ ...anApproval('b'), state: 'denied' }),
  }
  server = await listenLocalSocket({
    socketPath: join(folder, 'host.sock'),
    token: TOKEN,
    hub,
    isForbiddenPeer: () => false,
    dispatch: async (connection, { id, command, params }) => {
      asked.push({ command, params, role: connection.role })
      if (hangs) return new Promise(() => undefined)
      if (command === 'session/kill') await proven
      if (command === 'event/subscribe') hub.subscribe(connection)
      return { id, result: answers[command]?.() ?? {} }
    },
  })
}

const start = (changes: { keysTaken?: boolean } = {}, given: { settings?: Settings; hasTray?: boolean; takesNotifications?: boolean; release?: Release; onKillAlone?: () => void } = {}): void => {
  Object.assign(electron, changes)
  shell = startShell({
    parts: electron.parts,
    platform: 'linux',
    appFolder: folder,
    settings: given.settings ?? {},
    settingsFile: '/settings/shell.json',
    keep: (changes) => void kept.push(changes),
    startAtLogin: null,
    newerVersion: async () => given.release ?? null,
    hasTray: async () => given.hasTray ?? true,
    takesNotifications: async () => given.takesNotifications ?? true,
    findHost: async () => ({ socketPath: join(folder, 'host.sock'), token: TOKEN }),
    killAlone: async (ids, lock) => {
      given.onKillAlone?.()
      killedAlone.push(lock ? `${String(ids)}, and lock` : ids)
      return [REPORT]
    },
    unlock: async () => void killedAlone.push('unlock'),
  })
}
const connected = async (): Promise<void> => {
  await expect.poll(() => shell.state().away).toBeNull()
}
const icon = (name: string): string => join(folder, 'icons', name)
const approvalsWindow = () => electron.windows.find(({ options }) => options.webPreferences?.partition === 'approvals')
const said = (): (string | undefined)[] => electron.notifications.map(({ options }) => options.title)
const press = (): void => electron.shortcuts.get('Control+Alt+Shift+K')?.()

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hf-'))
  waiting = []
  asked = []
  killedAlone = []
  kept = []
  hangs = false
  report = REPORT
  proven = Promise.resolve()
  electron = createElectronDouble()
  for (const page of ['approval', 'dashboard']) {
    await mkdir(join(folder, 'renderer', page), { recursive: true })
    await writeFile(join(folder, 'renderer', page, 'index.html'), page)
  }
  await listen()
})
afterEach(async () => {
  electron.answers.push('Quit and let them run')
  shell.act({ do: 'quit' })
  await expect.poll(() => electron.exited).toBe(true)
  await server.close()
  await rm(folder, { recursive: true, force: true })
})

describe('the app, with a double of Electron', () => {
  it('shows the state of the host in the tray', async () => {
    start()
    expect(electron.tray.image).toBe(icon('tray-away.png'))
    await connected()
    expect(electron.tray).toMatchObject({ image: icon('tray-running.png'), toolTip: 'Holdfast: at work (1 session)' })
    hub.publish('session/changed', aSession('b', { state: 'ended', endedAt: 5 }))
    await expect.poll(() => electron.tray.image).toBe(icon('tray-idle.png'))
  })

  it('raises the approvals window without taking the keyboard, says it, and hides it when all is answered', async () => {
    start()
    await connected()
    hub.publish('approval/changed', anApproval('b'))
    await expect.poll(() => approvalsWindow()?.done).toEqual(['load holdfast-app://approvals/', 'show without focus'])
    await expect.poll(said).toEqual(['tester wants to use Bash (destructive)'])
    expect(electron.badge).toBe(1)
    hub.publish('approval/changed', anApproval('b', { state: 'denied' }))
    await expect.poll(() => approvalsWindow()?.visible).toBe(false)
    expect(electron.notifications[0]?.closed).toBe(true)
  })

  it('opens what waited before the app was there', async () => {
    waiting = [anApproval('b')]
    start()
    await expect.poll(() => approvalsWindow()?.visible).toBe(true)
  })

  it('shows nothing to answer on a locked screen, and asks when it is unlocked', async () => {
    start()
    await connected()
    electron.power.emit('lock-screen')
    hub.publish('approval/changed', anApproval('b'))
    await expect.poll(() => shell.state().approvals.length).toBe(1)
    expect(approvalsWindow()).toBeUndefined()
    electron.power.emit('unlock-screen')
    await expect.poll(() => approvalsWindow()?.visible).toBe(true)
  })

  it('asks with the system’s own box where the window cannot be shown, and denies when told to', async () => {
    electron.failsToLoad = true
    electron.answers.push('Deny')
    start()
    await connected()
    hub.publish('approval/changed', anApproval('b'))
    await expect.poll(() => asked.find(({ command }) => command === 'approval/decide')?.params).toEqual({
      approvalId: anApproval('b').id,
      bindingHash: 'a'.repeat(64),
      answer: 'deny',
      scope: 'once',
      reason: 'The user said no.',
    })
    expect(electron.boxes).toEqual([{ message: 'tester wants to use Bash (destructive)', detail: 'command: rm -rf build\nin: /home/me/web\nwhy: because the test says so', buttons: ['Deny', 'Approve once', 'Later'] }])
  })

  it('asks with the box when the approvals page dies, and answers nothing when it is closed', async () => {
    start()
    await connected()
    hub.publish('approval/changed', anApproval('b'))
    await expect.poll(() => approvalsWindow()?.visible).toBe(true)
    approvalsWindow()?.contents.emit('render-process-gone')
    await expect.poll(() => electron.boxes.length).toBe(1)
    expect(asked.map(({ command }) => command)).not.toContain('approval/decide')
    shell.act({ do: 'show', page: 'sessions' })
    await expect.poll(() => electron.windows[1]?.visible).toBe(true)
    electron.windows[1]?.say('holdfast-app://dashboard/', [1, 'open'])
    await expect.poll(() => electron.windows[1]?.sent.length).toBe(1)
  })

  it('kills all at one press, through a host that answers', async () => {
    start()
    await connected()
    press()
    expect(electron.tray.image).toBe(icon('tray-killed.png'))
    await expect.poll(said).toEqual(['Killing…', 'Killed'])
    expect(asked.find(({ command }) => command === 'session/kill')?.params).toEqual({ sessionIds: 'all', keepChanges: false })
    expect(killedAlone).toEqual([])
  })

  it('locks at a second press, and unlocks from the tray', async () => {
    start()
    await connected()
    // As keys that are held.
    for (let times = 0; times < 20; times += 1) press()
    await expect.poll(() => killedAlone).toEqual(['all, and lock'])
    const labels = () => electron.tray.menu.map(({ label }) => label)
    await expect.poll(labels).toContain('Unlock: let sessions start again')
    shell.act({ do: 'unlock' })
    await expect.poll(labels).not.toContain('Unlock: let sessions start again')
    expect(killedAlone).toEqual(['all, and lock', 'unlock'])
  })

  it('kills without a host that hangs', async () => {
    start()
    await connected()
    hangs = true
    press()
    await expect.poll(said).toEqual(['Killing…', 'Killed'])
    expect(killedAlone).toEqual(['all'])
  })

  it('kills beside a host that is slow, and still tells what that put back', async () => {
    report = RESTORED
    const late = Promise.withResolvers<void>()
    proven = late.promise
    start({}, { onKillAlone: () => late.resolve() })
    await connected()
    press()
    await expect.poll(said, { timeout: 5_000 }).toEqual(['Killing…', 'Killed'])
    expect(killedAlone).toEqual(['all'])
    expect(shell.state().undoable).toEqual([REPORT.sessionId])
  })

  it('kills without a host that is gone', async () => {
    start()
    await connected()
    await server.close()
    await expect.poll(() => electron.tray.image).toBe(icon('tray-away.png'))
    press()
    await expect.poll(said).toEqual(['Killing…', 'Killed'])
    expect(killedAlone).toEqual(['all'])
    await listen()
  })

  it('shows no notice where nobody takes one, and does everything else', async () => {
    start({}, { takesNotifications: false })
    await connected()
    hub.publish('approval/changed', anApproval('b'))
    await expect.poll(() => approvalsWindow()?.visible).toBe(true)
    press()
    await expect.poll(() => shell.state().killing).toBe(false)
    expect(asked.map(({ command }) => command)).toContain('session/kill')
    expect(said()).toEqual([])
  })

  it('says that its keys are taken, and where others are set', async () => {
    start({ keysTaken: true })
    await expect.poll(() => electron.notifications.map(({ options }) => [options.title, options.body])).toEqual([
      ['The kill switch has no hotkey', 'Another program has taken its keys. Set others as "hotkey" in /settings/shell.json; the tray menu kills all the same.'],
    ])
  })

  it('is heard at a kill where the user chose so, and only there', async () => {
    start()
    await connected()
    press()
    expect(electron.beeps).toBe(0)
    await expect.poll(said).toEqual(['Killing…', 'Killed'])
    shell.act({ do: 'sound', on: true })
    expect(kept).toEqual([{ sound: true }])
    shell.act({ do: 'kill', sessionIds: 'all' })
    expect(electron.beeps).toBe(1)
    await expect.poll(said).toEqual(['Killing…', 'Killed', 'Killing…', 'Killed'])
  })

  it('leads from the notice of a kill to Undo, and asks before it does it', async () => {
    report = RESTORED
    start()
    await connected()
    press()
    await expect.poll(said).toEqual(['Killing…', 'Killed'])
    expect(electron.notifications[0]?.closed).toBe(true)
    electron.notifications[1]?.events.emit('click')
    await expect.poll(() => electron.boxes.map(({ message }) => message)).toEqual(['Take the revert back?'])
    expect(asked.map(({ command }) => command)).not.toContain('session/undo')
    electron.answers.push('Undo')
    electron.notifications[1]?.events.emit('click')
    await expect.poll(() => asked.find(({ command }) => command === 'session/undo')?.params).toEqual({ sessionId: REPORT.sessionId })
    await expect.poll(said).toContain('Undone')
  })

  it('does not disturb when told so: what is asked waits unseen, and is shown when that ends', async () => {
    start()
    await connected()
    shell.act({ do: 'quiet', on: true })
    hub.publish('approval/changed', anApproval('b'))
    await expect.poll(() => electron.tray.image).toBe(icon('tray-waiting.png'))
    expect([approvalsWindow(), said()]).toEqual([undefined, []])
    shell.act({ do: 'quiet', on: false })
    await expect.poll(() => approvalsWindow()?.visible).toBe(true)
    expect(asked.map(({ command }) => command)).not.toContain('approval/decide')
  })

  it('has a small window with the tray’s menu where a desktop shows no tray, and says so once', async () => {
    start({}, { hasTray: false })
    await connected()
    await expect.poll(said).toEqual(['This desktop shows no tray icons'])
    const [window] = electron.windows
    expect(window?.options).toMatchObject({ width: 460, webPreferences: { partition: 'status', javascript: false, sandbox: true } })
    await expect.poll(() => decodeURIComponent(window?.done.at(-1) ?? '')).toContain('Holdfast: at work (1 session)')
    expect(((window?.menu[0]?.submenu ?? []) as { label: string }[]).map(({ label }) => label)).toContain('Kill all (Ctrl+Alt+Shift+K)')
    expect(kept).toEqual([{ saidNoTray: true }])
    electron.answers.push('Stay')
    window?.events.emit('close', { preventDefault: () => undefined })
    await expect.poll(() => electron.boxes.map(({ message }) => message)).toEqual(['A session still runs.'])
  })

  it('says nothing of a missing tray the second time', async () => {
    start({}, { hasTray: false, settings: { saidNoTray: true } })
    await connected()
    await expect.poll(() => electron.windows.length).toBe(1)
    expect(said()).toEqual([])
  })

  it('tells of a newer version once, and leads to its page in the user’s own browser', async () => {
    start({}, { release: { version: '0.2.0', page: 'https://updates.example/0.2.0' } })
    await expect.poll(said).toEqual(['Holdfast 0.2.0 is out'])
    expect(electron.tray.menu.map(({ label }) => label)).toContain('Holdfast 0.2.0 is out: read about it')
    expect(electron.opened).toEqual([])
    shell.act({ do: 'read-release' })
    await expect.poll(() => electron.opened).toEqual(['https://updates.example/0.2.0'])
  })

  it('launches in a folder that a person picks, on the dashboard, which shows first what the agent will be able to do', async () => {
    electron.folders.push('/home/me/some where')
    start()
    await connected()
    shell.act({ do: 'choose-folder' })
    await expect.poll(() => electron.windows[0]?.done.at(-2)).toBe('run location.hash = "#/launch/folder/%2Fhome%2Fme%2Fsome%20where"')
  })

  it('gives its pages no power: a sandbox, one way to the host, no permission and no other address', async () => {
    start()
    await connected()
    shell.act({ do: 'show', page: 'sessions' })
    await expect.poll(() => electron.windows[0]?.visible).toBe(true)
    const [dashboard] = electron.windows
    expect(dashboard?.done.slice(0, 2)).toEqual(['load holdfast-app://dashboard/', 'run location.hash = "#/sessions"'])
    expect(dashboard?.options.webPreferences).toEqual({
      sandbox: true, contextIsolation: true, nodeIntegration: false, nodeIntegrationInWorker: false, nodeIntegrationInSubFrames: false,
      webSecurity: true, webviewTag: false, spellcheck: false, safeDialogs: true, partition: 'dashboard', preload: join(folder, 'preload.cjs'),
    })
    const session = electron.sessions.get('dashboard')
    expect(['notifications', 'media', 'clipboard-read', 'openExternal'].map((permission) => session?.isAllowed(permission))).toEqual([false, false, false, false])
    expect(session?.isCancelled('holdfast-app://dashboard/main.js')).toBe(false)
    for (const url of ['holdfast-app://approvals/', 'https://evil.example/', 'file:///etc/passwd', 'http://127.0.0.1:4000/', 'ws://127.0.0.1:4000/contract']) expect(session?.isCancelled(url)).toBe(true)
    expect(electron.pages.get('dashboard')?.('holdfast-app://dashboard/').body.toString()).toBe('dashboard')
    expect(dashboard?.openLink('https://evil.example/')).toBe('deny')
    let prevented = 0
    for (const event of ['will-navigate', 'will-redirect']) dashboard?.contents.emit(event, { preventDefault: () => (prevented += 1) }, 'holdfast-app://approvals/')
    expect(prevented).toBe(2)
  })

  it('lets a page speak to the host in its own role, by the shell’s hello, and only the page itself', async () => {
    start()
    await connected()
    shell.act({ do: 'show', page: 'sessions' })
    await expect.poll(() => electron.windows[0]?.visible).toBe(true)
    const [dashboard] = electron.windows
    const speak = (url: string, connection: number, inFrame = false): void => {
      dashboard?.say(url, [connection, 'open'], inFrame)
      dashboard?.say(url, [connection, 'frame', JSON.stringify({ hello: { protocol: 2, token: 'none', client: 'page', role: 'approver' } })], inFrame)
      dashboard?.say(url, [connection, 'frame', JSON.stringify({ id: connection, command: 'host/info', params: {} })], inFrame)
    }
    const heard = () => dashboard?.sent.map(([connection, frame]) => [connection, frame === null ? null : (JSON.parse(String(frame)) as { id: number }).id])
    speak('http://127.0.0.1:4000/', 7)
    speak('holdfast-app://dashboard/', 8, true)
    speak('holdfast-app://dashboard/', 1)
    await expect.poll(heard).toEqual([[1, 0], [1, 1]])
    expect(asked.filter(({ command }) => command === 'host/info')).toEqual([{ command: 'host/info', params: {}, role: 'dashboard' }])
    dashboard?.say('holdfast-app://dashboard/', [1, 'frame', 'two\nlines'])
    await expect.poll(() => heard()?.at(-1)).toEqual([1, null])
    speak('holdfast-app://dashboard/', 2)
    await expect.poll(heard).toContainEqual([2, 2])
  })

  it('tells a page at once that there is no host, and that its host has gone', async () => {
    start()
    await connected()
    shell.act({ do: 'show', page: 'sessions' })
    await expect.poll(() => electron.windows[0]?.visible).toBe(true)
    const [dashboard] = electron.windows
    dashboard?.say('holdfast-app://dashboard/', [1, 'open'])
    await expect.poll(() => dashboard?.sent.length).toBe(1)
    await server.close()
    await expect.poll(() => dashboard?.sent.at(-1)).toEqual([1, null])
    await expect.poll(() => shell.state().away).not.toBeNull()
    dashboard?.say('holdfast-app://dashboard/', [2, 'open'])
    await expect.poll(() => dashboard?.sent.at(-1)).toEqual([2, null])
    await listen()
  })

  it('tries its window anew for the next question where it did not load for the one before', async () => {
    electron.failsToLoad = true
    start()
    await connected()
    hub.publish('approval/changed', anApproval('b'))
    await expect.poll(() => electron.boxes.length).toBe(1)
    electron.failsToLoad = false
    hub.publish('approval/changed', anApproval('c'))
    await expect.poll(() => electron.windows.map(({ destroyed, visible }) => [destroyed, visible])).toEqual([[true, false], [false, true]])
  })

  it('opens the approvals window for the dashboard’s link to it', async () => {
    waiting = [anApproval('b')]
    start()
    await expect.poll(() => approvalsWindow()?.visible).toBe(true)
    shell.act({ do: 'show', page: 'sessions' })
    await expect.poll(() => electron.windows.length).toBe(2)
    await expect.poll(() => electron.windows[1]?.visible).toBe(true)
    expect(electron.windows[1]?.openLink('holdfast-app://approvals/')).toBe('deny')
    await expect.poll(() => approvalsWindow()?.done.at(-1)).toBe('show')
  })

  it('asks before it is left while sessions run, and stays when nobody says otherwise', async () => {
    start()
    await connected()
    shell.act({ do: 'quit' })
    await expect.poll(() => electron.boxes.map(({ message }) => message)).toEqual(['A session still runs.'])
    expect(electron.exited).toBe(false)
    electron.answers.push('Kill them and quit')
    shell.act({ do: 'quit' })
    await expect.poll(() => electron.exited).toBe(true)
    expect(asked.map(({ command }) => command)).toContain('session/kill')
  })
})
