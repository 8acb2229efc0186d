import type { Tokens } from '../contract/schemas/usage.ts'
import { formatUsd } from './format.ts'

/** What model requests came to, as far as an agent says too; `microUsd` is null where no price is known. */
export interface UsageFigures {
  readonly requests: number
  readonly input: number
  readonly output: number
  readonly cacheRead: number
  readonly cacheWrite: number
  readonly microUsd: number | null
}

/** Where an agent tells of its own count: in its telemetry by request, in its result as a sum. */
export type UsageSource = 'telemetry' | 'result'

/** One agent's own count of a conversation beside ours. */
export interface ComparedUsage {
  readonly source: UsageSource
  readonly own: UsageFigures
  /** Of the requests that passed here: all of them, and those whose answer came to its end. */
  readonly passed: UsageFigures
  readonly whole: UsageFigures
  /** What does not agree, for a person; null when all does. */
  readonly difference: string | null
}

/** Holds what an agent says it used against what passed here. The agent can lie: so it is an alarm, and never a count. */
export interface UsageCheck {
  /** A request of this conversation is over; `isWhole` when its answer came to its end. */
  passed(conversation: string, figures: UsageFigures, isWhole: boolean): void
  /**
   * The agent tells of further requests in its telemetry, or of the sum of them all in its result. Says what it claimed
   * before beyond what has passed by now: the newest may be told of before it is over here.
   */
  told(conversation: string, source: UsageSource, figures: UsageFigures): string | null
  /** At the end of the agent, of conversations that it told of; what it leaves out only where it ended in order, and so has told all. */
  end(isOrderly: boolean): readonly ComparedUsage[]
}

/** An agent's figures may differ from ours by this share. */
const TOLERANCE = 0.01
/** Conversations of a session that are compared; of more, the newest are not. */
const MAX_CONVERSATIONS = 1_000

const NONE: UsageFigures = { requests: 0, input: 0, output: 0, cacheRead: 0, cacheWrite: 0, microUsd: 0 }

const TOKEN_KINDS = { input: 'input tokens', output: 'output tokens', cacheRead: 'tokens read from the cache', cacheWrite: 'tokens written to the cache' } as const

export const addFigures = (a: UsageFigures, b: UsageFigures): UsageFigures => ({
  requests: a.requests + b.requests,
  input: a.input + b.input,
  output: a.output + b.output,
  cacheRead: a.cacheRead + b.cacheRead,
  cacheWrite: a.cacheWrite + b.cacheWrite,
  microUsd: a.microUsd === null || b.microUsd === null ? null : a.microUsd + b.microUsd,
})

export const figuresOf = (tokens: Tokens, microUsd: number | null): UsageFigures => ({
  requests: 1,
  input: tokens.input,
  output: tokens.output,
  cacheRead: tokens.cacheRead,
  cacheWrite: tokens.cacheWrite5m + tokens.cacheWrite1h,
  microUsd,
})

const isAbove = (value: number, limit: number): boolean => value > limit * (1 + TOLERANCE)

type Kind = keyof typeof TOKEN_KINDS | 'microUsd'

/** The first kind of which one count has more than the other. Money was rounded with each request, here up. */
const kindBeyond = (more: UsageFigures, less: UsageFigures): Kind | null => {
  for (const kind of Object.keys(TOKEN_KINDS) as (keyof typeof TOKEN_KINDS)[]) if (isAbove(more[kind], less[kind])) return kind
  if (more.microUsd === null || less.microUsd === null) return null
  return isAbove(more.microUsd - Math.max(more.requests, less.requests), less.microUsd) ? 'microUsd' : null
}

const describe = (kind: Kind | null, own: UsageFigures, passed: UsageFigures): string | null => {
  if (kind === null) return null
  if (kind === 'microUsd') return `The agent says that it cost ${formatUsd(own.microUsd ?? 0)}, and what passed Holdfast cost ${formatUsd(passed.microUsd ?? 0)} by the price table.`
  return `The agent counts ${own[kind]} ${TOKEN_KINDS[kind]}, and ${passed[kind]} passed Holdfast.`
}

const claims = (own: UsageFigures, passed: UsageFigures): string | null => describe(kindBeyond(own, passed), own, passed)
const leavesOut = (own: UsageFigures, whole: UsageFigures): string | null => describe(kindBeyond(whole, own), own, whole)

export const createUsageCheck = (): UsageCheck => {
  const conversations = new Map<string, { passed: UsageFigures; whole: UsageFigures; own: Map<UsageSource, UsageFigures> }>()
  const of = (name: string) => {
    const known = conversations.get(name) ?? { passed: NONE, whole: NONE, own: new Map<UsageSource, UsageFigures>() }
    if (conversations.size < MAX_CONVERSATIONS) conversations.set(name, known)
    return known
  }
  return {
    passed: (name, figures, isWhole) => {
      const conversation = of(name)
      conversation.passed = addFigures(conversation.passed, figures)
      if (isWhole) conversation.whole = addFigures(conversation.whole, figures)
    },
    told: (name, source, figures) => {
      const { own, passed } = of(name)
      const before = own.get(source) ?? NONE
      own.set(source, source === 'result' ? figures : addFigures(before, figures))
      return claims(before, passed)
    },
    end: (isOrderly) =>
      [...conversations.values()].flatMap(({ passed, whole, own: told }) =>
        [...told].map(([source, own]) => ({ source, own, passed, whole, difference: claims(own, passed) ?? (isOrderly ? leavesOut(own, whole) : null) })),
      ),
  }
}
