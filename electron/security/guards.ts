import type { WebPreferences } from 'electron'

/** A window shows the one origin it was opened for, and goes nowhere else. */
export const mayNavigate = (url: string, origin: string): boolean => {
  try {
    // Not `origin`, which is null for a scheme of the app's own.
    const { protocol, host } = new URL(url)
    return `${protocol}//${host}` === origin
  } catch {
    return false
  }
}

/** Renderers get nothing of Node, nothing of this program, and a sandbox of their own. */
export const LOCKED_DOWN = {
  sandbox: true,
  contextIsolation: true,
  nodeIntegration: false,
  nodeIntegrationInWorker: false,
  nodeIntegrationInSubFrames: false,
  webSecurity: true,
  webviewTag: false,
  spellcheck: false,
  safeDialogs: true,
} as const satisfies WebPreferences
