import type { SessionId } from '../contract/ids.ts'
import { identityAttempt } from '../domain/identity-attempt.ts'
import { judgeCall } from '../domain/judge-call.ts'
import type { EventHub } from './api/event-hub.ts'
import { createApprovals } from './approvals/approvals.ts'
import { createCapKeeper } from './budgets/cap-keeper.ts'
import { createForesee } from './foresight/foresee.ts'
import { createDecisionTrail } from './gateway/decision-trail.ts'
import { randomIds } from './identifiers.ts'
import { createProjectReader } from './policy/read-project-file.ts'
import type { Clock, Ledger } from './ports.ts'
import type { Alarms } from './supervisor/alarms.ts'
import { createPace } from './supervisor/pace.ts'
import type { SessionActivity } from './supervisor/session-activity.ts'
import type { SessionRegistry } from './supervisor/session-registry.ts'
import type { Supervisor } from './supervisor/supervisor.ts'
import { createToolCallGate, type JudgedSession } from './supervisor/tool-call-gate.ts'

export interface JudgementDeps {
  readonly clock: Clock
  readonly ledger: Ledger
  readonly hub: EventHub
  readonly registry: SessionRegistry
  readonly alarms: Alarms
  readonly grantsFile: string
  readonly log: (line: string) => void
  /** Made after this, and there before any session is. */
  readonly supervisor: () => Supervisor
  readonly activity: () => SessionActivity
  /** A session has come to a point of review. */
  readonly review: (sessionId: SessionId, reason: string) => void
}

/** What decides over the calls of sessions: their policy, people's answers, pace and caps, behind the one gate. A part of a host. */
export const createJudgement = ({ clock, ledger, hub, registry, alarms, grantsFile, log, supervisor, activity, review }: JudgementDeps) => {
  const approvals = createApprovals({
    clock,
    ids: randomIds,
    ledger,
    grantsFile,
    publish: (request) => {
      const waiting = approvals.waiting().filter(({ sessionId }) => sessionId === request.sessionId).length
      registry.apply(request.sessionId, { type: 'approvals-counted', waiting })
      hub.publish('approval/changed', request)
    },
  })
  const pace = createPace({
    clock,
    limitsOf: (sessionId) => supervisor().liveSession(sessionId)?.profile.limits ?? null,
    onReviewDue: review,
    onOverLimit: review,
  })
  const judged = (sessionId: SessionId): JudgedSession | null => {
    const session = supervisor().liveSession(sessionId)
    if (session === null) return null
    const { profile, cwd, home } = session
    return {
      agent: profile.agent,
      cwd,
      home,
      recoverable: profile.recoverable,
      approvalTimeoutMs: profile.limits.approvalTimeoutMs,
      record: profile.record,
      pace: { admit: (action, signal) => pace.admit(sessionId, action, signal), whileActive: (signal) => pace.whileActive(sessionId, signal) },
      evaluate: (tool, input) => judgeCall({ policy: profile.policy, tool, input, cwd, home, readFile: createProjectReader(cwd) }),
    }
  }
  const judge = (sessionId: SessionId, tool: string, input: unknown) => judged(sessionId)?.evaluate(tool, input) ?? null
  const trail = createDecisionTrail({ ledger, recordOf: (sessionId) => supervisor().liveSession(sessionId)?.profile.record.inputs ?? 'hashed' })
  const gate = createToolCallGate({
    clock,
    ids: randomIds,
    ledger,
    approvals,
    sessionOf: judged,
    publish: (call) => hub.publish('tool-call/changed', call),
    foresee: createForesee({ keep: (sessionId) => activity().keep(sessionId) }),
    trail,
    activity: {
      before: (call) => activity().before(call),
      after: (call) => activity().after(call),
      recordAll: (sessionId) => activity().recordAll(sessionId),
      endSession: (sessionId) => {
        activity().endSession(sessionId)
        caps.endSession(sessionId)
      },
    },
    onDecided: (call, denied) => {
      registry.apply(call.sessionId, { type: 'tool-call-counted', class: call.decision?.classification.class ?? 'destructive', denied })
      pace.counted(call.sessionId)
      const agentId = supervisor().liveSession(call.sessionId)?.agentId
      const attempt = identityAttempt(call.input)
      if (agentId !== undefined && attempt !== null) ledger.append('identity/overruled', call.sessionId, { agentId, by: 'call', what: attempt })
    },
  })
  const caps = createCapKeeper({
    gate,
    atCap: (sessionId) => supervisor().liveSession(sessionId)?.profile.limits.atCap ?? null,
    raiseAlarm: alarms.raise,
    pause: (sessionId, reason) => void supervisor().pause(sessionId, reason).catch((error: unknown) => log(`session ${sessionId} could not be paused at its cap: ${String(error)}`)),
    end: (sessionId) => void supervisor().kill([sessionId], true).catch((error: unknown) => log(`session ${sessionId} could not be ended at its cap: ${String(error)}`)),
  })
  return { approvals, pace, judge, trail, gate, caps }
}
