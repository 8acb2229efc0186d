import { readFileSync } from 'node:fs'
import type { Browser, BrowserContext, CDPSession, Page, Request } from 'playwright-core'
import type { SessionPart, WindowPart } from '../../electron/parts.ts'
import { createElectronDouble, type ElectronDouble } from './electron-double.ts'

/*
 * A DOUBLE of Electron whose windows are pages of the system's Chromium: the app's own code, its preload, both pages and
 * the real host run together. Each partition is a browser context. Chromium does not know the app's scheme: what the app
 * answers under it is shown at http://PAGE.localhost, which is looked up nowhere. The preload runs in a world of its own,
 * and what stands in for contextBridge carries text alone between that and the page's. No window of a desktop, no focus
 * and no sandbox of Electron's is shown by it.
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

const shownAt = (url: string): string => url.replace(/^holdfast-app:\/\/(\w+)\//, 'http://$1.localhost/')
const asked = (url: string): string => url.replace(/^http:\/\/(\w+)\.localhost\//, 'holdfast-app://$1/')

/** In the page's world: the functions that the preload exposed, as events to its world. Called with a name and its functions. */
const EXPOSED = `(name, functions) => {
  let listener = () => undefined
  document.addEventListener('to-page', ({ detail }) => listener(JSON.parse(detail)))
  globalThis[name] = Object.freeze(Object.fromEntries(functions.map((key) => [key, (argument) => {
    if (typeof argument === 'function') listener = argument
    document.dispatchEvent(new CustomEvent('to-preload', { detail: JSON.stringify([key, typeof argument === 'function' ? null : argument]) }))
  }])))
}`

/** In the preload's world: Electron as far as the preload sees it. */
const ISOLATED = (preload: string): string => `{
  const listeners = []
  globalThis.fromMain = (message) => { for (const listener of listeners) listener(null, ...message) }
  const electron = {
    ipcRenderer: {
      on: (_channel, listener) => void listeners.push(listener),
      send: (_channel, ...message) => toMain(JSON.stringify(message)),
    },
    contextBridge: {
      exposeInMainWorld: (_name, api) => document.addEventListener('to-preload', ({ detail }) => {
        const [key, argument] = JSON.parse(detail)
        api[key](argument === null ? (frame) => document.dispatchEvent(new CustomEvent('to-page', { detail: JSON.stringify(frame) })) : argument)
      }),
    },
  }
  const require = () => electron
  ${preload}
}`

/** Whether a page's own frame asks. One that a page has just opened has none yet, and says so by throwing. */
const isOf = (page: Page | undefined, request: Request): boolean => {
  try {
    return request.frame() === page?.mainFrame()
  } catch {
    return false
  }
}

/** Lets a page's preload and the app speak. Gives what sends to the preload. */
const joinPreload = async (page: Page, preload: string, onMessage: (message: readonly unknown[]) => void): Promise<(message: readonly unknown[]) => void> => {
  const devtools: CDPSession = await page.context().newCDPSession(page)
  let world: number | null = null
  devtools.on('Runtime.executionContextCreated', ({ context }) => {
    if (context.name === 'preload') world = context.id
  })
  devtools.on('Runtime.bindingCalled', ({ name, payload }) => {
    if (name === 'toMain') onMessage(JSON.parse(payload) as unknown[])
  })
  await devtools.send('Page.enable')
  await devtools.send('Runtime.enable')
  await devtools.send('Runtime.addBinding', { name: 'toMain', executionContextName: 'preload' })
  await devtools.send('Page.addScriptToEvaluateOnNewDocument', { source: ISOLATED(readFileSync(preload, 'utf8')), worldName: 'preload' })
  await page.addInitScript(`(${EXPOSED})('holdfastApp', ['open', 'send', 'close'])`)
  return (message) => {
    if (world !== null) void devtools.send('Runtime.evaluate', { contextId: world, expression: `fromMain(${JSON.stringify(message)})` }).catch(() => undefined)
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
        const url = asked(request.url())
        const isLeaving = request.isNavigationRequest() && isOf(partition.page, request) && partition.page?.url() !== 'about:blank'
        const isPrevented = isLeaving && partition.prevents(url)
        // So aborted, a navigation leaves the page as it is, as one that is prevented does in Electron.
        if (isPrevented) return route.abort('aborted')
        const answer = url.startsWith('holdfast-app:') && !partition.cancels(url) ? double.pages.get(name)?.(url) : undefined
        return answer === undefined ? route.abort('blockedbyclient') : route.fulfill({ ...answer, headers: { ...answer.headers } })
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
      const toPreload = await joinPreload(page, options.webPreferences?.preload ?? '', (message) => noted.say(asked(page.url()), message))
      return { page, toPreload }
    })
    const visibly = (how: () => void, visible: boolean) => (): void => {
      how()
      partition.visible = visible
    }
    const { webContents } = window
    const part: WindowPart = {
      ...window,
      loadURL: async (url) => void (await (await opened).page.goto(shownAt(url))),
      show: visibly(window.show, true),
      showInactive: visibly(window.showInactive, true),
      hide: visibly(window.hide, false),
      destroy: () => {
        window.destroy()
        void opened.then(({ page }) => page.close())
      },
      // The same object: the app knows who speaks by it.
      webContents: Object.assign(webContents, {
        executeJavaScript: async (code: string) => (await opened).page.evaluate(code),
        send: (_channel: string, ...message: unknown[]) => void opened.then(({ toPreload }) => toPreload(message)),
      }),
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
