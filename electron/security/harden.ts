import type { Parts, WindowPart } from '../parts.ts'
import { mayNavigate } from './guards.ts'

/** A session that asks for nothing, downloads nothing and reaches nothing but what is `allowed`. */
export const hardenSession = (parts: Pick<Parts, 'sessionOf'>, partition: string, allowed: RegExp): void => {
  const session = parts.sessionOf(partition)
  session.setPermissionRequestHandler((_contents, _permission, answer) => answer(false))
  session.setPermissionCheckHandler(() => false)
  session.setDevicePermissionHandler(() => false)
  session.on('will-download', (event) => event.preventDefault())
  session.webRequest.onBeforeRequest((details, answer) => answer({ cancel: !allowed.test(details.url) }))
}

/** Keeps a window at its origin; a link that would open another goes to `onLink` instead. */
export const hardenWindow = (window: WindowPart, origin: string, onLink: (url: string) => void): void => {
  window.webContents.on('will-navigate', (event, url) => {
    if (!mayNavigate(url, origin)) event.preventDefault()
  })
  window.webContents.on('will-redirect', (event, url) => {
    if (!mayNavigate(url, origin)) event.preventDefault()
  })
  window.webContents.on('will-attach-webview', (event) => event.preventDefault())
  window.webContents.setWindowOpenHandler(({ url }) => {
    onLink(url)
    return { action: 'deny' }
  })
}
