import type { ActionClass } from '../contract/schemas/tool-call.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const SPANS = { minute: MINUTE_MS, hour: HOUR_MS } as const

/** What is counted: a request to the model, or a tool call with what it is and a hash of exactly what it does. */
export type PacedAction = { readonly kind: 'model-request' } | { readonly kind: 'tool-call'; readonly tool: string; readonly class: ActionClass; readonly hash: string }

/** Limits of a profile; null where there is none. */
export interface RateLimits {
  readonly toolCallsPerMinute: number | null
  readonly toolCallsPerHour: number | null
  readonly modelRequestsPerMinute: number | null
  readonly modelRequestsPerHour: number | null
  /** How often the very same tool call may come in an hour. */
  readonly sameCallPerHour: number | null
  /** Of one class, one tool (as rules name it, `*` at its end for several), or both. */
  readonly rates: readonly { readonly class?: ActionClass | undefined; readonly tool?: string | undefined; readonly perMinute?: number | undefined; readonly perHour?: number | undefined }[]
}

/** One limit over a sliding span. */
export interface Rate {
  /** As a profile's file names it. */
  readonly name: string
  readonly what: string
  readonly limit: number
  readonly per: keyof typeof SPANS
  /** The window that an action counts in; null when the limit is not about it. */
  readonly windowOf: (action: PacedAction) => string | null
}

const isTool = (pattern: string, tool: string): boolean => (pattern.endsWith('*') ? tool.startsWith(pattern.slice(0, -1)) : tool === pattern)

/** All limits of a profile, each by itself. */
export const ratesOf = (limits: RateLimits): Rate[] => {
  const found: Rate[] = []
  const add = (limit: number | null | undefined, rate: Omit<Rate, 'limit'>): void => {
    if (limit !== null && limit !== undefined) found.push({ ...rate, limit })
  }
  for (const [kind, what, field] of [['tool-call', 'tool calls', 'toolCalls'], ['model-request', 'model requests', 'modelRequests']] as const) {
    const windowOf = (name: string) => (action: PacedAction) => (action.kind === kind ? name : null)
    for (const [per, suffix] of [['minute', 'PerMinute'], ['hour', 'PerHour']] as const) {
      const name = `limits.${field}${suffix}` as const
      add(limits[`${field}${suffix}`], { name, what, per, windowOf: windowOf(name) })
    }
  }
  add(limits.sameCallPerHour, { name: 'limits.sameCallPerHour', what: 'the very same call', per: 'hour', windowOf: (action) => (action.kind === 'tool-call' ? `same ${action.hash}` : null) })
  limits.rates.forEach((rate, index) => {
    const name = `limits.rates[${index}]`
    const what = [rate.class, rate.tool === undefined ? 'tool calls' : `calls of ${rate.tool}`].filter((part) => part !== undefined).join(' ')
    const covers = (action: PacedAction): boolean =>
      action.kind === 'tool-call' && (rate.class === undefined || action.class === rate.class) && (rate.tool === undefined || isTool(rate.tool, action.tool))
    for (const [per, limit] of [['minute', rate.perMinute], ['hour', rate.perHour]] as const) add(limit, { name, what, per, windowOf: (action) => (covers(action) ? `${name} ${per}` : null) })
  })
  return found
}

/** When the newest actions of each window were or will be let through, in ms, oldest first. */
export type RateWindows = ReadonlyMap<string, readonly number[]>

const MAX_WINDOWS = 2_000

/** How a place was found, or what stands in its way and how long it would take, in ms. */
export type Place = { readonly windows: RateWindows; readonly at: number } | { readonly over: Rate; readonly waitMs: number }

/**
 * The earliest place for one more action, at or after `now`, so that under no rate a span of its length, wherever it
 * begins, holds more than its limit (at least 1). Taken at once, so that those who wait are served in turn; not taken when
 * it would be more than `maxWaitMs` away. `now` never goes back from action to action.
 */
export const takePlaces = (windows: RateWindows, rates: readonly Rate[], action: PacedAction, { now, maxWaitMs }: { readonly now: number; readonly maxWaitMs: number }): Place => {
  let at = now
  let over: Rate | null = null
  const taken: [string, readonly number[]][] = []
  for (const rate of rates) {
    const window = rate.windowOf(action)
    if (window === null) continue
    const span = SPANS[rate.per]
    const recent = (windows.get(window) ?? []).filter((each) => each > now - span)
    const blocking = recent[recent.length - rate.limit]
    if (blocking !== undefined && blocking + span > at) {
      at = blocking + span
      over = rate
    }
    taken.push([window, recent])
  }
  if (over !== null && at - now > maxWaitMs) return { over, waitMs: at - now }
  const next = new Map(windows)
  for (const [window, recent] of taken) {
    next.delete(window)
    next.set(window, [...recent, at])
  }
  for (const oldest of next.keys()) {
    if (next.size <= MAX_WINDOWS) break
    next.delete(oldest)
  }
  return { windows: next, at }
}
