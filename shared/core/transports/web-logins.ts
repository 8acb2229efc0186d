import { createHash, createHmac } from 'node:crypto'
import type { Clock } from '../ports.ts'

/** How long a login link may be used, once, in ms. */
export const LINK_LIFETIME_MS = 60_000

/** How long a login lasts, in ms. */
export const LOGIN_LIFETIME_MS = 7 * 24 * 3_600_000

/** Sessions kept for one page; a further login ends the oldest. */
const MAX_SESSIONS = 50

/** A browser that has logged in. Both secrets are needed to connect. */
export interface WebSession {
  /** Sent back as a cookie, which page code cannot read; but a browser sends it to every port of 127.0.0.1. */
  readonly cookie: string
  /** Kept by the page of one origin, and said in the hello: no other port ever sees it. */
  readonly token: string
}

/** A session as the host knows it: the SHA-256 of both secrets, hex, and until when it is good. */
export interface KeptSession {
  readonly cookie: string
  readonly token: string
  readonly expiresAt: number
}

export interface WebLogins {
  /** The secret part of a new link. */
  createLink(): string
  /** Whether the link would open a session. */
  isOpen(link: string): boolean
  /** The session that the link opens, or null when it was used, is too old or never was. */
  redeem(link: string): WebSession | null
  /** The session of this cookie, or null. */
  sessionOf(cookie: string): KeptSession | null
  /** Ends every session, and every link. */
  forget(): void
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex')

/**
 * What shows a page, which holds the token, that the program it reaches knows the login: a page does not say its token to
 * whatever listens on the port of a host that has gone. HMAC-SHA-256 under the token's SHA-256.
 */
export const proofFor = (session: KeptSession, nonce: string): string =>
  createHmac('sha256', Buffer.from(session.token, 'hex')).update(`holdfast host ${nonce}`).digest('hex')

/**
 * Links and sessions of one page. Secrets are looked up by hash, so that the time it takes tells nothing of them.
 * `kept` are sessions from before; `onChanged` is told of those there are whenever that changes.
 */
export const createWebLogins = (clock: Clock, newSecret: () => string, kept: readonly KeptSession[] = [], onChanged: (sessions: readonly KeptSession[]) => void = () => undefined): WebLogins => {
  const links = new Map<string, number>()
  const sessions = new Map(kept.map((session) => [session.cookie, session]))
  return {
    createLink: () => {
      const now = clock.now()
      for (const [key, until] of links) if (until <= now) links.delete(key)
      const link = newSecret()
      links.set(digest(link), now + LINK_LIFETIME_MS)
      return link
    },
    isOpen: (link) => (links.get(digest(link)) ?? 0) > clock.now(),
    redeem: (link) => {
      const now = clock.now()
      const key = digest(link)
      const until = links.get(key)
      links.delete(key)
      if (until === undefined || until <= now) return null
      for (const [cookie, { expiresAt }] of sessions) if (expiresAt <= now) sessions.delete(cookie)
      const session = { cookie: newSecret(), token: newSecret() }
      const oldest = sessions.keys().next().value
      if (sessions.size >= MAX_SESSIONS && oldest !== undefined) sessions.delete(oldest)
      sessions.set(digest(session.cookie), { cookie: digest(session.cookie), token: digest(session.token), expiresAt: now + LOGIN_LIFETIME_MS })
      onChanged([...sessions.values()])
      return session
    },
    sessionOf: (cookie) => {
      const session = sessions.get(digest(cookie))
      return session === undefined || session.expiresAt <= clock.now() ? null : session
    },
    forget: () => {
      links.clear()
      sessions.clear()
      onChanged([])
    },
  }
}
