import type { CheckpointId, SessionId } from '../../contract/ids.ts'
import type { AgentWords, MatchedRule, PolicyDecision, ToolCall } from '../../contract/schemas/tool-call.ts'
import { canonicalJson } from '../../domain/ledger-chain.ts'
import { UNKNOWN_PROGRAMS } from '../../domain/policy-evaluate.ts'
import type { PacedAction } from '../../domain/rates.ts'
import { reduceToolCall, type ToolCallEvent } from '../../domain/tool-call-state.ts'
import type { Approvals } from '../approvals/approvals.ts'
import { type CanonicalInput, canonicalInput, recordedDecision, recordedInput, recordedReason, recordedResult } from '../ledger/recording.ts'
import type { Foresee, ForeseenCall } from '../foresight/foresee.ts'
import type { AgentProfile } from '../policy/agent-profile.ts'
import { ownText } from '../own-text.ts'
import type { Clock, IdSource, Ledger, ToolCallAsk, ToolCallGate, ToolCallVerdict } from '../ports.ts'
import { beginningOf, createListedCalls, MAX_LISTED_CHARACTERS } from './listed-calls.ts'
import type { Held } from './pace.ts'
import type { SessionActivity } from './session-activity.ts'

/** Longest input, as JSON, that is shown to a person whole; a longer one is never asked about, but denied. */
const MAX_SHOWN_CHARACTERS = 1_000_000
const MAX_MET = 1_000

/** What the gate must know of a session to judge its calls. */
export interface JudgedSession {
  readonly agent: string
  readonly cwd: string
  /** The home folder as the agent sees it. */
  readonly home: string
  readonly approvalTimeoutMs: number
  /** What happens to a destructive call that a checkpoint covers whole. */
  readonly recoverable: 'ask' | 'allow'
  /** What the ledger keeps of inputs and results. */
  readonly record: AgentProfile['record']
  /** Keeps the session to its rates and out of its pauses: see Pace. */
  readonly pace: {
    admit(action: PacedAction, signal: AbortSignal): Promise<Held | null> | null
    whileActive(signal: AbortSignal): Promise<void> | null
  }
  /** Throws when the policy cannot be evaluated: then the call is denied. */
  evaluate(tool: string, input: unknown): PolicyDecision
}

export interface ToolCallGateDeps {
  readonly clock: Clock
  readonly ids: IdSource
  readonly ledger: Ledger
  readonly approvals: Approvals
  /** null when the session does not run, or runs no more. */
  readonly sessionOf: (sessionId: SessionId) => JudgedSession | null
  readonly publish: (call: ToolCall) => void
  /** Looks at what a call would do, before a person is asked about it. */
  readonly foresee: (call: ForeseenCall) => ReturnType<Foresee> | null
  /** What the model said before it asked for a call; null where its answer was not seen. */
  readonly trail: { wordsOf(sessionId: SessionId, toolUseId: string): AgentWords | null; endSession(sessionId: SessionId): void }
  /** Looks after the session's folder before a call, and after it. */
  readonly activity: Omit<SessionActivity, 'keep'>
  /** Called once a call is decided. */
  readonly onDecided: (call: ToolCall, denied: boolean) => void
}

export interface ListedToolCallGate extends ToolCallGate {
  /** The session's newest calls, oldest first. */
  list(sessionId: SessionId): readonly ToolCall[]
  /** Closes what still runs: how those calls ended is not known. */
  endSession(sessionId: SessionId): void
}

const SESSION_OVER = 'Cancelled: the session does not wait for it any more.'
const UNKNOWN_OUTCOME = 'The session ended before the outcome was known.'

/** Why a call may run, or may not. */
type Permission =
  | {
      readonly approvedBy: string | null
      readonly checkpointId: CheckpointId | null
      readonly changedInput?: { readonly value: unknown }
      /** What policy says of the changed call. */
      readonly decision?: PolicyDecision | undefined
    }
  | { readonly type: 'denied' | 'expired' | 'cancelled'; readonly reason: string }

const FREE: Extract<Permission, { approvedBy: unknown }> = { approvedBy: null, checkpointId: null }

const CHANGED = { type: 'denied', reason: 'Denied by Holdfast: what this call does has changed since the user was asked about it. Ask again.' } as const

/** Whether this rule of the built-in ones is all that makes the call a question. */
const asksAlone = ({ rules }: PolicyDecision, name: string): boolean => rules.every(({ rule, effect, source }) => effect !== 'ask' || (source === 'built-in' && rule === name))

/** The decision when a further rule asks. */
const withRule = (decision: PolicyDecision, rule: MatchedRule): PolicyDecision =>
  ({ ...decision, effect: decision.effect === 'deny' ? 'deny' : 'ask', rules: [...decision.rules, rule] })

/** When it is not known any more what the profile wants. */
const CAREFUL: AgentProfile['record'] = { inputs: 'hashed', results: 'hashed' }

/**
 * The gate of DESIGN: received → evaluated → (asked) → intent in the ledger → running. Whatever goes wrong on the way
 * denies the call, and the agent is told why.
 */
export const createToolCallGate = (deps: ToolCallGateDeps): ListedToolCallGate => {
  const calls = createListedCalls()
  /** Programs that nothing is known of, and that a person has let run in a session. */
  const metPrograms = new Map<SessionId, ReadonlySet<string>>()

  const recordOf = (sessionId: SessionId): AgentProfile['record'] => deps.sessionOf(sessionId)?.record ?? CAREFUL

  const keep = (call: ToolCall): ToolCall => {
    calls.keep(call)
    deps.publish(call)
    return call
  }
  const advance = (call: ToolCall, event: ToolCallEvent): ToolCall => {
    const next = reduceToolCall(call, event)
    if (next === null) throw new Error(`a tool call cannot be ${event.type} while ${call.state}`)
    return keep(next)
  }

  const refuse = (call: ToolCall, type: 'denied' | 'expired' | 'cancelled', reason: string): ToolCallVerdict => {
    const { id, sessionId, tool, toolUseId, decision } = call
    const refused = reduceToolCall(call, { type, at: deps.clock.now(), reason })
    if (refused !== null) keep(refused)
    deps.activity.after(call)
    deps.onDecided(refused ?? call, true)
    try {
      const mode = recordOf(sessionId).inputs
      const kept = decision ?? null
      deps.ledger.append('tool-call/decision', sessionId, { toolCallId: id, tool, input: recordedInput(mode, call.input), effect: type, reason: recordedReason(mode, reason, kept), toolUseId, decision: recordedDecision(mode, kept) })
    } catch {
      // Nothing runs, so there is no effect that the missing entry would hide.
    }
    return { allowed: false, toolCallId: id, reason }
  }

  /** Why a call must not run, whatever a person says; null when it may, or may be asked about. */
  const denialOf = (ask: ToolCallAsk, decision: PolicyDecision, input: unknown, text: string): string | null => {
    const outside = ask.outside?.(input) ?? null
    if (outside !== null) return `Denied by Holdfast: outside what this server may be used for, since ${outside}.`
    if (decision.effect === 'deny') return `Denied by Holdfast's policy: ${decision.classification.reasons.join('; ')}.`
    if (decision.effect === 'ask' && text.length > MAX_SHOWN_CHARACTERS) return 'Denied by Holdfast: the call needs an answer, and is too long to be shown to a person. Make it smaller.'
    return null
  }

  /** Asks a person, unless a checkpoint covers the call and the profile lets that pass. */
  const permit = async (call: ToolCall, ask: ToolCallAsk, session: JudgedSession, decision: PolicyDecision, onAsked: (asked: ToolCall) => void): Promise<Permission> => {
    const { sessionId, tool, input, toolUseId, signal } = ask
    const { agent, cwd, home, approvalTimeoutMs: timeoutMs } = session
    const unknown = asksAlone(decision, UNKNOWN_PROGRAMS) ? (decision.classification.unknown ?? []) : []
    const met = metPrograms.get(sessionId)
    if (unknown.length > 0 && unknown.every((program) => met?.has(program))) return { ...FREE, approvedBy: 'met-program' }
    const about = { sessionId, agent, tool, input, cwd: ask.folder ?? cwd, definition: ask.definition ?? null, decision }
    const looking = deps.approvals.grants.covers(about) ? null : deps.foresee({ sessionId, tool, input, cwd, folder: ask.folder ?? cwd, home, decision, signal })
    const seen = looking === null ? null : await looking
    if (seen !== null && seen.coveredBy !== null && session.recoverable === 'allow' && asksAlone(decision, 'destructive actions')) {
      return { approvedBy: 'recoverable', checkpointId: seen.coveredBy }
    }
    onAsked(advance(call, { type: 'asked' }))
    const changed: { decision?: PolicyDecision } = {}
    const refuseChanged = (other: unknown): string | null => {
      if (typeof other !== 'object' || other === null || Array.isArray(other)) return 'The arguments are an object of fields: give one.'
      changed.decision = structuredClone(session.evaluate(tool, other))
      return denialOf(ask, changed.decision, other, canonicalJson(other))
    }
    const words = toolUseId === null ? null : deps.trail.wordsOf(sessionId, toolUseId)
    const answer = await deps.approvals.ask({ ...about, toolCallId: call.id, words, foresight: seen?.foresight ?? null, timeoutMs, signal, ...(ask.mayChange === true ? { refuseChanged } : {}) })
    if (!answer.approved) {
      const type = answer.outcome === 'withdrawn' ? 'cancelled' : answer.outcome
      return { type, reason: type === 'denied' ? `Denied by the user through Holdfast: ${answer.reason}` : `Not approved: ${answer.reason}` }
    }
    // A file that the call runs may say something else by now: the answer was for what was shown.
    if (answer.changedInput === undefined && canonicalJson(session.evaluate(tool, input).classification) !== canonicalJson(decision.classification)) return CHANGED
    if (unknown.length > 0 && answer.changedInput === undefined) metPrograms.set(sessionId, new Set([...(met ?? []), ...unknown].slice(-MAX_MET)))
    return { ...FREE, approvedBy: answer.by, ...(answer.changedInput === undefined ? {} : { changedInput: answer.changedInput, decision: changed.decision }) }
  }

  const finish: ToolCallGate['finish'] = (toolCallId, outcome) => {
    const call = calls.running(toolCallId)
    if (call === undefined) return
    const at = deps.clock.now()
    const summary = ownText(outcome.summary)
    const next = reduceToolCall(call, outcome.ok ? { type: 'completed', at } : { type: 'failed', at, reason: summary })
    if (next === null) return
    deps.ledger.appendLater('tool-call/outcome', call.sessionId, {
      toolCallId,
      tool: call.tool,
      ok: outcome.ok,
      summary,
      result: recordedResult(recordOf(call.sessionId).results, outcome.result),
      redacted: outcome.redacted ?? 0,
      ...(outcome.marks === undefined || outcome.marks.length === 0 ? {} : { marks: [...outcome.marks] }),
      durationMs: at - call.receivedAt,
    })
    keep(next)
    deps.activity.after(next)
  }

  const decide = async (received: ToolCall, ask: ToolCallAsk, canonical: CanonicalInput | null): Promise<ToolCallVerdict> => {
    let call = received
    try {
      if (canonical === null) throw new TypeError('an input that is no JSON')
      const session = deps.sessionOf(ask.sessionId)
      if (session === null) return refuse(call, 'denied', 'Denied by Holdfast: the session is not running.')
      const evaluated = session.evaluate(ask.tool, ask.input)
      // It quotes the input, and a part of a long text holds all of it in memory.
      const judged = canonical.text.length > MAX_LISTED_CHARACTERS ? structuredClone(evaluated) : evaluated
      const late = session.pace.admit({ kind: 'tool-call', tool: ask.tool, class: judged.classification.class, hash: `${ask.tool} ${canonical.sha256}` }, ask.signal)
      const held = late === null ? null : await late
      const decision = held !== null && 'ask' in held ? withRule(judged, held.ask) : judged
      call = advance(call, { type: 'evaluated', decision })
      if (held !== null && 'denied' in held) return refuse(call, 'denied', `Denied by Holdfast: ${held.denied}`)
      const denied = denialOf(ask, decision, ask.input, canonical.text)
      if (denied !== null) return refuse(call, 'denied', denied)
      const permission = decision.effect === 'ask' ? await permit(call, ask, session, decision, (asked) => (call = asked)) : FREE
      if ('reason' in permission) return refuse(call, permission.type, permission.reason)
      const { approvedBy, checkpointId, changedInput } = permission
      if (changedInput !== undefined) {
        calls.setInput(call.id, changedInput.value, canonicalJson(changedInput.value))
        call = keep({ ...call, input: changedInput.value, decision: permission.decision ?? decision })
      }
      const paused = session.pace.whileActive(ask.signal)
      if (paused !== null) await paused
      const kept = deps.activity.before(call)
      if (kept !== null) await kept
      if (ask.signal.aborted || deps.sessionOf(ask.sessionId) === null) return refuse(call, 'cancelled', SESSION_OVER)
      const { id, sessionId, tool, toolUseId } = call
      const mode = session.record.inputs
      const asked = recordedInput(mode, ask.input, canonical)
      await deps.ledger.appendSoon('tool-call/intent', sessionId, {
        toolCallId: id,
        tool,
        input: changedInput === undefined ? asked : recordedInput(mode, changedInput.value),
        toolUseId,
        decision: recordedDecision(mode, call.decision ?? decision),
        approvedBy,
        ...(changedInput === undefined ? {} : { askedInput: asked }),
        ...(checkpointId === null ? {} : { checkpointId }),
      })
      call = advance(call, { type: 'started' })
      deps.onDecided(call, false)
      if (deps.sessionOf(sessionId) === null) {
        finish(id, { ok: false, summary: SESSION_OVER })
        return { allowed: false, toolCallId: id, reason: SESSION_OVER }
      }
      return changedInput === undefined ? { allowed: true, toolCallId: id } : { allowed: true, toolCallId: id, changedInput }
    } catch (error) {
      const why = error instanceof Error && error.name === 'HoldfastError' ? error.message : 'it could not be judged'
      return refuse(call, 'denied', `Denied by Holdfast: ${why}`)
    }
  }

  return {
    request: (ask) => {
      const canonical = canonicalInput(ask.input)
      const call: ToolCall = {
        id: deps.ids.toolCall(),
        sessionId: ask.sessionId,
        tool: ask.tool.slice(0, 256),
        // What is no JSON, or nested deeper than any program could show, is shown to nobody.
        input: canonical === null ? null : canonical.text.length <= MAX_SHOWN_CHARACTERS ? ask.input : beginningOf(canonical.text),
        toolUseId: ask.toolUseId,
        state: 'received',
        decision: null,
        reason: null,
        receivedAt: deps.clock.now(),
        endedAt: null,
      }
      calls.setInput(call.id, call.input, canonical?.text ?? null)
      return decide(keep(call), ask, canonical)
    },

    finish,

    list: calls.list,

    endSession: (sessionId) => {
      for (const call of calls.runningOf(sessionId)) {
        const at = deps.clock.now()
        const next = reduceToolCall(call, { type: 'cancelled', at, reason: UNKNOWN_OUTCOME })
        if (next !== null) keep(next)
        try {
          deps.ledger.append('tool-call/outcome', sessionId, { toolCallId: call.id, tool: call.tool, ok: null, summary: UNKNOWN_OUTCOME, durationMs: at - call.receivedAt })
        } catch {
          // The intent stands without an outcome, which says the same.
        }
      }
      deps.activity.endSession(sessionId)
      metPrograms.delete(sessionId)
      deps.trail.endSession(sessionId)
      calls.endSession(sessionId)
    },
  }
}
