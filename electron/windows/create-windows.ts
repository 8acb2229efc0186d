import type { Parts, WindowPart } from '../parts.ts'
import { hardenSession, hardenWindow } from '../security/harden.ts'
import { LOCKED_DOWN, mayNavigate } from '../security/guards.ts'
import type { LoginLinks } from './links.ts'
import { approvalBounds, dashboardBounds, type Bounds } from './placement.ts'

export interface WindowsDeps {
  readonly parts: Parts
  /** Fresh links; rejects while there is no host. */
  links(): Promise<LoginLinks>
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
  /** The host is another one now: logins are void. What is on screen logs in anew. */
  renew(): void
}

interface Page {
  window: WindowPart
  origin: string
}

/**
 * The two windows. Each has a session in memory of its own and logs in on its own. Their pages come from the host's
 * addresses on 127.0.0.1, not by a protocol of the app's: so app and browser show the same pages under one policy and one
 * login. Neither window has a preload, so whatever answered there in the host's place would hold nothing of this program.
 */
export const createWindows = (deps: WindowsDeps): Windows => {
  const { parts } = deps
  const pages: Partial<Record<keyof LoginLinks, Page>> = {}
  const stale = new Set<keyof LoginLinks>()
  const activeArea = (): Bounds => parts.screen.getDisplayNearestPoint(parts.screen.getCursorScreenPoint()).workArea

  const create = (name: keyof LoginLinks, bounds: Bounds, title: string): Page => {
    hardenSession(parts, name)
    const window = parts.newWindow({
      ...bounds,
      title,
      show: false,
      autoHideMenuBar: true,
      ...(name === 'approvals' ? { alwaysOnTop: true, skipTaskbar: true, fullscreenable: false } : {}),
      webPreferences: { ...LOCKED_DOWN, partition: name },
    })
    const page: Page = { window, origin: '' }
    hardenWindow(window, () => page.origin, (url) => {
      if (name === 'dashboard' && mayNavigate(url, pages.approvals?.origin ?? '')) void showApprovals(true)
    })
    return page
  }

  const logIn = async (name: keyof LoginLinks, page: Page): Promise<void> => {
    const url = (await deps.links())[name]
    page.origin = new URL(url).origin
    await page.window.loadURL(url)
    stale.delete(name)
  }

  const dashboard = async (): Promise<Page> => {
    const existing = pages.dashboard
    if (existing !== undefined && !existing.window.isDestroyed()) return existing
    const areas = parts.screen.getAllDisplays().map(({ workArea }) => workArea)
    const page = create('dashboard', dashboardBounds(deps.keptBounds, areas, activeArea()), 'Holdfast')
    pages.dashboard = page
    page.window.on('close', () => deps.keepBounds(page.window.getNormalBounds()))
    page.window.webContents.on('render-process-gone', () => page.window.destroy())
    await logIn('dashboard', page)
    return page
  }

  const showDashboard = async (route: string): Promise<void> => {
    const page = await dashboard()
    if (stale.has('dashboard')) await logIn('dashboard', page)
    // Loading the address anew would break off the login that the page has just begun.
    await page.window.webContents.executeJavaScript(`location.hash = ${JSON.stringify(`#/${route}`)}`)
    if (page.window.isMinimized()) page.window.restore()
    page.window.show()
    page.window.focus()
  }

  const approvals = async (): Promise<Page> => {
    const existing = pages.approvals
    if (existing !== undefined && !existing.window.isDestroyed()) {
      if (stale.has('approvals')) await logIn('approvals', existing)
      return existing
    }
    const page = create('approvals', approvalBounds(activeArea()), 'Approvals · Holdfast')
    pages.approvals = page
    page.window.setAlwaysOnTop(true, 'screen-saver')
    page.window.setVisibleOnAllWorkspaces(true, { visibleOnFullScreen: true })
    page.window.on('close', (event) => {
      event.preventDefault()
      page.window.hide()
    })
    page.window.webContents.on('render-process-gone', () => {
      page.window.destroy()
      deps.onApprovalsBroken()
    })
    await logIn('approvals', page)
    return page
  }

  const showApprovals = async (focus: boolean): Promise<void> => {
    const { window } = await approvals()
    window.setBounds(approvalBounds(activeArea()))
    if (focus) window.show()
    else window.showInactive()
  }

  return {
    showDashboard,
    showApprovals,
    hideApprovals: () => {
      if (pages.approvals !== undefined && !pages.approvals.window.isDestroyed()) pages.approvals.window.hide()
    },
    renew: () => {
      for (const name of ['dashboard', 'approvals'] as const) {
        const page = pages[name]
        if (page === undefined || page.window.isDestroyed()) continue
        stale.add(name)
        if (page.window.isVisible()) void logIn(name, page).catch(() => undefined)
      }
    },
  }
}
