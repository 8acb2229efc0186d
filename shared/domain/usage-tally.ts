import type { LedgerEntry, LedgerKind } from '../contract/schemas/ledger.ts'
import { NO_TOKENS, type Tokens } from '../contract/schemas/usage.ts'
import { formatUsd } from './format.ts'
import { addTokens } from './price.ts'

/** The kinds of entries that are added up; the others say nothing of use. */
export const USAGE_KINDS: LedgerKind[] = [
  'host/started', 'host/stopped', 'session/started', 'tool-call/intent', 'tool-call/decision', 'tool-call/outcome',
  'approval/requested', 'approval/decided', 'model-request/intent', 'model-request/outcome', 'alarm/raised',
]

/** What some of the requests came to. Money in integer micro-dollars. */
export interface Part {
  requests: number
  tokens: number
  costMicroUsd: number
  /** Answers of a model without a known price, which the cost leaves out. */
  unpriced: number
  /** Paid by a subscription: the cost is what the API would have taken. */
  subscription: boolean
}

export interface UsageSum {
  since: number | null
  costMicroUsd: number
  unpriced: number
  subscription: boolean
  tokens: Tokens
  requests: number
  calls: { read: number; write: number; destructive: number }
  denied: number
  asked: number
  approved: number
  /** Secrets taken out of what tools gave back. */
  redacted: number
  alarms: number
  readonly byModel: Map<string, Part>
  readonly byAgent: Map<string, Part>
  /** By session's id. */
  readonly bySession: Map<string, Part>
  /** By the day's first moment, in this machine's time zone. */
  readonly byDay: Map<number, Part>
}

/** A stretch of time in which the host ran. */
export interface Stretch {
  read: number
  write: number
  destructive: number
  denied: number
  requests: number
  tokens: Tokens
  /** Spent until its end, since the first one. */
  costMicroUsd: number
}

export interface Tally {
  readonly sum: UsageSum
  /** The session's agent, as far as the entries tell. */
  agentOf(sessionId: string): string | undefined
  /** Takes an entry in, oldest first; one that is not newer than the last changes nothing. */
  add(entry: LedgerEntry): void
  /**
   * All stretches from the first entry to `now`, with their beginnings in seconds. One in which no host ran is null, so
   * that it is drawn as a gap and not as a quiet time.
   */
  series(now: number): { at: number[]; stretches: (Stretch | null)[] }
}

const countTokens = (tokens: Tokens): number => Object.values(tokens).reduce((a, b) => a + b, 0)

const classOf = (entry: LedgerEntry): keyof UsageSum['calls'] => {
  const decision = entry.body['decision'] as { classification?: { class?: keyof UsageSum['calls'] } } | null | undefined
  return decision?.classification?.class ?? 'destructive'
}

const dayOf = (at: number): number => new Date(at).setHours(0, 0, 0, 0)

const NO_PART: Part = { requests: 0, tokens: 0, costMicroUsd: 0, unpriced: 0, subscription: false }

const partOf = <Key>(parts: Map<Key, Part>, key: Key): Part => {
  const part = parts.get(key) ?? { ...NO_PART }
  parts.set(key, part)
  return part
}

/** Adds entries up as they come, and holds none of them. `stretchMs` is how fine the series is. */
export const createTally = (stretchMs: number): Tally => {
  const sum: UsageSum = {
    since: null,
    costMicroUsd: 0,
    unpriced: 0,
    subscription: false,
    tokens: NO_TOKENS,
    requests: 0,
    calls: { read: 0, write: 0, destructive: 0 },
    denied: 0,
    asked: 0,
    approved: 0,
    redacted: 0,
    alarms: 0,
    byModel: new Map(),
    byAgent: new Map(),
    bySession: new Map(),
    byDay: new Map(),
  }
  const agents = new Map<string, string>()
  const subscribers = new Set<string>()
  const stretches = new Map<number, Stretch>()
  let first: number | null = null
  let lastSequence = 0
  /** The host ran from one entry to the next, unless the next is the start of another host. */
  let before: number | null = null

  const stretchOf = (at: number): Stretch => {
    const place = Math.floor(at / stretchMs)
    const stretch = stretches.get(place) ?? { read: 0, write: 0, destructive: 0, denied: 0, requests: 0, tokens: NO_TOKENS, costMicroUsd: sum.costMicroUsd }
    stretches.set(place, stretch)
    return stretch
  }
  const runUntil = (at: number): void => {
    if (before !== null) for (let time = before; time < at; time += stretchMs) stretchOf(time).costMicroUsd = sum.costMicroUsd
  }

  const addAnswer = (entry: LedgerEntry, stretch: Stretch): void => {
    const { body, at } = entry
    const sessionId = entry.sessionId ?? ''
    const tokens = { ...NO_TOKENS, ...(body['tokens'] as Partial<Tokens>) }
    const cost = typeof body['costMicroUsd'] === 'number' ? body['costMicroUsd'] : null
    const subscription = subscribers.has(sessionId)
    sum.requests += 1
    sum.tokens = addTokens(sum.tokens, tokens)
    sum.costMicroUsd += cost ?? 0
    sum.unpriced += cost === null ? 1 : 0
    sum.subscription ||= subscription
    stretch.requests += 1
    stretch.tokens = addTokens(stretch.tokens, tokens)
    stretch.costMicroUsd = sum.costMicroUsd
    const parts = [partOf(sum.byModel, String(body['model'])), partOf(sum.byAgent, agents.get(sessionId) ?? 'not known'), partOf(sum.bySession, sessionId), partOf(sum.byDay, dayOf(at))]
    for (const part of parts) {
      part.requests += 1
      part.tokens += countTokens(tokens)
      part.costMicroUsd += cost ?? 0
      part.unpriced += cost === null ? 1 : 0
      part.subscription ||= subscription
    }
  }

  return {
    sum,
    agentOf: (sessionId) => agents.get(sessionId),
    add: (entry) => {
      if (entry.sequence <= lastSequence) return
      lastSequence = entry.sequence
      const { kind, body, at, sessionId } = entry
      sum.since ??= at
      first ??= Math.floor(at / stretchMs)
      if (kind !== 'host/started') runUntil(at)
      const stretch = stretchOf(at)
      before = kind === 'host/stopped' ? null : at
      if (typeof body['agent'] === 'string' && sessionId !== null) agents.set(sessionId, body['agent'])
      if (kind === 'model-request/intent' && body['billing'] === 'subscription' && sessionId !== null) subscribers.add(sessionId)
      if (kind === 'tool-call/intent') {
        const actionClass = classOf(entry)
        sum.calls[actionClass] += 1
        stretch[actionClass] += 1
      } else if (kind === 'tool-call/decision') {
        sum.denied += 1
        stretch.denied += 1
      } else if (kind === 'tool-call/outcome') sum.redacted += typeof body['redacted'] === 'number' ? body['redacted'] : 0
      else if (kind === 'approval/requested') sum.asked += 1
      else if (kind === 'approval/decided') sum.approved += body['state'] === 'approved' ? 1 : 0
      else if (kind === 'alarm/raised') sum.alarms += 1
      else if (kind === 'model-request/outcome' && body['tokens'] !== undefined) addAnswer(entry, stretch)
    },
    series: (now) => {
      const start = first ?? Math.floor(now / stretchMs)
      runUntil(now)
      if (before !== null) stretchOf(now).costMicroUsd = sum.costMicroUsd
      const count = Math.max(1, Math.floor(now / stretchMs) - start + 1)
      const places = Array.from({ length: count }, (_, index) => start + index)
      return { at: places.map((place) => (place * stretchMs) / 1_000), stretches: places.map((place) => stretches.get(place) ?? null) }
    },
  }
}

/** What was spent, as honestly as it is known. */
export const costOf = ({ costMicroUsd, unpriced, subscription }: Pick<Part, 'costMicroUsd' | 'unpriced' | 'subscription'>): string => {
  const known = unpriced === 0 ? formatUsd(costMicroUsd) : costMicroUsd === 0 ? 'price unknown' : `${formatUsd(costMicroUsd)} + unknown`
  return subscription ? `${known} (API equivalent)` : known
}

const together = (one: Part, other: Part): Part => ({
  requests: one.requests + other.requests,
  tokens: one.tokens + other.tokens,
  costMicroUsd: one.costMicroUsd + other.costMicroUsd,
  unpriced: one.unpriced + other.unpriced,
  subscription: one.subscription || other.subscription,
})

/** What was used today, this month and ever, by this machine's calendar. */
export const usageByPeriod = ({ byDay }: Pick<UsageSum, 'byDay'>, now: number): { readonly today: Part; readonly month: Part; readonly all: Part } => {
  const month = new Date(dayOf(now)).setDate(1)
  const since = (from: number): Part => [...byDay].filter(([day]) => day >= from).map(([, part]) => part).reduce(together, NO_PART)
  return { today: since(dayOf(now)), month: since(month), all: since(-Infinity) }
}
