import { app, BrowserWindow, dialog, globalShortcut, ipcMain, Menu, nativeImage, Notification, powerMonitor, screen, session, shell, Tray } from 'electron'
import type { Parts } from './parts.ts'
import { SCHEME } from './windows/app-pages.ts'

/** The real Electron. */
export const systemParts: Parts = {
  app,
  dialog,
  globalShortcut,
  ipcMain,
  powerMonitor,
  get screen() {
    return screen
  },
  beep: () => shell.beep(),
  openPage: (url) => shell.openExternal(url),
  sessionOf: (partition) => session.fromPartition(partition),
  servePages: (partition, answer) => {
    const { protocol } = session.fromPartition(partition)
    // Before 25 there is no `handle`.
    if (typeof protocol.handle === 'function') {
      protocol.handle(SCHEME, ({ url }) => {
        const { status, headers, body } = answer(url)
        return new Response(new Uint8Array(body), { status, headers })
      })
    } else {
      protocol.registerBufferProtocol(SCHEME, ({ url }, respond) => {
        const { status, headers, body } = answer(url)
        respond({ statusCode: status, headers, mimeType: headers['Content-Type']?.split(';')[0] ?? '', charset: 'utf-8', data: body })
      })
    }
  },
  buildMenu: (template) => Menu.buildFromTemplate(template),
  imageFrom: (path) => nativeImage.createFromPath(path),
  newNotification: (options) => new Notification(options),
  newTray: (image) => new Tray(image),
  newWindow: (options) => new BrowserWindow(options),
}
