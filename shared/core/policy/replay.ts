import type { LedgerEntry } from '../../contract/schemas/ledger.ts'
import type { Replay, ReplayDifference } from '../../contract/schemas/policy.ts'
import type { Policy } from '../../contract/schemas/profile.ts'
import type { PolicyEffect } from '../../contract/schemas/tool-call.ts'
import { judgeCall } from '../../domain/judge-call.ts'
import { createPastCallReader } from '../../domain/past-calls.ts'

const STRICTNESS: Readonly<Record<PolicyEffect, number>> = { allow: 0, ask: 1, deny: 2 }

/**
 * Judges past calls anew, each by the rules that `policyOf` has for its folder (asked once a folder). Entries go in
 * oldest first; the differences come out in that order.
 */
export const createReplay = (policyOf: (cwd: string) => Promise<Policy>, home: string): { take(entry: LedgerEntry): Promise<void>; result(): Replay } => {
  const read = createPastCallReader()
  const policies = new Map<string, Policy>()
  const counts = { calls: 0, same: 0, stricter: 0, laxer: 0, incomplete: 0 }
  const differences: ReplayDifference[] = []
  return {
    take: async (entry) => {
      const call = read(entry)
      if (call === null) return
      counts.calls += 1
      if (call === 'incomplete') {
        counts.incomplete += 1
        return
      }
      const { cwd, tool, input, was } = call
      const policy = policies.get(cwd) ?? (await policyOf(cwd))
      policies.set(cwd, policy)
      const now = judgeCall({ policy, tool, input, cwd, home })
      const change = STRICTNESS[now.effect] - STRICTNESS[was]
      counts[change === 0 ? 'same' : change > 0 ? 'stricter' : 'laxer'] += 1
      if (change !== 0) differences.push({ ...call, now })
    },
    result: () => ({ ...counts, differences }),
  }
}
