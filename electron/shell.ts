import { join } from 'node:path'
import type { Client } from '../shared/contract/client.ts'
import type { SessionId } from '../shared/contract/ids.ts'
import type { ApprovalRequest } from '../shared/contract/schemas/approval.ts'
import type { KillReport } from '../shared/contract/schemas/session.ts'
import type { Release } from '../shared/contract/schemas/update.ts'
import type { DesktopBus } from './desktop-bus.ts'
import { askInBox, askQuit, notifyKill, notifyQuestion } from './dialogs/ask.ts'
import { killWords } from './dialogs/kill-words.ts'
import { createNotifier } from './dialogs/notifier.ts'
import { emergencyKill } from './emergency-kill.ts'
import { createHostLink } from './host-process/host-link.ts'
import { registerKillSwitch, type KillSwitch } from './hotkey/kill-switch.ts'
import type { Parts } from './parts.ts'
import { oneLine } from './plain-text.ts'
import { AT_START, runningOf, withApproval, withHost, withKill, withoutHost, withSession, type ShellState } from './shell-state.ts'
import type { Settings } from './settings.ts'
import type { StartAtLogin } from './start-at-login.ts'
import { createTray } from './tray/create-tray.ts'
import { createStatusWindow } from './tray/status-window.ts'
import { launchPage, type Action, type MenuEntry, type MenuOptions } from './tray/tray-menu.ts'
import type { TrayIcon } from './tray/tray-view.ts'
import { createWindows } from './windows/create-windows.ts'
import { deepLinkIn } from './windows/links.ts'

export interface ShellDeps extends DesktopBus {
  readonly parts: Parts
  readonly platform: string
  /** Holds the icons, the pages and the preload. */
  readonly appFolder: string
  readonly settings: Settings
  /** Where a person changes them. */
  readonly settingsFile: string
  keep(changes: Settings): void
  readonly startAtLogin: StartAtLogin | null
  /** A newer version, where the user has one looked for. */
  newerVersion(): Promise<Release | null>
  findHost(): Promise<{ socketPath: string; token: string }>
  killAlone(sessionIds: readonly SessionId[] | 'all', lock: boolean): Promise<readonly KillReport[]>
  unlock(): Promise<void>
}

export interface Shell {
  /** What a second start, or a deep link, asks for. */
  open(argv: readonly string[]): void
  act(action: Action): void
  state(): ShellState
  /** What stands in the tray. */
  tray(): { readonly icon: TrayIcon; readonly toolTip: string; readonly menu: readonly MenuEntry[] }
  /** As the kill switch's keys. */
  press(): void
}

const DAY_MS = 24 * 60 * 60_000

const words = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Puts the shell together and runs it: the host's state in, the tray, the two windows and the dialogs out. */
export const startShell = (deps: ShellDeps): Shell => {
  const { parts, platform } = deps
  const { app } = parts
  let state = AT_START
  let client: Client | null = null
  let locked = false
  let quiet = false
  let sound = deps.settings.sound === true
  let killSwitch: KillSwitch | null = null
  let release: Release | null = null
  /** What was asked for while there was no host yet. */
  let wanted: string | null = null
  const notified = new Map<string, { close(): void }>()

  const notify = createNotifier(parts, deps.takesNotifications)
  const say = (title: string, body: string): { close(): void } => notify({ title, body: oneLine(body, 300) })
  const attempt = (what: string, work: Promise<unknown>): void => void work.catch((error: unknown) => void say(what, words(error)))
  const host = (): Client => {
    if (client === null) throw new Error('The host cannot be reached just now.')
    return client
  }

  const menuOptions = (): MenuOptions => ({
    hotkey: killSwitch?.keys ?? null,
    startsAtLogin: deps.startAtLogin?.isOn() ?? null,
    sound,
    quiet,
    release: release?.version ?? null,
  })
  const menu = { menuOptions, act: (action: Action) => act(action) }
  const drawTray = createTray({ parts, platform, iconFolder: join(deps.appFolder, 'icons'), ...menu })
  let drawWindow: (state: ShellState) => void = () => undefined
  /** What cannot be drawn keeps nothing else from being done, a kill least of all. */
  const draw = (next: ShellState): void => {
    for (const drawn of [drawTray.draw, drawWindow]) {
      try {
        drawn(next)
      } catch (error) {
        console.error(error)
      }
    }
  }
  const windows = createWindows({
    parts,
    appFolder: deps.appFolder,
    way: () => link.way(),
    keptBounds: deps.settings.dashboard,
    keepBounds: (dashboard) => deps.keep({ dashboard }),
    onApprovalsBroken: () => askAllInBoxes(),
  })

  const decide = async (request: ApprovalRequest, answer: 'approve' | 'deny'): Promise<void> => {
    if (answer === 'approve' && locked) return
    const { id: approvalId, bindingHash } = request
    await host().call('approval/decide', { approvalId, bindingHash, answer, scope: 'once', ...(answer === 'deny' ? { reason: 'The user said no.' } : {}) })
  }

  let boxes = Promise.resolve()
  /** One after the other, each only while it still waits. */
  const askAllInBoxes = (): void => {
    for (const request of state.approvals) {
      boxes = boxes.then(async () => {
        if (locked || quiet || !state.approvals.some(({ id }) => id === request.id)) return
        const answer = await askInBox(parts, request)
        if (answer !== 'later') await decide(request, answer).catch((error: unknown) => say('Not answered', words(error)))
      })
    }
  }
  const showApprovals = (focus: boolean): void => void windows.showApprovals(focus).catch(() => (client === null ? undefined : askAllInBoxes()))

  const change = (next: ShellState): void => {
    const fresh = next.approvals.filter(({ id }) => !state.approvals.some((known) => known.id === id))
    state = next
    draw(state)
    for (const [id, notification] of notified) {
      if (state.approvals.some((request) => request.id === id)) continue
      notification.close()
      notified.delete(id)
    }
    for (const request of quiet ? [] : fresh) {
      const on = { show: () => showApprovals(true), answer: (answer: 'approve' | 'deny') => attempt('Not answered', decide(request, answer)) }
      notified.set(request.id, notifyQuestion(notify, request, { locked, platform }, on))
    }
    if (state.approvals.length === 0) windows.hideApprovals()
    else if (fresh.length > 0 && !locked && !quiet) showApprovals(false)
  }

  const kill = async (sessionIds: readonly SessionId[] | 'all', lock = false): Promise<void> => {
    change({ ...state, killing: true, locked: state.locked || lock })
    if (sound) parts.beep()
    const begun = say('Killing…', sessionIds === 'all' ? 'All sessions end, and their folders are put back.' : 'The session ends, and its folder is put back.')
    try {
      const alone = () => deps.killAlone(sessionIds, lock)
      const reports = lock ? await alone() : await emergencyKill(client, sessionIds, alone)
      change(withKill(state, reports))
      const { title, body } = killWords(reports)
      const { undoable } = state
      const undo = undoable.length === 0 ? null : () => undoable.forEach((sessionId) => act({ do: 'undo', sessionId }))
      notifyKill(parts, notify, { title, body: oneLine(lock ? `${body} Locked: nothing starts until you unlock in the tray menu.` : body, 300) }, platform, undo)
    } catch (error) {
      change({ ...state, killing: false })
      say('The kill FAILED', words(error))
    } finally {
      begun.close()
    }
  }

  const lookForRelease = (): void => {
    const looked = deps.newerVersion().then((found) => {
      if (found === null || found.version === release?.version) return
      release = found
      draw(state)
      say(`Holdfast ${found.version} is out`, 'The tray menu leads to its page. Nothing was downloaded.')
    })
    attempt('Updates cannot be looked for', looked)
  }

  const leave = (): void => {
    link.stop()
    clearInterval(daily)
    parts.globalShortcut.unregisterAll()
    app.exit(0)
  }
  const quit = async (): Promise<void> => {
    const running = runningOf(state).length
    const answer = running === 0 ? 'leave' : await askQuit(parts, running)
    if (answer === 'kill') await kill('all')
    if (answer !== 'stay') leave()
  }

  const chooseFolder = async (): Promise<void> => {
    const { canceled, filePaths } = await parts.dialog.showOpenDialog({ title: 'Launch an agent in…', properties: ['openDirectory', 'createDirectory'] })
    const [folder] = filePaths
    if (!canceled && folder !== undefined) act({ do: 'show', page: launchPage(folder) })
  }

  const act = (action: Action): void => {
    if (action.do === 'show') attempt('The dashboard does not open', windows.showDashboard(action.page))
    else if (action.do === 'approvals') showApprovals(true)
    else if (action.do === 'kill') void kill(action.sessionIds)
    else if (action.do === 'retry-host') link.retry()
    else if (action.do === 'unlock') attempt('Not unlocked', deps.unlock().then(() => change({ ...state, locked: false })))
    else if (action.do === 'read-release') attempt('The page does not open', (async () => (release === null ? undefined : parts.openPage(release.page)))())
    else if (action.do === 'choose-folder') attempt('No folder was chosen', chooseFolder())
    else if (action.do === 'start-at-login') {
      attempt('The start at login could not be changed', (async () => deps.startAtLogin?.set(action.on))())
      draw(state)
    } else if (action.do === 'sound') {
      sound = action.on
      deps.keep({ sound })
      draw(state)
    } else if (action.do === 'quiet') {
      quiet = action.on
      draw(state)
      if (quiet) windows.hideApprovals()
      else if (state.approvals.length > 0 && !locked) showApprovals(false)
    } else if (action.do === 'quit') void quit()
    else if (action.do === 'undo') {
      const { sessionId } = action
      const undone = (async () => {
        await host().call('session/undo', { sessionId })
        change({ ...state, undoable: state.undoable.filter((id) => id !== sessionId) })
        say('Undone', 'The state from before the revert is back.')
      })()
      attempt('Not undone', undone)
    } else attempt(`Could not ${action.do}`, (async () => host().call(`session/${action.do}`, { sessionId: action.sessionId }))())
  }

  const connected = async (to: Client): Promise<void> => {
    client = to
    to.on('session/changed', (session) => change(withSession(state, session)))
    to.on('approval/changed', (request) => change(withApproval(state, request)))
    to.on('alarm/raised', ({ message }) => say('Holdfast raises an alarm', message))
    await to.call('event/subscribe', {})
    const [{ sessions }, { requests }] = await Promise.all([to.call('session/list', {}), to.call('approval/list', {})])
    change(withHost(state, sessions, requests))
    if (wanted !== null) act({ do: 'show', page: wanted })
    wanted = null
  }

  killSwitch = registerKillSwitch(parts, deps.settings.hotkey, platform, (step) => void kill('all', step === 'kill-and-lock'))
  if (killSwitch.keys === null) say('The kill switch has no hotkey', `Another program has taken its keys. Set others as "hotkey" in ${deps.settingsFile}; the tray menu kills all the same.`)
  parts.powerMonitor.on('lock-screen', () => {
    locked = true
    windows.hideApprovals()
  })
  parts.powerMonitor.on('unlock-screen', () => {
    locked = false
    if (state.approvals.length > 0 && !quiet) showApprovals(false)
  })
  draw(state)
  lookForRelease()
  const daily = setInterval(lookForRelease, DAY_MS)
  void deps.hasTray().then((has) => {
    if (has) return
    drawWindow = createStatusWindow({ parts, ...menu })
    drawWindow(state)
    if (deps.settings.saidNoTray === true) return
    deps.keep({ saidNoTray: true })
    say('This desktop shows no tray icons', 'A small window stands in for one. With an extension for AppIndicators the icon appears; this is said once.')
  })
  const link = createHostLink({
    find: deps.findHost,
    onClient: (to) => void connected(to).catch(() => undefined),
    onAway: (why) => {
      client = null
      change(withoutHost(state, why))
    },
  })

  return {
    open: (argv) => {
      const deep = deepLinkIn(argv)
      if (deep?.show === 'approvals') return showApprovals(true)
      const page = deep?.page ?? 'sessions'
      if (client === null) wanted = page
      else act({ do: 'show', page })
    },
    act,
    state: () => state,
    tray: drawTray.drawn,
    press: () => killSwitch?.press(),
  }
}
