import { join } from 'node:path'
import type { Clock } from '../ports.ts'
import { LINK_LIFETIME_MS } from './web-logins.ts'
import { listenWeb, type WebServer, type WebServerOptions } from './web-server.ts'

export interface DashboardServer {
  /** Starts serving if need be, and gives a link that logs one browser in to both pages. */
  open(): Promise<{ url: string; expiresAt: number }>
  /** Where approvals are answered, or null while no page is served. */
  approvalsPage(): string | null
  close(): Promise<void>
}

export interface DashboardServerDeps extends Omit<WebServerOptions, 'role' | 'folder'> {
  readonly clock: Clock
  /** Holds a folder `dashboard` and a folder `approval`. */
  readonly folder: string
}

/**
 * The dashboard and the approvals page, each from an origin of its own: code of one cannot reach into the other, so that
 * the packages in the dashboard cannot answer an approval. Nothing listens before the first `open`.
 */
export const createDashboardServer = (deps: DashboardServerDeps): DashboardServer => {
  let starting: Promise<readonly [WebServer, WebServer]> | null = null
  let approvalsPage: string | null = null

  const start = (): Promise<readonly [WebServer, WebServer]> =>
    Promise.all([
      listenWeb({ ...deps, role: 'approver', folder: join(deps.folder, 'approval') }),
      listenWeb({ ...deps, role: 'dashboard', folder: join(deps.folder, 'dashboard') }),
    ])

  return {
    open: async () => {
      starting ??= start()
      const [approvals, dashboard] = await starting
      approvalsPage = `${approvals.origin}/`
      const expiresAt = deps.clock.now() + LINK_LIFETIME_MS
      const next = `${dashboard.origin}/#login=${dashboard.createLink()}`
      return { url: `${approvals.origin}/#login=${approvals.createLink()}&next=${encodeURIComponent(next)}`, expiresAt }
    },
    approvalsPage: () => approvalsPage,
    close: async () => {
      const servers = (await starting?.catch(() => null)) ?? []
      await Promise.all(servers.map((server) => server.close()))
    },
  }
}
