import type {
  App, BrowserWindow, BrowserWindowConstructorOptions, Dialog, GlobalShortcut, IpcMain, Menu, MenuItemConstructorOptions, NativeImage, Notification,
  NotificationConstructorOptions, PowerMonitor, Screen, Session, Tray, WebContents,
} from 'electron'
import type { PageAnswer } from './windows/app-pages.ts'

/*
 * All that this program uses of Electron beyond its start in main.ts, cut out of Electron's own types: where a new
 * version drops or changes a part, this file, main.ts or the tests' double stops compiling.
 */

export type WindowPart = Pick<
  BrowserWindow,
  'destroy' | 'focus' | 'getNormalBounds' | 'hide' | 'isDestroyed' | 'isMinimized' | 'isVisible' | 'loadURL' | 'on' | 'restore' | 'setAlwaysOnTop' | 'setBounds' | 'setMenu' | 'setTitle' | 'setVisibleOnAllWorkspaces' | 'show' | 'showInactive'
> & { readonly webContents: Pick<WebContents, 'executeJavaScript' | 'on' | 'send' | 'setWindowOpenHandler'> }

export type TrayPart = Pick<Tray, 'on' | 'setContextMenu' | 'setImage' | 'setTitle' | 'setToolTip'>
export type NotificationPart = Pick<Notification, 'close' | 'on' | 'show'>
export type SessionPart = Pick<Session, 'on' | 'setDevicePermissionHandler' | 'setPermissionCheckHandler' | 'setPermissionRequestHandler'> & {
  readonly webRequest: Pick<Session['webRequest'], 'onBeforeRequest'>
}

export interface Parts {
  readonly app: Pick<App, 'exit' | 'getLoginItemSettings' | 'setBadgeCount' | 'setLoginItemSettings'>
  readonly dialog: Pick<Dialog, 'showMessageBox' | 'showOpenDialog'>
  readonly globalShortcut: Pick<GlobalShortcut, 'register' | 'unregisterAll'>
  readonly ipcMain: Pick<IpcMain, 'on'>
  readonly powerMonitor: Pick<PowerMonitor, 'on'>
  readonly screen: Pick<Screen, 'getAllDisplays' | 'getCursorScreenPoint' | 'getDisplayNearestPoint'>
  /** The system's own sound. */
  beep(): void
  /** In the user's own browser. */
  openPage(url: string): Promise<void>
  sessionOf(partition: string): SessionPart
  /** Answers what the pages of this partition ask for by the app's own scheme. */
  servePages(partition: string, answer: (url: string) => PageAnswer): void
  buildMenu(template: MenuItemConstructorOptions[]): Menu
  imageFrom(path: string): NativeImage
  newNotification(options: NotificationConstructorOptions): NotificationPart
  newTray(image: NativeImage): TrayPart
  newWindow(options: BrowserWindowConstructorOptions): WindowPart
}
