import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { anApproval } from '../support/shell-state.ts'
import { approvalsWindow, asked, connected, electron, folder, host, hub, listen, said, server, setUp, shell, start, tearDown } from '../support/shell-world.ts'

beforeEach(setUp)
afterEach(tearDown)

/** The app with its dashboard on the screen, and no other window. */
const openDashboard = async () => {
  start()
  await connected()
  shell.act({ do: 'show', page: 'sessions' })
  await expect.poll(() => electron.windows[0]?.visible).toBe(true)
  return electron.windows[0]
}

describe('the windows of the app, with a double of Electron', () => {
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
    host.waiting = [anApproval('b')]
    start()
    await expect.poll(() => approvalsWindow()?.visible).toBe(true)
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

  it('gives its pages no power: a sandbox, one way to the host, no permission and no other address', async () => {
    const dashboard = await openDashboard()
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
    const dashboard = await openDashboard()
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
    // Each by itself would be done.
    const two = [5, 6].map((id) => JSON.stringify({ id, command: 'session/list', params: {} })).join('\n')
    const before = asked.length
    dashboard?.say('holdfast-app://dashboard/', [1, 'frame', two])
    await expect.poll(() => heard()?.at(-1)).toEqual([1, null])
    expect(asked).toHaveLength(before)
    speak('holdfast-app://dashboard/', 2)
    await expect.poll(heard).toContainEqual([2, 2])
  })

  it('tells a page at once that there is no host, and that its host has gone', async () => {
    const dashboard = await openDashboard()
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
    host.waiting = [anApproval('b')]
    start()
    await expect.poll(() => approvalsWindow()?.visible).toBe(true)
    shell.act({ do: 'show', page: 'sessions' })
    await expect.poll(() => electron.windows.length).toBe(2)
    await expect.poll(() => electron.windows[1]?.visible).toBe(true)
    expect(electron.windows[1]?.openLink('holdfast-app://approvals/')).toBe('deny')
    await expect.poll(() => approvalsWindow()?.done.at(-1)).toBe('show')
  })
})
