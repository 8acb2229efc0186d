import { createHash } from 'node:crypto'
import type { Clock } from '../ports.ts'

/** How long a login link may be used, once, in ms. */
export const LINK_LIFETIME_MS = 60_000

/** Sessions kept for one page; a further login ends the oldest. */
const MAX_SESSIONS = 50

/** A browser that has logged in. Both secrets are needed to connect. */
export interface WebSession {
  /** Sent back as a cookie, which page code cannot read; but a browser sends it to every port of 127.0.0.1. */
  readonly cookie: string
  /** Kept by the page of one origin, and said in the hello: no other port ever sees it. */
  readonly token: string
}

export interface WebLogins {
  /** The secret part of a new link. */
  createLink(): string
  /** The session that the link opens, or null when it was used, is too old or never was. */
  redeem(link: string): WebSession | null
  sessionOf(cookie: string): WebSession | null
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Links and sessions of one page. Secrets are looked up by hash, so that the time it takes tells nothing of them. */
export const createWebLogins = (clock: Clock, newSecret: () => string): WebLogins => {
  const links = new Map<string, number>()
  const sessions = new Map<string, WebSession>()
  return {
    createLink: () => {
      const now = clock.now()
      for (const [key, until] of links) if (until <= now) links.delete(key)
      const link = newSecret()
      links.set(digest(link), now + LINK_LIFETIME_MS)
      return link
    },
    redeem: (link) => {
      const key = digest(link)
      const until = links.get(key)
      links.delete(key)
      if (until === undefined || until <= clock.now()) return null
      const session = { cookie: newSecret(), token: newSecret() }
      const oldest = sessions.keys().next().value
      if (sessions.size >= MAX_SESSIONS && oldest !== undefined) sessions.delete(oldest)
      sessions.set(digest(session.cookie), session)
      return session
    },
    sessionOf: (cookie) => sessions.get(digest(cookie)) ?? null,
  }
}
