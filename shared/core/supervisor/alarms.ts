import type { SessionId } from '../../contract/ids.ts'
import type { EventData } from '../../contract/protocol.ts'
import type { AlarmRule } from '../../contract/schemas/ledger.ts'
import type { Ledger } from '../ports.ts'

/** Alarms of one session that are told and recorded; an agent that raises them on purpose buries nothing else. */
const MAX_PER_SESSION = 100
const MAX_MESSAGE_CHARACTERS = 4_096

export interface Alarms {
  /** Tells every client and the ledger. Never throws: whatever raised it goes on, or stops, by its own rules. */
  raise(sessionId: SessionId | null, message: string, rule?: AlarmRule): void
  /** Forgets how many the session had. */
  endSession(sessionId: SessionId): void
}

export interface AlarmsDeps {
  readonly ledger: Ledger
  readonly publish: (alarm: EventData<'alarm/raised'>) => void
  /** Tells the host's own log. */
  readonly log: (line: string) => void
}

export const createAlarms = ({ ledger, publish, log }: AlarmsDeps): Alarms => {
  const raised = new Map<SessionId, number>()

  const tell = (sessionId: SessionId | null, message: string, rule?: AlarmRule): void => {
    try {
      publish({ sessionId, message })
      ledger.append('alarm/raised', sessionId, { message, ...(rule === undefined ? {} : { rule }) })
    } catch (error) {
      log(`an alarm could not be recorded: ${message} (${String(error)})`)
    }
  }

  return {
    raise: (sessionId, message, rule) => {
      const short = message.slice(0, MAX_MESSAGE_CHARACTERS).toWellFormed()
      if (sessionId === null) return tell(null, short, rule)
      const count = (raised.get(sessionId) ?? 0) + 1
      raised.set(sessionId, count)
      if (count < MAX_PER_SESSION) tell(sessionId, short, rule)
      else if (count === MAX_PER_SESSION) tell(sessionId, `${short} (That is the ${MAX_PER_SESSION}th alarm of this session: further ones are not listed.)`)
    },
    endSession: (sessionId) => void raised.delete(sessionId),
  }
}
