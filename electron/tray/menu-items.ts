import type { MenuItemConstructorOptions } from 'electron'
import { SEPARATOR, type Action, type MenuEntry } from './tray-menu.ts'

/** A menu's entries as Electron takes them. */
export const menuItems = (entries: readonly MenuEntry[], act: (action: Action) => void): MenuItemConstructorOptions[] =>
  entries.map((entry) => {
    if (entry === SEPARATOR) return { type: 'separator' }
    const { label, action, submenu, checked } = entry
    return {
      label,
      enabled: action !== undefined || submenu !== undefined,
      ...(submenu === undefined ? {} : { submenu: menuItems(submenu, act) }),
      ...(checked === undefined ? {} : { type: 'checkbox' as const, checked }),
      ...(action === undefined ? {} : { click: () => act(action) }),
    }
  })
