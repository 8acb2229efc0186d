import type { SessionId } from '../../contract/ids.ts'
import type { AlarmRule, LedgerVerification } from '../../contract/schemas/ledger.ts'
import type { Ledger } from '../ports.ts'
import type { Sealer } from './sealer.ts'

/** A host that has just started has other things to do. */
const FIRST_MS = 60_000
const EVERY_MS = 24 * 3_600_000

/** Verifies the ledger when asked, soon after the start and every day, and raises an alarm each time it does not hold. */
export interface SelfCheck {
  check(): Promise<LedgerVerification>
  close(): void
}

export interface SelfCheckDeps {
  readonly ledger: Pick<Ledger, 'verify'>
  readonly sealer: Pick<Sealer, 'trust'>
  readonly raise: (sessionId: SessionId | null, message: string, rule: AlarmRule) => void
  /** Tells the host's own log. */
  readonly log: (line: string) => void
}

export const createSelfCheck = ({ ledger, sealer, raise, log }: SelfCheckDeps): SelfCheck => {
  const check = async (): Promise<LedgerVerification> => {
    const verification = await ledger.verify(await sealer.trust())
    if (!verification.ok) raise(null, `The audit log does not verify: ${verification.faults[0]?.message ?? ''}`, 'verify')
    return verification
  }
  const byItself = (): void => void check().catch((error: unknown) => log(`the audit log could not be verified: ${String(error)}`))
  const first = setTimeout(byItself, FIRST_MS).unref()
  const again = setInterval(byItself, EVERY_MS).unref()
  return {
    check,
    close: () => {
      clearTimeout(first)
      clearInterval(again)
    },
  }
}
