import type { SessionId } from '../../contract/ids.ts'
import type { AlarmRule, LedgerEntry } from '../../contract/schemas/ledger.ts'
import type { SecretStore } from '../ports.ts'
import { createAlarmListener } from './alarm-listener.ts'
import { createLedgerDuties, type LedgerDuties, type LedgerDutiesDeps } from './ledger-duties.ts'
import { createSealer, type Sealer } from './sealer.ts'
import { createSelfCheck, type SelfCheck } from './self-check.ts'
import type { Ledger } from '../ports.ts'

/** What a host does with its ledger beside writing it. */
export interface LedgerKeeping {
  readonly sealer: Sealer
  readonly selfCheck: SelfCheck
  readonly duties: LedgerDuties
  /** Hears of every entry. */
  saw(entry: LedgerEntry): void
  /** All but the last seal, which the sealer makes when it is closed. */
  close(): Promise<void>
}

export interface KeepLedgerDeps extends LedgerDutiesDeps {
  readonly ledger: Ledger
  /** The keychain's part that nothing else reads. */
  readonly keys: SecretStore
  readonly raise: (sessionId: SessionId | null, message: string, rule?: AlarmRule) => void
}

/** Signs it, watches it for what is alarming, verifies it, and does what the user's settings ask for. */
export const keepLedger = (deps: KeepLedgerDeps): LedgerKeeping => {
  const { ledger, keys, raise, log } = deps
  const sealer = createSealer({ ledger, keys, raiseAlarm: (message) => raise(null, message) })
  const alarms = createAlarmListener({ ledger, raise, log })
  const selfCheck = createSelfCheck({ ledger, sealer, raise, log })
  const duties = createLedgerDuties(deps)
  return {
    sealer,
    selfCheck,
    duties,
    saw: (entry) => {
      sealer.saw(entry)
      alarms.saw(entry)
      duties.saw()
    },
    close: async () => {
      selfCheck.close()
      await duties.close()
    },
  }
}
