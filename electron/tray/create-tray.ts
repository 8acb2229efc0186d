import { join } from 'node:path'
import type { Parts, TrayPart } from '../parts.ts'
import type { ShellState } from '../shell-state.ts'
import { menuItems } from './menu-items.ts'
import { trayMenu, type Action, type MenuOptions } from './tray-menu.ts'
import { trayView, type TrayIcon } from './tray-view.ts'

export interface TrayDeps {
  readonly parts: Pick<Parts, 'app' | 'buildMenu' | 'imageFrom' | 'newTray'>
  readonly platform: string
  readonly iconFolder: string
  readonly menuOptions: () => MenuOptions
  act(action: Action): void
}

export const midnightOf = (now: Date): number => new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime()

/** The tray icon with its menu. The returned function draws a state; what did not change is not drawn again. */
export const createTray = ({ parts, platform, iconFolder, menuOptions, act }: TrayDeps): ((state: ShellState) => void) => {
  const imageOf = (icon: TrayIcon) => parts.imageFrom(join(iconFolder, `tray-${icon}${platform === 'darwin' ? 'Template' : ''}.png`))
  let tray: TrayPart | null = null
  let drawn = { icon: '', menu: '' }
  let waiting = 0
  return (state) => {
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
    if (JSON.stringify(menu) !== drawn.menu) tray.setContextMenu(parts.buildMenu(menuItems(menu, act)))
    drawn = { icon: view.icon, menu: JSON.stringify(menu) }
  }
}
