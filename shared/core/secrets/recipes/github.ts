import { z } from 'zod'
import type { SecretDetails } from '../../../contract/schemas/secret.ts'
import { HoldfastError } from '../../../contract/errors.ts'

const ANSWERS_WITHIN_MS = 15_000
const MAX_BODY_BYTES = 262_144

const User = z.object({ login: z.string().min(1).max(100), type: z.string().max(50).optional() })

export interface GithubToken {
  readonly details: SecretDetails
  /** What is wrong with it for an agent. */
  readonly warnings: readonly string[]
}

/** What a token's own form says (GitHub, "About authentication to GitHub", token formats). */
export const githubTokenKind = (token: string): 'fine-grained' | 'classic' | 'app' | 'unknown' => {
  if (token.startsWith('github_pat_')) return 'fine-grained'
  if (/^gh[pours]_/.test(token)) return token.startsWith('ghs_') || token.startsWith('ghu_') ? 'app' : 'classic'
  return 'unknown'
}

/** How to make a token for an agent, step by step. */
export const githubSteps = (repositories: readonly string[]): string[] => [
  'Make a fine-grained token of the agent\'s own:',
  '  1. Best from an account of its own (a machine user), a member of just what it needs.',
  '  2. https://github.com/settings/personal-access-tokens/new',
  `  3. Expiration: 90 days or less. Repository access: only ${repositories.length === 0 ? 'those it works on' : repositories.join(', ')}.`,
  '  4. Permissions: Contents read; Issues and Pull requests read, or write if it is to open and comment. No administration, secrets or workflows.',
]

/** The `github-authentication-token-expiration` header: `2027-02-21 10:00:00 UTC`. */
const expiryOf = (header: string | null): number | undefined => {
  const time = header === null ? Number.NaN : Date.parse(header.replace(' UTC', 'Z').replace(' ', 'T'))
  return Number.isNaN(time) ? undefined : time
}

/**
 * Asks GitHub, with one read call (`GET /user`), whose a token is. `api` is https://api.github.com, or a GitHub
 * Enterprise server's. Throws HoldfastError `secret-unavailable` when it is refused, and never repeats the token.
 */
export const tryGithubToken = async (token: string, api: string): Promise<GithubToken> => {
  const answer = await fetch(`${api}/user`, {
    headers: { authorization: `Bearer ${token}`, accept: 'application/vnd.github+json', 'user-agent': 'holdfast' },
    redirect: 'error',
    signal: AbortSignal.timeout(ANSWERS_WITHIN_MS),
  }).catch(() => {
    throw new HoldfastError('secret-unavailable', `${api} does not answer. Nothing was kept.`)
  })
  const text = (await answer.text()).slice(0, MAX_BODY_BYTES)
  if (answer.status === 401) throw new HoldfastError('secret-unavailable', `${api} does not know this token (401). Nothing was kept.`)
  const user = User.safeParse(answer.ok ? JSON.parse(text) : null)
  if (!user.success) throw new HoldfastError('secret-unavailable', `${api} answered with ${answer.status}. Nothing was kept.`)
  const scopes = (answer.headers.get('x-oauth-scopes') ?? '').split(',').map((scope) => scope.trim()).filter((scope) => scope !== '')
  const expiresAt = expiryOf(answer.headers.get('github-authentication-token-expiration'))
  return {
    details: { owner: user.data.login, scope: (scopes.length > 0 ? scopes.join(', ') : githubTokenKind(token)).slice(0, 200), ...(expiresAt === undefined ? {} : { expiresAt }) },
    warnings: [
      ...(scopes.length > 0 ? [`It is a classic token: it reaches every repository ${user.data.login} can, with ${scopes.join(', ')}.`] : []),
      ...(expiresAt === undefined ? ['It never expires.'] : []),
      ...(user.data.type === 'User' ? [`It acts as ${user.data.login}: if that is you, the record cannot tell you from the agent.`] : []),
    ],
  }
}
