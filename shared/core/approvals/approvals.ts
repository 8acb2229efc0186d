import { createHash } from 'node:crypto'
import { HoldfastError } from '../../contract/errors.ts'
import type { ApprovalId, SessionId, ToolCallId } from '../../contract/ids.ts'
import type { ApprovalRequest, ApprovalScope } from '../../contract/schemas/approval.ts'
import type { Timestamp } from '../../contract/schemas/time.ts'
import type { AgentWords, PolicyDecision } from '../../contract/schemas/tool-call.ts'
import { reduceApproval } from '../../domain/approval-state.ts'
import { canonicalJson } from '../../domain/ledger-chain.ts'
import type { Clock, IdSource, Ledger } from '../ports.ts'
import { createGrants, type Grants } from './grants.ts'

export interface ApprovalAsk {
  readonly toolCallId: ToolCallId
  readonly sessionId: SessionId
  readonly agent: string
  readonly tool: string
  readonly input: unknown
  readonly cwd: string
  readonly decision: PolicyDecision
  readonly words: AgentWords | null
  /** How long a person has, in ms. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

export type ApprovalAnswer =
  | { readonly approved: true; readonly by: 'person' | 'session-grant' | 'always-grant' }
  | { readonly approved: false; readonly outcome: 'denied' | 'expired' | 'withdrawn'; readonly reason: string }

export interface Approvals {
  /** Waits for a person. Never rejects: a fault is a denial. */
  ask(ask: ApprovalAsk): Promise<ApprovalAnswer>
  /**
   * A person's answer. Throws HoldfastError `not-found` for an unknown id, `illegal-state` when it is answered,
   * expired or not the one that was shown, and what the ledger throws: then the answer does not count.
   */
  decide(params: {
    approvalId: ApprovalId
    bindingHash: string
    answer: 'approve' | 'deny'
    scope: ApprovalScope
    reason: string | null
    /** What the person answered through. */
    via?: string
  }): ApprovalRequest
  /** What was granted beyond one call. */
  readonly grants: Pick<Grants, 'list' | 'revoke'>
  /** Those waiting, oldest first. */
  waiting(): readonly ApprovalRequest[]
  /** The session is paused: the time that a person has for its questions stands still. */
  pauseSession(sessionId: SessionId): void
  resumeSession(sessionId: SessionId): void
  /** Forgets what the session was granted. */
  endSession(sessionId: SessionId): void
}

export interface ApprovalsDeps {
  readonly clock: Clock
  readonly ids: IdSource
  readonly ledger: Ledger
  /** Where grants for always are kept. */
  readonly grantsFile: string
  readonly publish: (request: ApprovalRequest) => void
}

interface Pending {
  request: ApprovalRequest
  expiry: NodeJS.Timeout | undefined
  readonly settle: (request: ApprovalRequest) => void
}

/** What an answer binds to: anything that differs in one of these is another question. */
const bindingHashOf = (ask: ApprovalAsk): string =>
  createHash('sha256')
    .update(canonicalJson({ sessionId: ask.sessionId, tool: ask.tool, input: ask.input, cwd: ask.cwd }))
    .digest('hex')

const answerOf = (request: ApprovalRequest): ApprovalAnswer => {
  if (request.state === 'approved') return { approved: true, by: 'person' }
  const outcome = request.state === 'waiting' ? 'withdrawn' : request.state
  return { approved: false, outcome, reason: request.reason ?? 'No reason was given.' }
}

/** The queue of questions to a person, and what a session was granted until it ends. */
export const createApprovals = (deps: ApprovalsDeps): Approvals => {
  const pending = new Map<ApprovalId, Pending>()
  const grants = createGrants({ file: deps.grantsFile, clock: deps.clock, ids: deps.ids, ledger: deps.ledger })
  /** Since when a session is paused. */
  const pausedAt = new Map<SessionId, Timestamp>()

  /** The request as it stands: in a pause, what is left to a person stays the same. */
  const current = ({ request }: Pending): ApprovalRequest => {
    const since = pausedAt.get(request.sessionId)
    if (since === undefined) return request
    return { ...request, expiresAt: request.expiresAt + Math.max(0, deps.clock.now() - Math.max(since, request.requestedAt)) }
  }

  const awaitExpiry = (entry: Pending): void => {
    const { id, requestedAt, expiresAt } = entry.request
    const minutes = Math.round((expiresAt - requestedAt) / 60_000)
    const waited = minutes >= 1 ? `${minutes} minute${minutes === 1 ? '' : 's'}` : `${Math.round((expiresAt - requestedAt) / 1000)} s`
    entry.expiry = setTimeout(() => closeAlone(id, 'expired', `Nobody answered within ${waited}.`), Math.max(0, expiresAt - deps.clock.now()))
  }

  const close = (entry: Pending, state: 'approved' | 'denied' | 'expired' | 'withdrawn', reason: string | null, scope: ApprovalScope, via: string | null): ApprovalRequest => {
    const next = reduceApproval(current(entry), { type: state, at: deps.clock.now(), reason })
    if (next === null) {
      throw new HoldfastError('illegal-state', `Approval ${entry.request.id} can no longer be answered: it is ${entry.request.state === 'waiting' ? 'expired' : entry.request.state}.`)
    }
    const { id, sessionId, toolCallId, bindingHash, requestedAt } = next
    const grant = state === 'approved' && scope !== 'once' ? grants.add(next, scope) : null
    try {
      deps.ledger.append('approval/decided', sessionId, { approvalId: id, toolCallId, bindingHash, state, scope, reason, via, waitedMs: deps.clock.now() - requestedAt })
    } catch (error) {
      if (grant !== null) grants.forget(grant)
      throw error
    }
    pending.delete(id)
    entry.request = next
    entry.settle(next)
    deps.publish(next)
    return next
  }

  /** Closes without a person; when even the ledger fails, the question is dropped all the same, and nothing runs. */
  const closeAlone = (id: ApprovalId, state: 'expired' | 'withdrawn', reason: string): void => {
    const entry = pending.get(id)
    if (entry === undefined) return
    try {
      close(entry, state, reason, 'once', null)
    } catch {
      pending.delete(id)
      entry.settle({ ...entry.request, state, reason })
    }
  }

  return {
    grants,

    ask: (ask) => {
      const bindingHash = bindingHashOf(ask)
      if (ask.signal.aborted) return Promise.resolve({ approved: false, outcome: 'withdrawn', reason: 'The agent did not wait for the answer.' })
      const grant = grants.use(ask)
      if (grant !== null) return Promise.resolve({ approved: true, by: `${grant.scope}-grant` })
      const now = deps.clock.now()
      const { toolCallId, sessionId, agent, tool, input, cwd, decision, words } = ask
      const request: ApprovalRequest = {
        id: deps.ids.approval(),
        toolCallId,
        sessionId,
        agent,
        tool,
        input,
        cwd,
        decision,
        words,
        bindingHash,
        state: 'waiting',
        requestedAt: now,
        expiresAt: now + ask.timeoutMs,
        decidedAt: null,
        reason: null,
      }
      deps.ledger.append('approval/requested', sessionId, { approvalId: request.id, toolCallId, tool, bindingHash, expiresAt: request.expiresAt })
      const answered = new Promise<ApprovalAnswer>((resolve) => {
        const withdraw = (): void => closeAlone(request.id, 'withdrawn', 'The agent did not wait for the answer.')
        ask.signal.addEventListener('abort', withdraw, { once: true })
        const entry: Pending = {
          request,
          expiry: undefined,
          settle: (settled) => {
            clearTimeout(entry.expiry)
            ask.signal.removeEventListener('abort', withdraw)
            resolve(answerOf(settled))
          },
        }
        pending.set(request.id, entry)
        if (!pausedAt.has(sessionId)) awaitExpiry(entry)
      })
      deps.publish(request)
      return answered
    },

    decide: ({ approvalId, bindingHash, answer, scope, reason, via }) => {
      const entry = pending.get(approvalId)
      if (entry === undefined) throw new HoldfastError('not-found', `No approval ${approvalId} is waiting. "holdfast approvals" lists those that are.`)
      if (entry.request.bindingHash !== bindingHash) throw new HoldfastError('illegal-state', `Approval ${approvalId} is not for what was shown. List the approvals again.`)
      return close(entry, answer === 'approve' ? 'approved' : 'denied', reason, scope, via ?? null)
    },

    waiting: () => [...pending.values()].map(current),

    pauseSession: (sessionId) => {
      if (pausedAt.has(sessionId)) return
      pausedAt.set(sessionId, deps.clock.now())
      for (const entry of pending.values()) if (entry.request.sessionId === sessionId) clearTimeout(entry.expiry)
    },

    resumeSession: (sessionId) => {
      const entries = [...pending.values()].filter(({ request }) => request.sessionId === sessionId)
      for (const entry of entries) entry.request = current(entry)
      if (!pausedAt.delete(sessionId)) return
      for (const entry of entries) {
        awaitExpiry(entry)
        deps.publish(entry.request)
      }
    },

    endSession: (sessionId) => {
      grants.endSession(sessionId)
      pausedAt.delete(sessionId)
    },
  }
}
