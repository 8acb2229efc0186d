import { join } from 'node:path'
import type { Parts, TrayPart } from '../parts.ts'
import type { ShellState } from '../shell-state.ts'
import { menuItems } from './menu-items.ts'
import { trayMenu, type Action, type MenuEntry, type MenuOptions } from './tray-menu.ts'
import { trayView, type TrayIcon } from './tray-view.ts'

export interface TrayDeps {
  readonly parts: Pick<Parts, 'app' | 'buildMenu' | 'imageFrom' | 'newTray'>
  readonly platform: string
  readonly iconFolder: string
  readonly menuOptions: () => MenuOptions
  act(action: Action): void
}

export const midnightOf = (now: Date): number => new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime()

export interface DrawnTray {
  /** Draws a state; what did not change is not drawn again. */
  draw(state: ShellState): void
  /** What was drawn last. */
  drawn(): { readonly icon: TrayIcon; readonly toolTip: string; readonly menu: readonly MenuEntry[] }
}

/** The tray icon with its menu. */
export const createTray = ({ parts, platform, iconFolder, menuOptions, act }: TrayDeps): DrawnTray => {
  const imageOf = (icon: TrayIcon) => parts.imageFrom(join(iconFolder, `tray-${icon}${platform === 'darwin' ? 'Template' : ''}.png`))
  let tray: TrayPart | null = null
  let drawn: ReturnType<DrawnTray['drawn']> = { icon: 'away', toolTip: '', menu: [] }
  let waiting = 0
  const draw = (state: ShellState): void => {
    const view = trayView(state, midnightOf(new Date()))
    const menu = trayMenu(state, menuOptions())
    waiting = state.approvals.length
    if (tray === null) {
      tray = parts.newTray(imageOf(view.icon))
      tray.on('click', () => act(waiting > 0 ? { do: 'approvals' } : { do: 'show', page: 'sessions' }))
    } else if (view.icon !== drawn.icon) tray.setImage(imageOf(view.icon))
    tray.setToolTip(view.toolTip)
    if (platform === 'darwin') tray.setTitle(view.title)
    parts.app.setBadgeCount(view.badge)
    if (JSON.stringify(menu) !== JSON.stringify(drawn.menu)) tray.setContextMenu(parts.buildMenu(menuItems(menu, act)))
    drawn = { icon: view.icon, toolTip: view.toolTip, menu }
  }
  return { draw, drawn: () => drawn }
}
