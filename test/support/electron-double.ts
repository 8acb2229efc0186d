import { EventEmitter } from 'node:events'
import type { BrowserWindowConstructorOptions, MenuItemConstructorOptions, NotificationConstructorOptions } from 'electron'
import type { NotificationPart, Parts, SessionPart, TrayPart, WindowPart } from '../../electron/parts.ts'
import type { PageAnswer } from '../../electron/windows/app-pages.ts'

/*
 * A DOUBLE of what the app uses of Electron: it implements the types of the real electron.d.ts and draws nothing. What it
 * cannot show (focus, stacking, what a desktop does with a tray) only a real Electron shows.
 */

export interface WindowDouble {
  readonly options: BrowserWindowConstructorOptions
  readonly events: EventEmitter
  readonly contents: EventEmitter
  /** What was done to it, in order: `load URL`, `run CODE`, `show`, `show without focus`, `hide`. */
  readonly done: string[]
  visible: boolean
  destroyed: boolean
  menu: MenuItemConstructorOptions[]
  /** What was sent to its page. */
  readonly sent: unknown[][]
  /** Says to the app what a page says over the preload, from the frame with this address. */
  say(url: string, message: readonly unknown[], inFrame?: boolean): void
  /** Asks as a page does that opens a link; gives what the app answers. */
  openLink(url: string): string
}

export interface SessionDouble {
  permissions: string[]
  isAllowed(permission: string): boolean
  isCancelled(url: string): boolean
}

export interface ElectronDouble {
  readonly parts: Parts
  readonly windows: WindowDouble[]
  readonly notifications: { readonly options: NotificationConstructorOptions; readonly events: EventEmitter; closed: boolean }[]
  /** The tray as it is: the picture's path, tool tip and menu. */
  readonly tray: { image: string; toolTip: string; menu: MenuItemConstructorOptions[] }
  readonly shortcuts: Map<string, () => void>
  readonly power: EventEmitter
  readonly sessions: Map<string, SessionDouble>
  /** What answers the pages of each partition. */
  readonly pages: Map<string, (url: string) => PageAnswer>
  readonly ipc: EventEmitter
  readonly boxes: { message: string; detail: string; buttons: readonly string[] }[]
  /** What a person answers the next message boxes, by the button's words. */
  readonly answers: string[]
  /** What a person chooses where a folder is asked for. */
  readonly folders: string[]
  /** Pages opened in the user's own browser. */
  readonly opened: string[]
  badge: number
  beeps: number
  exited: boolean
  /** Whether another program has the keys of the kill switch. */
  keysTaken: boolean
  /** Whether pages fail to load. */
  failsToLoad: boolean
  /** Whether the tray takes no icon. */
  failsToDraw: boolean
}

const AREA = { x: 0, y: 0, width: 1920, height: 1080 }

export const createElectronDouble = (): ElectronDouble => {
  const display = { workArea: AREA } as ReturnType<Parts['screen']['getAllDisplays']>[number]

  const newSession = (): SessionPart & SessionDouble => {
    let allows: (permission: string) => boolean = () => true
    let cancels: (url: string) => boolean = () => false
    const session = {
      permissions: [],
      isAllowed: (permission: string) => allows(permission),
      isCancelled: (url: string) => cancels(url),
      on: () => session,
      setDevicePermissionHandler: () => undefined,
      setPermissionCheckHandler: () => undefined,
      setPermissionRequestHandler: (handler: Parameters<SessionPart['setPermissionRequestHandler']>[0]) => {
        allows = (permission) => {
          let allowed = true
          handler?.(null as never, permission as never, (answer) => (allowed = answer), null as never)
          return allowed
        }
      },
      webRequest: {
        onBeforeRequest: ((listener: (details: { url: string }, answer: (response: { cancel?: boolean }) => void) => void) => {
          cancels = (url) => {
            let cancelled = false
            listener({ url }, (response) => (cancelled = response.cancel === true))
            return cancelled
          }
        }) as SessionPart['webRequest']['onBeforeRequest'],
      },
    } as unknown as SessionPart & SessionDouble
    return session
  }

  const double: ElectronDouble = {
    windows: [],
    notifications: [],
    tray: { image: '', toolTip: '', menu: [] },
    shortcuts: new Map(),
    power: new EventEmitter(),
    sessions: new Map(),
    pages: new Map(),
    ipc: new EventEmitter(),
    boxes: [],
    answers: [],
    folders: [],
    opened: [],
    badge: 0,
    beeps: 0,
    exited: false,
    keysTaken: false,
    failsToLoad: false,
    failsToDraw: false,
    parts: {
      app: {
        exit: () => void (double.exited = true),
        getLoginItemSettings: () => ({ openAtLogin: false }) as ReturnType<Parts['app']['getLoginItemSettings']>,
        setBadgeCount: (count = 0) => ((double.badge = count), true),
        setLoginItemSettings: () => undefined,
      },
      dialog: {
        showMessageBox: (async (options: { message: string; detail?: string; buttons?: string[]; cancelId?: number }) => {
          const buttons = options.buttons ?? []
          double.boxes.push({ message: options.message, detail: options.detail ?? '', buttons })
          const index = buttons.indexOf(double.answers.shift() ?? '')
          return { response: index === -1 ? (options.cancelId ?? 0) : index, checkboxChecked: false }
        }) as Parts['dialog']['showMessageBox'],
        showOpenDialog: (async () => {
          const filePaths = double.folders.splice(0, 1)
          return { canceled: filePaths.length === 0, filePaths }
        }) as Parts['dialog']['showOpenDialog'],
      },
      globalShortcut: {
        register: (accelerator, callback) => {
          if (!double.keysTaken) double.shortcuts.set(accelerator, callback)
          return !double.keysTaken
        },
        unregisterAll: () => double.shortcuts.clear(),
      },
      ipcMain: { on: ((channel: string, listener: () => void) => double.ipc.on(channel, listener)) as unknown as Parts['ipcMain']['on'] },
      powerMonitor: { on: ((event: string, listener: () => void) => double.power.on(event, listener)) as unknown as Parts['powerMonitor']['on'] },
      screen: { getAllDisplays: () => [display], getCursorScreenPoint: () => ({ x: 0, y: 0 }), getDisplayNearestPoint: () => display },
      beep: () => void (double.beeps += 1),
      openPage: async (url) => void double.opened.push(url),
      sessionOf: (partition) => {
        const session = newSession()
        double.sessions.set(partition, session)
        return session
      },
      servePages: (partition, answer) => void double.pages.set(partition, answer),
      buildMenu: (template) => template as unknown as ReturnType<Parts['buildMenu']>,
      imageFrom: (path) => path as unknown as ReturnType<Parts['imageFrom']>,
      newNotification: (options) => {
        const events = new EventEmitter()
        const notification = { options, events, closed: false }
        const part: NotificationPart = { show: () => void double.notifications.push(notification), close: () => void (notification.closed = true), on: ((event: string, listener: () => void) => events.on(event, listener)) as unknown as NotificationPart['on'] }
        return part
      },
      newTray: (image) => {
        double.tray.image = String(image)
        const part: TrayPart = {
          on: (() => part) as unknown as TrayPart['on'],
          setContextMenu: (menu) => void (double.tray.menu = menu as unknown as MenuItemConstructorOptions[]),
          setImage: (next) => {
            if (double.failsToDraw) throw new Error('the tray has gone')
            double.tray.image = String(next)
          },
          setTitle: () => undefined,
          setToolTip: (toolTip) => void (double.tray.toolTip = toolTip),
        }
        return part
      },
      newWindow: (options) => {
        const events = new EventEmitter()
        const contents = new EventEmitter()
        let opens: (details: { url: string }) => { action: string } = () => ({ action: 'allow' })
        const window: WindowDouble = {
          options, events, contents, done: [], visible: options.show !== false, destroyed: false, menu: [], sent: [], openLink: (url) => opens({ url }).action,
          say: (url, message, inFrame = false) => void double.ipc.emit('contract', { sender: webContents, senderFrame: { url, parent: inFrame ? {} : null } }, ...message),
        }
        double.windows.push(window)
        const shown = (how: string, visible: boolean) => () => {
          window.done.push(how)
          window.visible = visible
        }
        const webContents: WindowPart['webContents'] = {
          executeJavaScript: async (code) => void window.done.push(`run ${code}`),
          on: ((event: string, listener: () => void) => contents.on(event, listener)) as unknown as WindowPart['webContents']['on'],
          send: (_channel, ...message) => void window.sent.push(message),
          setWindowOpenHandler: (handler) => void (opens = handler as unknown as typeof opens),
        }
        const part: WindowPart = {
          destroy: () => void (window.destroyed = true),
          focus: () => undefined,
          getNormalBounds: () => ({ x: 1, y: 2, width: 1000, height: 700 }),
          hide: shown('hide', false),
          isDestroyed: () => window.destroyed,
          isMinimized: () => false,
          isVisible: () => window.visible,
          loadURL: async (url) => {
            window.done.push(`load ${url}`)
            if (double.failsToLoad) throw new Error('ERR_FAILED')
          },
          on: ((event: string, listener: () => void) => events.on(event, listener)) as unknown as WindowPart['on'],
          restore: () => undefined,
          setAlwaysOnTop: () => undefined,
          setBounds: () => undefined,
          setMenu: (menu) => void (window.menu = menu as unknown as MenuItemConstructorOptions[]),
          setTitle: () => undefined,
          setVisibleOnAllWorkspaces: () => undefined,
          show: shown('show', true),
          showInactive: shown('show without focus', true),
          // As Electron's: it throws once the window is gone.
          get webContents() {
            if (window.destroyed) throw new TypeError('Object has been destroyed')
            return webContents
          },
        }
        return part
      },
    },
  }
  return double
}
