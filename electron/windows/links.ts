import { ApprovalId, SessionId } from '../../shared/contract/ids.ts'

const ORIGIN = /^http:\/\/127\.0\.0\.1:\d{1,5}$/
const LOGIN = /^#login=[\w-]{1,256}$/

export interface LoginLinks {
  readonly approvals: string
  readonly dashboard: string
}

/**
 * A login link of the host, taken apart into one for each page, since each window is logged in on its own: code in the
 * dashboard's window never holds the approvals page's login. Throws Error when it is no such link.
 */
export const loginLinks = (url: string): LoginLinks => {
  const { origin, pathname, hash } = new URL(url)
  const params = new URLSearchParams(hash.slice(1))
  const next = new URL(params.get('next') ?? 'about:blank')
  const approvals = `#login=${params.get('login') ?? ''}`
  const sound = [origin, next.origin].every((one) => ORIGIN.test(one)) && [approvals, next.hash].every((one) => LOGIN.test(one)) && pathname === '/' && next.pathname === '/' && origin !== next.origin
  if (!sound) throw new Error('the host gave a login link of another form than this shell knows')
  return { approvals: `${origin}/${approvals}`, dashboard: `${next.origin}/${next.hash}` }
}

/** A deep link, or null when it is none of ours: any page or mail may hold one, so it shows things and does nothing. */
export const parseDeepLink = (text: string): { readonly show: 'approvals' } | { readonly show: 'dashboard'; readonly page: string } | null => {
  const [, kind, id] = /^holdfast:\/\/(approval|session)\/([a-z]{3}_[0-9a-z]{12})\/?$/.exec(text) ?? []
  if (kind === 'approval' && ApprovalId.safeParse(id).success) return { show: 'approvals' }
  if (kind === 'session' && SessionId.safeParse(id).success) return { show: 'dashboard', page: `sessions/${id}` }
  return null
}

/** The first deep link among a command line's arguments. */
export const deepLinkIn = (argv: readonly string[]): ReturnType<typeof parseDeepLink> => argv.map(parseDeepLink).find((link) => link !== null) ?? null
