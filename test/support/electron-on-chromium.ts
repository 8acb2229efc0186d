import type { Browser, BrowserContext, Page, Request } from 'playwright-core'
import type { SessionPart, WindowPart } from '../../electron/parts.ts'
import { createElectronDouble, type ElectronDouble } from './electron-double.ts'

/*
 * A DOUBLE of Electron whose windows are pages of the system's Chromium: the app's own code, both pages and the real host
 * run together. Each partition is a browser context. No window of a desktop, no focus and no sandbox of Electron's is
 * shown by it; the app has no preload, so there is no isolated world to stand in for.
 */

export interface ElectronOnChromium {
  readonly double: ElectronDouble
  /** The page in the window of this partition, once it has one. */
  page(partition: string): Page | undefined
  isVisible(partition: string): boolean
  end(): Promise<void>
}

interface Partition {
  readonly context: Promise<BrowserContext>
  page?: Page
  visible: boolean
  cancels: (url: string) => boolean
  prevents: (url: string) => boolean
}

/** Whether a page's own frame asks. One that a page has just opened has none yet, and says so by throwing. */
const isOf = (page: Page | undefined, request: Request): boolean => {
  try {
    return request.frame() === page?.mainFrame()
  } catch {
    return false
  }
}

export const createElectronOnChromium = (browser: Browser): ElectronOnChromium => {
  const double = createElectronDouble()
  const partitions = new Map<string, Partition>()

  const partitionOf = (name: string): Partition => {
    const existing = partitions.get(name)
    if (existing !== undefined) return existing
    const partition: Partition = { context: browser.newContext(), visible: false, cancels: () => false, prevents: () => false }
    partitions.set(name, partition)
    void partition.context.then((context) =>
      context.route('**/*', (route) => {
        const request = route.request()
        const isLeaving = request.isNavigationRequest() && isOf(partition.page, request) && partition.page?.url() !== 'about:blank'
        const isPrevented = isLeaving && partition.prevents(request.url())
        // So aborted, a navigation leaves the page as it is, as one that is prevented does in Electron.
        if (isPrevented) return route.abort('aborted')
        return partition.cancels(request.url()) ? route.abort('blockedbyclient') : route.continue()
      }),
    )
    return partition
  }

  const sessionOf = (name: string): SessionPart => {
    const partition = partitionOf(name)
    const session = double.parts.sessionOf(name)
    session.webRequest.onBeforeRequest = ((listener: (details: { url: string }, answer: (response: { cancel?: boolean }) => void) => void) => {
      partition.cancels = (url) => {
        let cancelled = false
        listener({ url }, (response) => (cancelled = response.cancel === true))
        return cancelled
      }
    }) as SessionPart['webRequest']['onBeforeRequest']
    return session
  }

  const newWindow: ElectronDouble['parts']['newWindow'] = (options) => {
    const window = double.parts.newWindow(options)
    const noted = double.windows.at(-1)
    const partition = partitionOf(options.webPreferences?.partition ?? '')
    if (noted === undefined) throw new Error('the double notes every window')
    partition.prevents = (url) => {
      let prevented = false
      noted.contents.emit('will-navigate', { preventDefault: () => (prevented = true) }, url)
      return prevented
    }
    const opened = partition.context.then(async (context) => {
      const page = await context.newPage()
      partition.page = page
      page.on('crash', () => noted.contents.emit('render-process-gone'))
      page.on('popup', (popup) => {
        noted.openLink(popup.url())
        void popup.close()
      })
      return page
    })
    const visibly = (how: () => void, visible: boolean) => (): void => {
      how()
      partition.visible = visible
    }
    const part: WindowPart = {
      ...window,
      loadURL: async (url) => void (await (await opened).goto(url)),
      show: visibly(window.show, true),
      showInactive: visibly(window.showInactive, true),
      hide: visibly(window.hide, false),
      destroy: () => {
        window.destroy()
        void opened.then((page) => page.close())
      },
      webContents: { ...window.webContents, executeJavaScript: async (code) => (await opened).evaluate(code) },
    }
    return part
  }

  return {
    double: { ...double, parts: { ...double.parts, sessionOf, newWindow } },
    page: (name) => partitions.get(name)?.page,
    isVisible: (name) => partitions.get(name)?.visible === true,
    end: async () => {
      for (const { context } of partitions.values()) await (await context).close()
    },
  }
}
