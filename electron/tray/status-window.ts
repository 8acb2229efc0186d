import type { Parts } from '../parts.ts'
import { LOCKED_DOWN } from '../security/guards.ts'
import { hardenSession, hardenWindow } from '../security/harden.ts'
import type { ShellState } from '../shell-state.ts'
import { midnightOf } from './create-tray.ts'
import { menuItems } from './menu-items.ts'
import { trayMenu, type Action, type MenuOptions } from './tray-menu.ts'
import { trayView } from './tray-view.ts'

export interface StatusWindowDeps {
  readonly parts: Pick<Parts, 'buildMenu' | 'newWindow' | 'sessionOf'>
  readonly menuOptions: () => MenuOptions
  act(action: Action): void
}

const escaped = (text: string): string => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)

const POLICY = "default-src 'none'; style-src 'unsafe-inline'"
const STYLE = ':root{color-scheme:light dark}body{font:15px/1.5 system-ui;margin:16px}p{margin:8px 0 0;opacity:.75}'
const WHY = "This desktop shows no tray icons. This window stands in for one; its menu does what the icon's would."

const pageOf = (words: string): string => {
  const head = `<!doctype html><meta http-equiv="Content-Security-Policy" content="${POLICY}"><title>Holdfast</title><style>${STYLE}</style>`
  return `data:text/html;charset=utf-8,${encodeURIComponent(`${head}${escaped(words)}<p>${WHY}</p>`)}`
}

/**
 * For a desktop that shows no tray icons: a small window that tells the state in words and has the tray's menu. To close
 * it is to quit, which asks while sessions run. The returned function draws a state.
 */
export const createStatusWindow = ({ parts, menuOptions, act }: StatusWindowDeps): ((state: ShellState) => void) => {
  hardenSession(parts, 'status', /^data:text\/html;/)
  const window = parts.newWindow({
    width: 460,
    height: 180,
    title: 'Holdfast',
    fullscreenable: false,
    maximizable: false,
    webPreferences: { ...LOCKED_DOWN, javascript: false, partition: 'status' },
  })
  hardenWindow(window, '', () => undefined)
  window.on('close', (event) => {
    event.preventDefault()
    act({ do: 'quit' })
  })
  let drawn = { words: '', menu: '' }
  return (state) => {
    if (window.isDestroyed()) return
    const words = trayView(state, midnightOf(new Date())).toolTip
    const menu = trayMenu(state, menuOptions())
    if (words !== drawn.words) void window.loadURL(pageOf(words)).catch(() => undefined)
    if (JSON.stringify(menu) !== drawn.menu) window.setMenu(parts.buildMenu([{ label: 'Holdfast', submenu: menuItems(menu, act) }]))
    drawn = { words, menu: JSON.stringify(menu) }
  }
}
