import type { LedgerEntry } from '../../../shared/contract/schemas/ledger.ts'
import { NO_TOKENS, type Tokens } from '../../../shared/contract/schemas/usage.ts'

/** What entries of the audit log add up to. Money in integer micro-dollars. */
export interface UsageTally {
  readonly since: number | null
  costMicroUsd: number
  /** Answers of a model without a known price, which the cost leaves out. */
  unpriced: number
  tokens: Tokens
  requests: number
  calls: { read: number; write: number; destructive: number }
  denied: number
  asked: number
  approved: number
  alarms: number
  readonly byModel: Map<string, Part>
  readonly byAgent: Map<string, Part>
}

export interface Part {
  requests: number
  tokens: number
  costMicroUsd: number
  unpriced: number
}

type ActionCount = { read: number; write: number; destructive: number }

/** One minute in which the host ran. */
export interface Minute extends ActionCount {
  readonly at: number
  requests: number
  denied: number
  /** Spent until its end, since the first minute. */
  costMicroUsd: number
}

const MINUTE_MS = 60_000

const addTokens = (a: Tokens, b: Tokens): Tokens => ({
  input: a.input + b.input,
  output: a.output + b.output,
  cacheRead: a.cacheRead + b.cacheRead,
  cacheWrite5m: a.cacheWrite5m + b.cacheWrite5m,
  cacheWrite1h: a.cacheWrite1h + b.cacheWrite1h,
})

const classOf = (entry: LedgerEntry): keyof ActionCount => {
  const decision = entry.body['decision'] as { classification?: { class?: keyof ActionCount } } | null | undefined
  return decision?.classification?.class ?? 'destructive'
}

const partOf = (parts: Map<string, Part>, name: string): Part => {
  const part = parts.get(name) ?? { requests: 0, tokens: 0, costMicroUsd: 0, unpriced: 0 }
  parts.set(name, part)
  return part
}

/** Adds entries up, oldest first. */
export const tally = (entries: readonly LedgerEntry[]): UsageTally => {
  const sum: UsageTally = {
    since: entries[0]?.at ?? null,
    costMicroUsd: 0,
    unpriced: 0,
    tokens: NO_TOKENS,
    requests: 0,
    calls: { read: 0, write: 0, destructive: 0 },
    denied: 0,
    asked: 0,
    approved: 0,
    alarms: 0,
    byModel: new Map(),
    byAgent: new Map(),
  }
  const agentOf = new Map<string, string>()
  for (const entry of entries) {
    const { kind, body, sessionId } = entry
    if (typeof body['agent'] === 'string' && sessionId !== null) agentOf.set(sessionId, body['agent'])
    if (kind === 'tool-call/intent') sum.calls[classOf(entry)] += 1
    else if (kind === 'tool-call/decision') sum.denied += 1
    else if (kind === 'approval/requested') sum.asked += 1
    else if (kind === 'approval/decided' && body['state'] === 'approved') sum.approved += 1
    else if (kind === 'alarm/raised') sum.alarms += 1
    else if (kind === 'model-request/outcome' && body['tokens'] !== undefined) {
      const tokens = { ...NO_TOKENS, ...(body['tokens'] as Partial<Tokens>) }
      const cost = typeof body['costMicroUsd'] === 'number' ? body['costMicroUsd'] : null
      sum.requests += 1
      sum.tokens = addTokens(sum.tokens, tokens)
      sum.costMicroUsd += cost ?? 0
      sum.unpriced += cost === null ? 1 : 0
      for (const part of [partOf(sum.byModel, String(body['model'])), partOf(sum.byAgent, agentOf.get(sessionId ?? '') ?? 'before these entries')]) {
        part.requests += 1
        part.tokens += Object.values(tokens).reduce((a, b) => a + b, 0)
        part.costMicroUsd += cost ?? 0
        part.unpriced += cost === null ? 1 : 0
      }
    }
  }
  return sum
}

/**
 * The same by minute, from the first entry to `now`. A minute in which no host ran is null, so that it is drawn as a
 * gap and not as a quiet time.
 */
export const byMinute = (entries: readonly LedgerEntry[], now: number): { at: number[]; minutes: (Minute | null)[] } => {
  const first = Math.floor((entries[0]?.at ?? now) / MINUTE_MS)
  const count = Math.max(1, Math.floor(now / MINUTE_MS) - first + 1)
  const minutes: (Minute | null)[] = Array.from({ length: count }, () => null)
  const minuteOf = (at: number): Minute => {
    const place = Math.min(count - 1, Math.max(0, Math.floor(at / MINUTE_MS) - first))
    const minute = minutes[place] ?? { at: (first + place) * MINUTE_MS, read: 0, write: 0, destructive: 0, requests: 0, denied: 0, costMicroUsd: 0 }
    minutes[place] = minute
    return minute
  }
  /** The host ran from one entry to the next, unless the next is the start of another host. */
  let before: number | null = null
  let cost = 0
  const runUntil = (at: number): void => {
    if (before !== null) for (let time = before; time < at; time += MINUTE_MS) minuteOf(time).costMicroUsd = cost
  }
  for (const entry of entries) {
    if (entry.kind !== 'host/started') runUntil(entry.at)
    const minute = minuteOf(entry.at)
    if (entry.kind === 'tool-call/intent') minute[classOf(entry)] += 1
    if (entry.kind === 'tool-call/decision') minute.denied += 1
    if (entry.kind === 'model-request/outcome' && entry.body['tokens'] !== undefined) {
      minute.requests += 1
      cost += typeof entry.body['costMicroUsd'] === 'number' ? entry.body['costMicroUsd'] : 0
    }
    minute.costMicroUsd = cost
    before = entry.kind === 'host/stopped' ? null : entry.at
  }
  runUntil(now)
  if (before !== null) minuteOf(now).costMicroUsd = cost
  return { at: minutes.map((_, index) => ((first + index) * MINUTE_MS) / 1_000), minutes }
}
