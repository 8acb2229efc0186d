import { createHash } from 'node:crypto'
import { HoldfastError } from '../../contract/errors.ts'
import type { AgentId, SessionId } from '../../contract/ids.ts'
import { parseGitObject, refusalToSign, type GitPerson } from '../../domain/git-object.ts'
import type { Ledger } from '../ports.ts'
import type { AgentIdentities } from './agent-identities.ts'

/** How many commits and tags a session may have signed. */
const MAX_SIGNATURES = 50_000
const SHOWN_CHARACTERS = 200

export interface CommitSignerDeps {
  readonly sessionId: SessionId
  readonly agentId: AgentId
  /** `Name <email>`: who this session's commits are by. */
  readonly who: string
  readonly identities: Pick<AgentIdentities, 'signForGit'>
  readonly ledger: Ledger
  /** Whether a commit of this author and moment was in the repository before the session: a rebase keeps it. */
  readonly isEarlierWork: (author: GitPerson) => Promise<boolean>
  readonly raiseAlarm: (message: string) => void
}

/** Signs a session's commits and tags: as its own agent, and nothing else. */
export interface CommitSigner {
  /** The armoured signature. Throws HoldfastError `agent-refused` with the reason, recorded, for whatever is not the agent's own. */
  sign(payload: Buffer): Promise<string>
  /** SHA-256 of each payload that was signed. */
  readonly signed: ReadonlySet<string>
}

export const createCommitSigner = (deps: CommitSignerDeps): CommitSigner => {
  const { sessionId, agentId, who, ledger } = deps
  const signed = new Set<string>()
  let asked = 0
  let hasTold = false

  const refuse = (reason: string, object: Record<string, unknown>): never => {
    ledger.append('identity/overruled', sessionId, { agentId, by: 'signer', what: reason.slice(0, 1_000), ...object })
    if (!hasTold) deps.raiseAlarm(`The agent tried to commit under another name, and was refused: ${reason.slice(0, 300)}`)
    hasTold = true
    throw new HoldfastError('agent-refused', `Holdfast signs no such commit: ${reason}.`)
  }

  return {
    signed,
    sign: async (payload) => {
      if ((asked += 1) > MAX_SIGNATURES) throw new HoldfastError('agent-refused', `Holdfast signs no more than ${MAX_SIGNATURES} commits of one session.`)
      const payloadSha256 = createHash('sha256').update(payload).digest('hex')
      const object = parseGitObject(payload.toString('utf8'))
      if (object === null) return refuse('it is no plain commit or tag', { payloadSha256 })
      const isForeign = object.kind === 'commit' && object.committer.who === who && object.author.who !== who
      const refusal = refusalToSign(object, { who, sessionId, isEarlierWork: isForeign && (await deps.isEarlierWork(object.author)) })
      if (refusal !== null) return refuse(refusal, { payloadSha256 })
      const signature = await deps.identities.signForGit(agentId, payload)
      const subject = object.message.split('\n', 1)[0]?.slice(0, SHOWN_CHARACTERS) ?? ''
      ledger.append('commit/signed', sessionId, { agentId, object: object.kind, who, payloadSha256, subject, ...(isForeign ? { author: object.author.who } : {}) })
      signed.add(payloadSha256)
      return signature
    },
  }
}
