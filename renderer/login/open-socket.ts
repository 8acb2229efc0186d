import type { AppBridge } from '../../shared/contract/app-bridge.ts'
import { askForProof } from './ask-for-proof.ts'
import type { PageSocket } from './page-socket.ts'

const bridge = (globalThis as { holdfastApp?: AppBridge }).holdfastApp ?? null

/** Whether this page is in a window of the desktop app, which needs no login: the app says hello to the host for it. */
export const isInApp = (): boolean => bridge !== null

/** Where the app's other window is, as a link in this one names it. */
export const APP_APPROVALS = 'holdfast-app://approvals/'

/** The code that a WebSocket closes with when nobody closed it. Source: RFC 6455, 7.1.5. */
const GONE = 1006

const overBridge = ({ open, send, close }: AppBridge): PageSocket => {
  const events = new EventTarget()
  open((frame) => events.dispatchEvent(frame === null ? new CloseEvent('close', { code: GONE }) : new MessageEvent('message', { data: frame })))
  return { send, close, addEventListener: events.addEventListener.bind(events) as unknown as PageSocket['addEventListener'] }
}

const overWeb = (): Promise<PageSocket> =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://${location.host}/contract`)
    socket.addEventListener('open', () => resolve(socket), { once: true })
    socket.addEventListener('error', () => reject(new Error('refused')), { once: true })
  })

/**
 * A connection to the host: by the app's bridge in its windows; in a browser at the page's own address, once who listens
 * there has shown that it knows this login. Rejects with Error when nobody answers.
 */
export const openSocket = async (token: string): Promise<PageSocket | 'logged-out' | 'stranger'> => {
  if (bridge !== null) return overBridge(bridge)
  const known = await askForProof(token)
  return known === 'host' ? await overWeb() : known
}
