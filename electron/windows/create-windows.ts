import { join } from 'node:path'
import type { IpcMainEvent } from 'electron'
import type { Way } from '../host-process/host-link.ts'
import type { Parts, WindowPart } from '../parts.ts'
import { hardenSession, hardenWindow } from '../security/harden.ts'
import { LOCKED_DOWN, mayNavigate } from '../security/guards.ts'
import { createAppPage, originOf, type PageName } from './app-pages.ts'
import { createPageLink, type PageLink } from './page-link.ts'
import { approvalBounds, dashboardBounds, type Bounds } from './placement.ts'

export interface WindowsDeps {
  readonly parts: Parts
  /** Holds the pages and the preload. */
  readonly appFolder: string
  /** The way to the host; null while there is none. */
  way(): Way | null
  readonly keptBounds: unknown
  keepBounds(bounds: Bounds): void
  /** The approvals window cannot be shown, or its page died. */
  onApprovalsBroken(): void
}

export interface Windows {
  showDashboard(page: string): Promise<void>
  /** Over everything, on the display that is worked on; takes the keyboard only when asked to. */
  showApprovals(focus: boolean): Promise<void>
  hideApprovals(): void
}

interface Page {
  readonly window: WindowPart
  /** A window that is destroyed throws when it is asked for them. */
  readonly contents: WindowPart['webContents']
  readonly link: PageLink
}

const ROLES = { approvals: 'approver', dashboard: 'dashboard' } as const

/** Whether a message comes from the page itself that this window was made for: no frame in it, and no other page. */
export const isFromPage = ({ senderFrame }: Pick<IpcMainEvent, 'senderFrame'>, name: PageName): boolean =>
  senderFrame !== null && senderFrame.parent === null && mayNavigate(senderFrame.url, originOf(name))

/**
 * The two windows. Each shows a page out of the app's own files, at an origin of its own, in a session in memory that
 * reaches nothing else: no port of this machine, and so nothing that took the host's. What a page says to the host goes
 * over its preload and the local socket, in the page's role.
 */
export const createWindows = (deps: WindowsDeps): Windows => {
  const { parts } = deps
  const pages: Partial<Record<PageName, Page>> = {}
  const served = new Set<PageName>()
  const activeArea = (): Bounds => parts.screen.getDisplayNearestPoint(parts.screen.getCursorScreenPoint()).workArea

  parts.ipcMain.on('contract', (event, connection: unknown, what: unknown, value: unknown) => {
    for (const name of ['approvals', 'dashboard'] as const) {
      const page = pages[name]
      if (page?.contents === event.sender && isFromPage(event, name)) page.link.fromPage(connection, what, value)
    }
  })

  const serve = (name: PageName): void => {
    if (served.has(name)) return
    parts.servePages(name, createAppPage(join(deps.appFolder, 'renderer'), name))
    hardenSession(parts, name, new RegExp(`^${originOf(name)}/`))
    served.add(name)
  }

  const create = (name: PageName, bounds: Bounds, title: string, onBroken: () => void): Page => {
    serve(name)
    const window = parts.newWindow({
      ...bounds,
      title,
      show: false,
      autoHideMenuBar: true,
      ...(name === 'approvals' ? { alwaysOnTop: true, skipTaskbar: true, fullscreenable: false } : {}),
      webPreferences: { ...LOCKED_DOWN, partition: name, preload: join(deps.appFolder, 'preload.cjs') },
    })
    const contents = window.webContents
    const toPage = (connection: number, frame: string | null): void => {
      if (!window.isDestroyed()) contents.send('contract', connection, frame)
    }
    const link = createPageLink({ role: ROLES[name], way: deps.way, toPage })
    const broken = (): void => {
      link.end()
      window.destroy()
      onBroken()
    }
    contents.on('render-process-gone', broken)
    contents.on('preload-error', broken)
    window.on('closed', () => link.end())
    hardenWindow(window, originOf(name), (url) => {
      if (name === 'dashboard' && mayNavigate(url, originOf('approvals'))) void showApprovals(true)
    })
    return { window, contents, link }
  }

  /** A window whose page does not load is none. */
  const load = async (name: PageName, window: WindowPart): Promise<WindowPart> => {
    await window.loadURL(`${originOf(name)}/`).catch((error: unknown) => {
      window.destroy()
      throw error
    })
    return window
  }

  const existing = (name: PageName): WindowPart | null => {
    const page = pages[name]
    return page === undefined || page.window.isDestroyed() ? null : page.window
  }

  const dashboard = async (): Promise<WindowPart> => {
    const open = existing('dashboard')
    if (open !== null) return open
    const areas = parts.screen.getAllDisplays().map(({ workArea }) => workArea)
    const page = create('dashboard', dashboardBounds(deps.keptBounds, areas, activeArea()), 'Holdfast', () => undefined)
    const { window } = (pages.dashboard = page)
    window.on('close', () => deps.keepBounds(window.getNormalBounds()))
    return await load('dashboard', window)
  }

  const showDashboard = async (route: string): Promise<void> => {
    const window = await dashboard()
    await window.webContents.executeJavaScript(`location.hash = ${JSON.stringify(`#/${route}`)}`)
    if (window.isMinimized()) window.restore()
    window.show()
    window.focus()
  }

  const approvals = async (): Promise<WindowPart> => {
    const open = existing('approvals')
    if (open !== null) return open
    const page = create('approvals', approvalBounds(activeArea()), 'Approvals · Holdfast', deps.onApprovalsBroken)
    const { window } = (pages.approvals = page)
    window.setAlwaysOnTop(true, 'screen-saver')
    window.setVisibleOnAllWorkspaces(true, { visibleOnFullScreen: true })
    window.on('close', (event) => {
      event.preventDefault()
      window.hide()
    })
    return await load('approvals', window)
  }

  const showApprovals = async (focus: boolean): Promise<void> => {
    const window = await approvals()
    window.setBounds(approvalBounds(activeArea()))
    if (focus) window.show()
    else window.showInactive()
  }

  return {
    showDashboard,
    showApprovals,
    hideApprovals: () => existing('approvals')?.hide(),
  }
}
