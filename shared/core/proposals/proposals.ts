import { createHash } from 'node:crypto'
import { HoldfastError } from '../../contract/errors.ts'
import type { ProposalId } from '../../contract/ids.ts'
import type { Proposal, ProposedChange } from '../../contract/schemas/proposal.ts'
import { canonicalJson } from '../../domain/ledger-chain.ts'
import type { Clock, IdSource } from '../ports.ts'

/** What a change is, in a person's words and texts. */
export type DescribedChange = Pick<Proposal, 'subject' | 'title' | 'texts' | 'wider' | 'narrower'>

/** How one kind of change is shown and carried out. */
export interface ChangeKind<Kind extends ProposedChange['kind']> {
  /** Throws HoldfastError where it cannot be carried out, or would change nothing. */
  describe(change: Extract<ProposedChange, { kind: Kind }>): Promise<DescribedChange> | DescribedChange
  /** `shown` is what the person confirmed, made again just now. */
  apply(change: Extract<ProposedChange, { kind: Kind }>, via: string, shown: DescribedChange): Promise<void> | void
}

export type ChangeKinds = { readonly [Kind in ProposedChange['kind']]: ChangeKind<Kind> }

/** Changes of what agents may do, which wait for a person's word. They do not outlive the host. */
export interface Proposals {
  make(change: ProposedChange): Promise<Proposal>
  /** Those waiting, oldest first. */
  list(): Proposal[]
  withdraw(id: ProposalId): Proposal
  /**
   * Carries it out or not. What was shown is made again first: a change that has become another one is `failed`, and
   * nothing is done. Throws HoldfastError `not-found`, `illegal-state` for another hash.
   */
  decide(answer: { id: ProposalId; hash: string; apply: boolean; via: string }): Promise<Proposal>
}

/** How long a person has, in ms. */
const LIFETIME_MS = 30 * 60_000
const MAX_WAITING = 20

const hashOf = (change: ProposedChange, described: DescribedChange): string =>
  createHash('sha256').update(canonicalJson({ change, ...described })).digest('hex')

export const createProposals = (deps: { clock: Clock; ids: Pick<IdSource, 'proposal'>; kinds: ChangeKinds; publish(proposal: Proposal): void }): Proposals => {
  const { clock, ids, kinds } = deps
  const waiting = new Map<ProposalId, { proposal: Proposal; change: ProposedChange }>()

  const describe = (change: ProposedChange) => kinds[change.kind].describe(change as never)

  const end = (id: ProposalId, state: Proposal['state'], reason: string | null): Proposal => {
    const found = waiting.get(id)
    if (found === undefined) throw new HoldfastError('not-found', 'This change no longer waits. Ask for it again.')
    waiting.delete(id)
    const proposal = { ...found.proposal, state, reason }
    deps.publish(proposal)
    return proposal
  }
  const expire = (): void => {
    for (const [id, { proposal }] of waiting) if (proposal.expiresAt <= clock.now()) end(id, 'expired', 'nobody answered in time')
  }

  return {
    make: async (change) => {
      const described = await describe(change)
      expire()
      for (const [id, { proposal }] of waiting) {
        if (proposal.kind === change.kind && proposal.subject === described.subject) end(id, 'withdrawn', 'a newer one took its place')
      }
      if (waiting.size >= MAX_WAITING) throw new HoldfastError('illegal-state', `${MAX_WAITING} changes wait already. Answer them on the approvals page first.`)
      const now = clock.now()
      const proposal: Proposal = {
        id: ids.proposal(),
        kind: change.kind,
        ...described,
        hash: hashOf(change, described),
        state: 'waiting',
        requestedAt: now,
        expiresAt: now + LIFETIME_MS,
        reason: null,
      }
      waiting.set(proposal.id, { proposal, change })
      deps.publish(proposal)
      return proposal
    },
    list: () => {
      expire()
      return [...waiting.values()].map(({ proposal }) => proposal)
    },
    withdraw: (id) => end(id, 'withdrawn', null),
    decide: async ({ id, hash, apply, via }) => {
      expire()
      const found = waiting.get(id)
      if (found === undefined) throw new HoldfastError('not-found', 'This change no longer waits. Ask for it again.')
      if (found.proposal.hash !== hash) throw new HoldfastError('illegal-state', 'This is not the change that waits. Look at it again.')
      if (!apply) return end(id, 'refused', null)
      try {
        const shown = await describe(found.change)
        if (hashOf(found.change, shown) !== hash) throw new HoldfastError('illegal-state', 'What it would change has changed meanwhile. Ask for it again.')
        await kinds[found.change.kind].apply(found.change as never, via, shown)
      } catch (error) {
        end(id, 'failed', error instanceof HoldfastError ? error.message : 'Something went wrong in the host.')
        throw error
      }
      return end(id, 'applied', null)
    },
  }
}
