import type { SessionId } from '../../contract/ids.ts'
import type { LedgerBody } from '../../contract/schemas/ledger-bodies.ts'
import type { RecordMode } from '../../contract/schemas/profile.ts'
import type { AgentWords } from '../../contract/schemas/tool-call.ts'
import type { Ledger } from '../ports.ts'

/** Proposals of a session that are remembered for questions to a person; the oldest go first. The ledger has them all. */
const MAX_REMEMBERED = 1_000

/** A call that the model asked for, with what it said and thought before. */
export type Proposal = LedgerBody<'tool-call/proposed'> & { readonly words: AgentWords }

/** Why each call was made: from the model's answer to the ledger, and to the person who is asked. */
export interface DecisionTrail {
  /** Records a proposal, before anyone can act on it. Throws what the ledger throws: then the call must not go on. */
  add(sessionId: SessionId, proposal: Proposal): void
  wordsOf(sessionId: SessionId, toolUseId: string): AgentWords | null
  endSession(sessionId: SessionId): void
}

export const createDecisionTrail = (deps: { readonly ledger: Ledger; readonly recordOf: (sessionId: SessionId) => RecordMode }): DecisionTrail => {
  const sessions = new Map<SessionId, Map<string, AgentWords>>()
  return {
    add: (sessionId, proposal) => {
      const words = deps.recordOf(sessionId) === 'full' ? proposal.words : null
      deps.ledger.append('tool-call/proposed', sessionId, { ...proposal, words })
      const known = sessions.get(sessionId) ?? new Map<string, AgentWords>()
      sessions.set(sessionId, known)
      known.set(proposal.toolUseId, proposal.words)
      if (known.size > MAX_REMEMBERED) known.delete(known.keys().next().value as string)
    },
    wordsOf: (sessionId, toolUseId) => sessions.get(sessionId)?.get(toolUseId) ?? null,
    endSession: (sessionId) => void sessions.delete(sessionId),
  }
}
