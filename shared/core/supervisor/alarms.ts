import type { SessionId } from '../../contract/ids.ts'
import type { EventData } from '../../contract/protocol.ts'
import type { AlarmRule } from '../../contract/schemas/ledger.ts'
import type { Ledger } from '../ports.ts'

/** Alarms of one session that are told and recorded; an agent that raises them on purpose buries nothing else. */
const MAX_PER_SESSION = 100
const MAX_MESSAGE_CHARACTERS = 4_096

export interface Alarms {
  /** Tells every client and the ledger, and pauses what its profile wants paused for this rule: with null, any session. Never throws. */
  raise(sessionId: SessionId | null, message: string, rule?: AlarmRule): void
  /** Forgets how many the session had. */
  endSession(sessionId: SessionId): void
}

export interface AlarmsDeps {
  readonly ledger: Ledger
  readonly publish: (alarm: EventData<'alarm/raised'>) => void
  /** Pauses the session, or with null every one, where its profile wants that of this rule. */
  readonly pause: (sessionId: SessionId | null, rule: AlarmRule, reason: string) => void
  /** Tells the host's own log. */
  readonly log: (line: string) => void
}

export const createAlarms = ({ ledger, publish, pause, log }: AlarmsDeps): Alarms => {
  const raised = new Map<SessionId, number>()

  const tell = (sessionId: SessionId | null, message: string, rule?: AlarmRule): void => {
    try {
      publish({ sessionId, message })
      ledger.append('alarm/raised', sessionId, { message, ...(rule === undefined ? {} : { rule }) })
    } catch (error) {
      log(`an alarm could not be recorded: ${message} (${String(error)})`)
    }
  }

  const tellWithin = (sessionId: SessionId | null, message: string, rule?: AlarmRule): void => {
    if (sessionId === null) return tell(null, message, rule)
    const count = (raised.get(sessionId) ?? 0) + 1
    raised.set(sessionId, count)
    if (count < MAX_PER_SESSION) tell(sessionId, message, rule)
    else if (count === MAX_PER_SESSION) tell(sessionId, `${message} (That is the ${MAX_PER_SESSION}th alarm of this session: further ones are not listed.)`)
  }

  return {
    raise: (sessionId, message, rule) => {
      const short = message.slice(0, MAX_MESSAGE_CHARACTERS).toWellFormed()
      tellWithin(sessionId, short, rule)
      if (rule !== undefined) pause(sessionId, rule, short)
    },
    endSession: (sessionId) => void raised.delete(sessionId),
  }
}
