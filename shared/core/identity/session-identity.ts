import type { AgentId, SessionId } from '../../contract/ids.ts'
import type { AgentProfile } from '../policy/agent-profile.ts'
import type { CheckpointStore, Clock, Ledger } from '../ports.ts'
import { SIGN_PATH } from '../transports/agent-server.ts'
import type { AgentIdentities } from './agent-identities.ts'
import { createCommitSigner, type CommitSigner } from './commit-signer.ts'
import { gitPersonOf, gitProblem, gitVersion, identityEnvironment, prepareGitSigning, wantsSigning } from './git-identity.ts'

/** A token is made anew after half of its time. */
const RENEW_MS = 300_000

export interface SessionIdentityDeps {
  readonly clock: Clock
  readonly identities: AgentIdentities
  readonly checkpoints: Pick<CheckpointStore, 'authorsAtStart'>
  readonly ledger: Ledger
  readonly raiseAlarm: (sessionId: SessionId, message: string) => void
  /** The program that asks the host for a signature, in place of git's own. */
  readonly gitSignerFile: string
}

/** Who a session is. */
export interface SessionIdentity {
  readonly agentId: AgentId
  /** Why its commits are not signed, where they were to be. */
  readonly problem: string | null
  /** Variables by which git inside commits as the agent. */
  readonly env: Readonly<Record<string, string>>
  readonly signer: CommitSigner
  /** Whether its commits are signed. */
  readonly isSigned: boolean
  /** A signed statement of who the session is, good for some minutes yet; null without a key. */
  readonly proof: () => Promise<string | null>
}

/**
 * Makes a session its agent's. `folder` is one that the agent may read and not write. Throws HoldfastError
 * `agent-refused` for a retired agent, `secret-unavailable` where the profile wants signed commits and there is no keychain.
 */
export const openSessionIdentity = async (
  deps: SessionIdentityDeps,
  params: { readonly sessionId: SessionId; readonly agentName: string; readonly profile: AgentProfile; readonly folder: string; readonly baseUrl: string },
): Promise<SessionIdentity> => {
  const { sessionId, agentName, profile, folder, baseUrl } = params
  const person = gitPersonOf(profile)
  const { identity, keyProblem } = await deps.identities.use(agentName, person.email)
  const problem = keyProblem ?? gitProblem(await gitVersion())
  const isSigned = wantsSigning(profile, problem)
  const signing = isSigned
    ? await prepareGitSigning({ folder, sessionId, identity, signerUrl: `${baseUrl}${SIGN_PATH}`, signer: { file: process.execPath, program: deps.gitSignerFile } })
    : {}
  let proof: Promise<string | null> | null = null
  let provedAt = 0
  let earlier: Promise<ReadonlySet<string>> | null = null
  return {
    agentId: identity.id,
    isSigned,
    problem: isSigned || profile.identity?.git?.sign === false ? null : problem,
    env: { ...identityEnvironment(person), ...signing },
    proof: () => {
      if (proof === null || deps.clock.now() - provedAt > RENEW_MS) {
        provedAt = deps.clock.now()
        proof = deps.identities.token(identity.id, sessionId)
      }
      return proof
    },
    signer: createCommitSigner({
      sessionId,
      agentId: identity.id,
      who: `${person.name} <${person.email}>`,
      identities: deps.identities,
      ledger: deps.ledger,
      isEarlierWork: async ({ who, at }) => (await (earlier ??= deps.checkpoints.authorsAtStart(sessionId).catch(() => new Set<string>()))).has(`${who} ${at}`),
      raiseAlarm: (message) => deps.raiseAlarm(sessionId, message),
    }),
  }
}
