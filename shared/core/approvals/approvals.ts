import { createHash } from 'node:crypto'
import { HoldfastError } from '../../contract/errors.ts'
import type { ApprovalId, SessionId, ToolCallId } from '../../contract/ids.ts'
import type { ApprovalRequest, ApprovalScope } from '../../contract/schemas/approval.ts'
import type { Foresight } from '../../contract/schemas/foresight.ts'
import type { Timestamp } from '../../contract/schemas/time.ts'
import type { AgentWords, PolicyDecision } from '../../contract/schemas/tool-call.ts'
import { reduceApproval } from '../../domain/approval-state.ts'
import { canonicalJson } from '../../domain/ledger-chain.ts'
import { proposeRules } from '../../domain/propose-rules.ts'
import type { Clock, IdSource, Ledger } from '../ports.ts'
import { createGrants, type Grants } from './grants.ts'

export interface ApprovalAsk {
  readonly toolCallId: ToolCallId
  readonly sessionId: SessionId
  readonly agent: string
  readonly tool: string
  readonly input: unknown
  readonly cwd: string
  /** Hash of the tool's definition; null for a tool that is always the same. */
  readonly definition: string | null
  readonly decision: PolicyDecision
  readonly words: AgentWords | null
  /** null where nothing was looked up. */
  readonly foresight: Foresight | null
  /** Why a call with other arguments must not be approved, null when it may be; without it the arguments cannot be changed. */
  readonly refuseChanged?: (input: unknown) => string | null
  /** How long a person has, in ms. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

export type ApprovalAnswer =
  | {
      readonly approved: true
      readonly by: 'person' | 'session-grant' | 'always-grant'
      /** What the person put in the place of the arguments that were asked about. */
      readonly changedInput?: { readonly value: unknown }
    }
  | { readonly approved: false; readonly outcome: 'denied' | 'expired' | 'withdrawn'; readonly reason: string }

export interface Answer {
  readonly approvalId: ApprovalId
  readonly bindingHash: string
  readonly answer: 'approve' | 'deny'
  readonly scope: ApprovalScope
  readonly reason: string | null
  /** What the person answered through. */
  readonly via?: string
  /** Others that wait for the very same call: those that still do get the same answer. */
  readonly alike?: readonly ApprovalId[]
  readonly changedInput?: { readonly value: unknown }
  readonly rule?: string
}

export interface Approvals {
  /** Waits for a person. Never rejects: a fault is a denial. */
  ask(ask: ApprovalAsk): Promise<ApprovalAnswer>
  /**
   * A person's answer. Throws HoldfastError `not-found` for an unknown id, `illegal-state` when it is answered,
   * expired or not the one that was shown, `unsupported` when it asks for more than an answer can give, and what the
   * ledger throws: then the answer does not count.
   */
  decide(params: Answer): ApprovalRequest
  /** What was granted beyond one call. */
  readonly grants: Pick<Grants, 'list' | 'revoke' | 'covers'>
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

type Changed = { readonly value: unknown } | null

interface Pending {
  request: ApprovalRequest
  expiry: NodeJS.Timeout | undefined
  readonly definition: string | null
  readonly refuseChanged: ((input: unknown) => string | null) | null
  readonly settle: (request: ApprovalRequest, by: 'person' | 'session-grant' | 'always-grant', changed: Changed) => void
}

/** How a question is closed. */
interface Closing {
  readonly state: 'approved' | 'denied' | 'expired' | 'withdrawn'
  readonly reason: string | null
  readonly scope: ApprovalScope
  readonly via: string | null
  readonly changed: Changed
  readonly rule: string | null
}

/** What an answer binds to: anything that differs in one of these is another question. */
const bindingHashOf = (ask: ApprovalAsk): string =>
  createHash('sha256')
    .update(canonicalJson({ sessionId: ask.sessionId, tool: ask.tool, input: ask.input, cwd: ask.cwd, definition: ask.definition }))
    .digest('hex')

const hashOf = (input: unknown): string => createHash('sha256').update(canonicalJson(input)).digest('hex')

const answerOf = (request: ApprovalRequest, by: 'person' | 'session-grant' | 'always-grant', changed: Changed): ApprovalAnswer => {
  if (request.state === 'approved') return changed === null ? { approved: true, by } : { approved: true, by, changedInput: changed }
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

  const close = (entry: Pending, closing: Closing): ApprovalRequest => {
    const { state, reason, scope, via, changed, rule } = closing
    const next = reduceApproval(current(entry), { type: state, at: deps.clock.now(), reason })
    if (next === null) {
      throw new HoldfastError('illegal-state', `Approval ${entry.request.id} can no longer be answered: it is ${entry.request.state === 'waiting' ? 'expired' : entry.request.state}.`)
    }
    const { id, sessionId, toolCallId, bindingHash, requestedAt } = next
    const grant = state === 'approved' && scope !== 'once' ? grants.add({ ...next, definition: entry.definition }, scope, rule) : null
    try {
      const changedInputHash = changed === null ? null : hashOf(changed.value)
      deps.ledger.append('approval/decided', sessionId, { approvalId: id, toolCallId, bindingHash, state, scope, reason, via, changedInputHash, waitedMs: deps.clock.now() - requestedAt })
    } catch (error) {
      if (grant !== null) grants.forget(grant)
      throw error
    }
    settle(entry, next, 'person', changed)
    if (grant !== null) settleGranted()
    return next
  }

  const settle = (entry: Pending, next: ApprovalRequest, by: 'person' | 'session-grant' | 'always-grant', changed: Changed): void => {
    pending.delete(next.id)
    entry.request = next
    entry.settle(next, by, changed)
    deps.publish(next)
  }

  /** What waits and is granted now, needs no answer of its own. */
  const settleGranted = (): void => {
    for (const entry of [...pending.values()]) {
      const { id, sessionId, toolCallId, bindingHash, requestedAt } = entry.request
      const next = reduceApproval(current(entry), { type: 'approved', at: deps.clock.now(), reason: 'granted with another answer' })
      const grant = next === null ? null : grants.use({ ...entry.request, definition: entry.definition })
      if (next === null || grant === null) continue
      try {
        const by = `${grant.scope}-grant` as const
        deps.ledger.append('approval/decided', sessionId, { approvalId: id, toolCallId, bindingHash, state: 'approved', scope: grant.scope, reason: next.reason, via: by, waitedMs: deps.clock.now() - requestedAt })
        settle(entry, next, by, null)
      } catch {
        // It waits on for an answer of its own.
      }
    }
  }

  /** Closes without a person; when even the ledger fails, the question is dropped all the same, and nothing runs. */
  const closeAlone = (id: ApprovalId, state: 'expired' | 'withdrawn', reason: string): void => {
    const entry = pending.get(id)
    if (entry === undefined) return
    try {
      close(entry, { state, reason, scope: 'once', via: null, changed: null, rule: null })
    } catch {
      pending.delete(id)
      entry.settle({ ...entry.request, state, reason }, 'person', null)
    }
  }

  const refuseChange = ({ request, refuseChanged }: Pending, { answer, scope, changedInput, alike = [] }: Answer): string | null => {
    if (changedInput === undefined) return null
    if (refuseChanged === null) return 'The arguments of this call cannot be changed: approve it as it is, or deny it and say what you want instead.'
    if (answer === 'deny' || scope !== 'once' || alike.length > 0) return 'Changed arguments are for one call: approve it once, and no other with it.'
    if (canonicalJson(changedInput.value) === canonicalJson(request.input)) return 'The arguments are as they were: approve the call as it is.'
    return refuseChanged(changedInput.value)
  }

  return {
    grants,

    ask: (ask) => {
      const bindingHash = bindingHashOf(ask)
      if (ask.signal.aborted) return Promise.resolve({ approved: false, outcome: 'withdrawn', reason: 'The agent did not wait for the answer.' })
      const grant = grants.use(ask)
      if (grant !== null) return Promise.resolve({ approved: true, by: `${grant.scope}-grant` })
      const now = deps.clock.now()
      const { toolCallId, sessionId, agent, tool, input, cwd, definition, decision, words, foresight, refuseChanged = null } = ask
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
        foresight,
        grantRules: proposeRules(ask),
        mayChange: refuseChanged !== null,
        bindingHash,
        state: 'waiting',
        requestedAt: now,
        expiresAt: now + ask.timeoutMs,
        decidedAt: null,
        reason: null,
      }
      const rules = decision.rules.filter(({ effect }) => effect === 'ask')
      const recoverable = foresight?.recoverable?.covered ?? null
      deps.ledger.append('approval/requested', sessionId, { approvalId: request.id, toolCallId, tool, bindingHash, expiresAt: request.expiresAt, rules, recoverable })
      const answered = new Promise<ApprovalAnswer>((resolve) => {
        const withdraw = (): void => closeAlone(request.id, 'withdrawn', 'The agent did not wait for the answer.')
        ask.signal.addEventListener('abort', withdraw, { once: true })
        const entry: Pending = {
          request,
          expiry: undefined,
          definition,
          refuseChanged,
          settle: (settled, by, changed) => {
            clearTimeout(entry.expiry)
            ask.signal.removeEventListener('abort', withdraw)
            resolve(answerOf(settled, by, changed))
          },
        }
        pending.set(request.id, entry)
        if (!pausedAt.has(sessionId)) awaitExpiry(entry)
      })
      deps.publish(request)
      return answered
    },

    decide: (params) => {
      const { approvalId, bindingHash, answer, scope, reason, via = null, changedInput = null, rule = null, alike = [] } = params
      const entry = pending.get(approvalId)
      if (entry === undefined) throw new HoldfastError('not-found', `No approval ${approvalId} is waiting. "holdfast approvals" lists those that are.`)
      if (entry.request.bindingHash !== bindingHash) throw new HoldfastError('illegal-state', `Approval ${approvalId} is not for what was shown. List the approvals again.`)
      const refusal = refuseChange(entry, params) ?? (rule !== null && scope !== 'always' ? 'A rule is for always: answer with that scope.' : null)
      if (refusal !== null) throw new HoldfastError('unsupported', refusal)
      const closing: Closing = { state: answer === 'approve' ? 'approved' : 'denied', reason, scope, via, changed: changedInput, rule }
      const decided = close(entry, closing)
      for (const id of alike) {
        const other = pending.get(id)
        // Each is recorded as an answer of its own; one that went meanwhile is none.
        if (other?.request.bindingHash === bindingHash) close(other, { ...closing, scope: 'once', rule: null })
      }
      return decided
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
