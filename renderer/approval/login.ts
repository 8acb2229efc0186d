import { isInApp } from '../login/open-socket.ts'

const KEY = 'token'

/** Where the login goes on to: the dashboard of this machine, with its own link, and nothing else. */
const NEXT = /^http:\/\/127\.0\.0\.1:\d{1,5}\/#login=[\w-]+$/

/**
 * The token of this page, by the login link in the address or kept from before; null when there is none. A link that
 * names the dashboard leads on to it after the login, and this page is drawn no more. The desktop app's window needs none,
 * and gets an empty one.
 */
export const logIn = async (): Promise<string | null | 'leaving'> => {
  if (isInApp()) return ''
  const link = new URLSearchParams(location.hash.slice(1))
  const secret = link.get('login')
  if (secret !== null) {
    history.replaceState(null, '', '/')
    const answer = await fetch('/login', { method: 'POST', body: JSON.stringify({ link: secret }) })
    if (answer.ok) localStorage.setItem(KEY, ((await answer.json()) as { token: string }).token)
    const next = link.get('next') ?? ''
    if (answer.ok && NEXT.test(next)) {
      location.replace(next)
      return 'leaving'
    }
  }
  return localStorage.getItem(KEY)
}
