import type { ApprovalStatistics } from '../contract/schemas/approval.ts'
import { bodyOf } from '../contract/schemas/ledger-bodies.ts'
import type { LedgerEntry } from '../contract/schemas/ledger.ts'

/** A rule stands out when it makes this share of at least so many questions. */
const MOST = 0.5
const ENOUGH = 10
const MAX_RULES = 100

const hintOf = (rules: ApprovalStatistics['byRule'], asked: number): string | null => {
  const [first] = rules
  if (first === undefined || asked < ENOUGH || first.asked < asked * MOST) return null
  const share = `${first.asked} of ${asked} questions come from "${first.rule}" (${first.source})`
  if (first.approved < first.asked * 0.9) return `${share}.`
  return first.source === 'built-in'
    ? `${share}, and nearly all were approved: allow the calls that you always approve by an exact rule in your profile, or let recoverable ones pass with "policy: { recoverable: allow }".`
    : `${share}, and nearly all were approved: consider to narrow that rule, or to take it out.`
}

/** How questions were answered, from their ledger entries, oldest first. */
export const approvalStatistics = (entries: readonly LedgerEntry[]): ApprovalStatistics => {
  const rules = new Map<string, { rule: string; source: string; asked: number; approved: number }>()
  const rulesOf = new Map<string, string[]>()
  const waits: number[] = []
  const counts = { asked: 0, approved: 0, denied: 0, expired: 0 }
  for (const entry of entries) {
    const asked = bodyOf(entry, 'approval/requested')
    if (asked !== null) {
      counts.asked += 1
      const keys = [...new Set((asked.rules ?? []).map(({ rule, source }) => `${source} ${rule}`))]
      rulesOf.set(asked.approvalId, keys)
      for (const { rule, source } of asked.rules ?? []) {
        const key = `${source} ${rule}`
        const known = rules.get(key) ?? { rule, source, asked: 0, approved: 0 }
        rules.set(key, known)
        if (keys.includes(key)) known.asked += 1
      }
    }
    const decided = bodyOf(entry, 'approval/decided')
    if (decided === null) continue
    if (decided.state === 'approved') counts.approved += 1
    else if (decided.state === 'denied') counts.denied += 1
    else if (decided.state === 'expired') counts.expired += 1
    // What a grant or nobody answered says nothing of a person.
    if ((decided.state === 'approved' || decided.state === 'denied') && !decided.via?.endsWith('-grant')) waits.push(decided.waitedMs)
    if (decided.state === 'approved') for (const key of rulesOf.get(decided.approvalId) ?? []) (rules.get(key) ?? { approved: 0 }).approved += 1
  }
  const byRule = [...rules.values()].sort((left, right) => right.asked - left.asked).slice(0, MAX_RULES)
  waits.sort((left, right) => left - right)
  return { since: entries[0]?.at ?? null, ...counts, medianWaitMs: waits[Math.floor(waits.length / 2)] ?? null, byRule, hint: hintOf(byRule, counts.asked) }
}
