import type { AgentIdentity } from '../../contract/schemas/agent.ts'

/** A principal is a pattern in a list: an address that would be read as more than itself is left out. */
const isPlain = (email: string): boolean => /^[^\s,"*?!#]+$/.test(email)

/** `20261123143000Z`: the form of ssh-keygen(1), ALLOWED SIGNERS. */
const timeOf = (at: number): string => `${new Date(at).toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`

/** The allowed-signers file of these agents, all their keys included: a retired one vouches for what it signed before. */
export const allowedSigners = (identities: readonly AgentIdentity[]): string =>
  identities
    .flatMap(({ id, agent, emails, keys }) =>
      keys.map(({ publicKey, retiredAt }) => {
        const principals = [...emails.filter(isPlain), id].join(',')
        const until = retiredAt === null ? '' : `,valid-before="${timeOf(retiredAt + 1_000)}"`
        return `${principals} namespaces="git"${until} ${publicKey} ${agent}\n`
      }),
    )
    .join('')
