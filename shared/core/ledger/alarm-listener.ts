import { setImmediate as breathe } from 'node:timers/promises'
import type { SessionId } from '../../contract/ids.ts'
import type { AlarmRule, LedgerEntry } from '../../contract/schemas/ledger.ts'
import { createAlarmWatch } from '../../domain/ledger-alarms.ts'
import type { Ledger } from '../ports.ts'

/** What is usual is learned from this many of the newest entries. */
const LEARN_FROM = 20_000
const PAGE = 500

export interface AlarmListenerDeps {
  readonly ledger: Ledger
  readonly raise: (sessionId: SessionId | null, message: string, rule: AlarmRule) => void
  /** Tells the host's own log. */
  readonly log: (line: string) => void
}

/** Watches the ledger for what is alarming. `saw` takes each new entry; what it raises follows that entry. */
export const createAlarmListener = ({ ledger, raise, log }: AlarmListenerDeps): { saw(entry: LedgerEntry): void } => {
  const watch = createAlarmWatch((at) => new Date(at).getHours())

  const learn = async (): Promise<void> => {
    const head = ledger.tail(1).entries.at(-1)?.sequence ?? 0
    for (let after: number | null = Math.max(0, head - LEARN_FROM); after !== null && after < head; ) {
      const page = ledger.read({ after, limit: PAGE })
      for (const entry of page.entries) if (entry.sequence <= head) watch.learn(entry)
      after = page.next
      await breathe()
    }
  }
  learn().catch((error: unknown) => log(`what is usual could not be learned from the ledger: ${String(error)}`))

  return {
    saw: (entry) => {
      for (const { rule, message } of watch.saw(entry)) {
        queueMicrotask(() => raise(entry.sessionId, message, rule))
      }
    },
  }
}
