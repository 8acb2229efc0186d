import { ApprovalId, SessionId } from '../../shared/contract/ids.ts'

/** A deep link, or null when it is none of ours: any page or mail may hold one, so it shows things and does nothing. */
export const parseDeepLink = (text: string): { readonly show: 'approvals' } | { readonly show: 'dashboard'; readonly page: string } | null => {
  const [, kind, id] = /^holdfast:\/\/(approval|session)\/([a-z]{3}_[0-9a-z]{12})\/?$/.exec(text) ?? []
  if (kind === 'approval' && ApprovalId.safeParse(id).success) return { show: 'approvals' }
  if (kind === 'session' && SessionId.safeParse(id).success) return { show: 'dashboard', page: `sessions/${id}` }
  return null
}

/** The first deep link among a command line's arguments. */
export const deepLinkIn = (argv: readonly string[]): ReturnType<typeof parseDeepLink> => argv.map(parseDeepLink).find((link) => link !== null) ?? null
