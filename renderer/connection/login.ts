import { isInApp } from '../login/open-socket.ts'

/** Where this page's half of the login is kept: storage of its own origin, which no other port can read. */
const KEY = 'token'

/** What the address brought, if it was a login link; takes it out of the address and of the history. */
const takeLink = (): string | null => {
  const link = /^#login=([\w-]+)$/.exec(location.hash)?.[1] ?? null
  if (link !== null) history.replaceState(null, '', '/')
  return link
}

/**
 * The token of this page: by the login link in the address, or kept from before.
 * null when there is none, or the link was used or is too old. The desktop app's windows need none, and get an empty one.
 */
export const logIn = async (): Promise<string | null> => {
  if (isInApp()) return ''
  const link = takeLink()
  if (link !== null) {
    const answer = await fetch('/login', { method: 'POST', body: JSON.stringify({ link }) })
    if (answer.ok) localStorage.setItem(KEY, ((await answer.json()) as { token: string }).token)
  }
  return localStorage.getItem(KEY)
}
