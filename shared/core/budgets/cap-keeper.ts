import type { SessionId } from '../../contract/ids.ts'
import type { AtCap } from '../../contract/schemas/profile.ts'
import { type CapInTheWay, capName, raisedCap, showAmount } from '../../domain/budget-account.ts'
import type { ToolCallGate } from '../ports.ts'

/** The name under which a higher cap is asked for: the gate knows it like a tool, and rules may deny it. */
export const SPEND_TOOL = 'Spend'

/** A request that a cap stops. */
export interface StoppedRequest {
  readonly sessionId: SessionId
  /** null where no higher cap would help. */
  readonly cap: CapInTheWay | null
  /** What the agent is told. */
  readonly message: string
  /** The cap was raised. */
  readonly onRaised: () => void
}

/** Does at a cap what the session's profile says, and asks a person whether to raise it. */
export interface CapKeeper {
  /** Resolves with true when the request may be tried again, since the cap was raised; never rejects. */
  reached(stopped: StoppedRequest): Promise<boolean>
  endSession(sessionId: SessionId): void
}

export interface CapKeeperDeps {
  readonly gate: ToolCallGate
  /** null when the session does not run. */
  readonly atCap: (sessionId: SessionId) => AtCap | null
  readonly raiseAlarm: (sessionId: SessionId, message: string) => void
  readonly pause: (sessionId: SessionId, reason: string) => void
  /** Ends the session, keeping its changes. */
  readonly end: (sessionId: SessionId) => void
}

interface Asked {
  readonly over: AbortController
  /** The open question, one at a time however many requests are stopped. */
  question: Promise<boolean> | null
}

export const createCapKeeper = (deps: CapKeeperDeps): CapKeeper => {
  const sessions = new Map<SessionId, Asked>()

  const ask = async ({ sessionId, message, onRaised }: StoppedRequest, cap: CapInTheWay, signal: AbortSignal): Promise<boolean> => {
    const { account, unit } = cap
    const to = raisedCap(cap)
    const input = { raise: `${account.whose} ${capName(unit, cap.cap)}`, from: showAmount(unit, cap.cap), to: showAmount(unit, to), why: message }
    const verdict = await deps.gate.request({ sessionId, tool: SPEND_TOOL, input, toolUseId: null, signal })
    if (!verdict.allowed) return false
    const now = account.caps()
    account.setCaps({ ...now, [unit]: Math.max(now[unit] ?? 0, to) })
    deps.gate.finish(verdict.toolCallId, { ok: true, summary: `raised to ${showAmount(unit, to)}` })
    onRaised()
    return true
  }

  return {
    reached: async (stopped) => {
      const { sessionId, cap, message } = stopped
      const atCap = deps.atCap(sessionId)
      if (atCap === null) return false
      const asked = sessions.get(sessionId) ?? { over: new AbortController(), question: null }
      sessions.set(sessionId, asked)
      if (asked.question === null) {
        deps.raiseAlarm(sessionId, message)
        if (atCap === 'pause') deps.pause(sessionId, message)
        if (atCap === 'end') deps.end(sessionId)
        if (cap === null || atCap === 'end') return false
        asked.question = ask(stopped, cap, asked.over.signal)
          .catch(() => false)
          .finally(() => (asked.question = null))
      }
      return atCap === 'wait' ? asked.question : false
    },
    endSession: (sessionId) => {
      sessions.get(sessionId)?.over.abort()
      sessions.delete(sessionId)
    },
  }
}
