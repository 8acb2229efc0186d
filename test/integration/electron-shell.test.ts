import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { anApproval, aSession } from '../support/shell-state.ts'
import { REPORT, RESTORED, approvalsWindow, asked, connected, electron, host, hub, icon, kept, killedAlone, listen, press, said, server, setUp, shell, start, tearDown } from '../support/shell-world.ts'

beforeEach(setUp)
afterEach(tearDown)

describe('the app, with a double of Electron', () => {
  it('shows the state of the host in the tray', async () => {
    start()
    expect(electron.tray.image).toBe(icon('tray-away.png'))
    await connected()
    expect(electron.tray).toMatchObject({ image: icon('tray-running.png'), toolTip: 'Holdfast: at work (1 session)' })
    hub.publish('session/changed', aSession('b', { state: 'ended', endedAt: 5 }))
    await expect.poll(() => electron.tray.image).toBe(icon('tray-idle.png'))
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

  it('kills, and says so, also where its icon cannot be drawn', async () => {
    start()
    await connected()
    electron.failsToDraw = true
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
    press()
    await expect.poll(said).toEqual(['Killing…', 'Killed'])
    expect(asked.find(({ command }) => command === 'session/kill')?.params).toEqual({ sessionIds: 'all', keepChanges: false })
    vi.restoreAllMocks()
  })

  it('kills without a host that hangs', async () => {
    start()
    await connected()
    host.hangs = true
    press()
    await expect.poll(said).toEqual(['Killing…', 'Killed'])
    expect(killedAlone).toEqual(['all'])
  })

  it('kills beside a host that is slow, and still tells what that put back', async () => {
    host.report = RESTORED
    const late = Promise.withResolvers<void>()
    host.proven = late.promise
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
    host.report = RESTORED
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
