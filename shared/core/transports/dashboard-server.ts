import { join } from 'node:path'
import type { Clock } from '../ports.ts'
import type { LoginKeeper } from './kept-logins.ts'
import { LINK_LIFETIME_MS } from './web-logins.ts'
import { listenWeb, type WebServer, type WebServerOptions } from './web-server.ts'

export interface DashboardServer {
  /** Starts serving if need be, and gives a link that logs one browser in to both pages. */
  open(): Promise<{ url: string; expiresAt: number }>
  /** Serves the pages again, at their old addresses, where logins from before a restart are still good. */
  resume(): Promise<void>
  /** Ends every login on both pages. */
  logOut(): void
  /** Where approvals are answered, or null while no page is served. */
  approvalsPage(): string | null
  close(): Promise<void>
}

export interface DashboardServerDeps extends Omit<WebServerOptions, 'role' | 'folder' | 'keeper'> {
  readonly clock: Clock
  /** Holds a folder `dashboard` and a folder `approval`. */
  readonly folder: string
  /** Where the logins of each page outlive the host; null where they do not. */
  readonly keepers: { readonly approval: LoginKeeper; readonly dashboard: LoginKeeper } | null
}

/**
 * The dashboard and the approvals page, each from an origin of its own: code of one cannot reach into the other, so that
 * the packages in the dashboard cannot answer an approval. Nothing listens before the first `open`.
 */
export const createDashboardServer = (deps: DashboardServerDeps): DashboardServer => {
  let starting: Promise<readonly [WebServer, WebServer]> | null = null
  let approvalsPage: string | null = null
  let running: readonly WebServer[] = []

  const start = async (): Promise<readonly [WebServer, WebServer]> => {
    const servers = await Promise.all([
      listenWeb({ ...deps, role: 'approver', folder: join(deps.folder, 'approval'), keeper: deps.keepers?.approval }),
      listenWeb({ ...deps, role: 'dashboard', folder: join(deps.folder, 'dashboard'), keeper: deps.keepers?.dashboard }),
    ])
    running = servers
    approvalsPage = `${servers[0].origin}/`
    return servers
  }

  return {
    open: async () => {
      starting ??= start()
      const [approvals, dashboard] = await starting
      const expiresAt = deps.clock.now() + LINK_LIFETIME_MS
      const next = `${dashboard.origin}/#login=${dashboard.createLink()}`
      return { url: `${approvals.origin}/#login=${approvals.createLink()}&next=${encodeURIComponent(next)}`, expiresAt }
    },
    resume: async () => {
      const isGood = [deps.keepers?.approval, deps.keepers?.dashboard].some((keeper) => keeper?.load()?.sessions.some(({ expiresAt }) => expiresAt > deps.clock.now()) === true)
      if (isGood) await (starting ??= start())
    },
    logOut: () => {
      for (const server of running) server.logOut()
    },
    approvalsPage: () => approvalsPage,
    close: async () => {
      const servers = (await starting?.catch(() => null)) ?? []
      await Promise.all(servers.map((server) => server.close()))
    },
  }
}
