import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { LedgerVerification } from '../../shared/contract/schemas/ledger.ts'
import { createSelfCheck } from '../../shared/core/ledger/self-check.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const HOLDS = { ok: true, faults: [] } as unknown as LedgerVerification
const BROKEN = { ok: false, faults: [{ sequence: 7, problem: 'altered', message: 'entry 7: it was altered' }] } as unknown as LedgerVerification

test('a ledger is verified a minute after the start and every day, with an alarm each time it does not hold', async () => {
  const answers = [HOLDS, BROKEN, BROKEN]
  const raised: unknown[] = []
  let verified = 0
  const trust = { trustedKey: null, anchors: [], problem: null }
  const check = createSelfCheck({
    ledger: { verify: async (given) => (expect(given).toBe(trust), (verified += 1), answers.shift() as LedgerVerification) },
    sealer: { trust: async () => trust },
    raise: (...alarm) => void raised.push(alarm),
    log: () => undefined,
  })
  await vi.advanceTimersByTimeAsync(59_000)
  expect(verified).toBe(0)
  await vi.advanceTimersByTimeAsync(1_000)
  expect({ verified, raised }).toEqual({ verified: 1, raised: [] })
  await vi.advanceTimersByTimeAsync(24 * 3_600_000)
  expect(raised).toEqual([[null, 'The audit log does not verify: entry 7: it was altered', 'verify']])
  expect(await check.check()).toBe(BROKEN)
  expect(raised).toHaveLength(2)
  check.close()
  await vi.advanceTimersByTimeAsync(48 * 3_600_000)
  expect(verified).toBe(3)
})
