import { app, BrowserWindow, dialog, globalShortcut, Menu, nativeImage, Notification, powerMonitor, screen, session, shell, Tray } from 'electron'
import type { Parts } from './parts.ts'

/** The real Electron. */
export const systemParts: Parts = {
  app,
  dialog,
  globalShortcut,
  powerMonitor,
  get screen() {
    return screen
  },
  beep: () => shell.beep(),
  openPage: (url) => shell.openExternal(url),
  sessionOf: (partition) => session.fromPartition(partition),
  buildMenu: (template) => Menu.buildFromTemplate(template),
  imageFrom: (path) => nativeImage.createFromPath(path),
  newNotification: (options) => new Notification(options),
  newTray: (image) => new Tray(image),
  newWindow: (options) => new BrowserWindow(options),
}
