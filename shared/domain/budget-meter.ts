import {
  NO_TOKENS,
  type Billing,
  type ModelUsage,
  type Tokens,
  type Usage,
} from '../contract/schemas/usage.ts'
import type { MessageUsage } from './message-usage.ts'
import { formatUsd } from './format.ts'
import { addTokens, costMicroUsd, type PriceTable, totalTokens } from './price.ts'
import type { RequestBound, Unbounded } from './request-bound.ts'

/** Limits of one session; null is no limit. On a subscription dollars are the API equivalent. */
export interface Caps {
  readonly microUsd: number | null
  readonly tokens: number | null
}

/** What a message, or one model's share of it, came to; `microUsd` is null where the price is unknown. */
export interface MessageCost {
  readonly tokens: Tokens
  readonly microUsd: number | null
}

/**
 * How a request ended. `free`: refused or never reached, nothing is billed. `whole`: to its end. `cut`: broken off
 * after so many bytes of answer, which bound its output tokens.
 */
export type RequestEnd =
  | { readonly kind: 'free' }
  | { readonly kind: 'whole' }
  | { readonly kind: 'cut'; readonly answerBytes: number }

/** One request's hold on the caps, from before it is sent until it is over. */
export interface Reservation {
  /** A newer record of a message replaces the older one, also across requests. */
  observe(usage: MessageUsage): MessageCost
  /** Ends the hold; only the first call counts. */
  settle(end: RequestEnd): void
}

export type ReserveResult =
  | { readonly kind: 'reserved'; readonly reservation: Reservation }
  /** It would fit if what is in flight came out cheaper than it may: ask again after `changed`. */
  | { readonly kind: 'wait' }
  /** A cap is in the way until a person changes it. */
  | { readonly kind: 'refused'; readonly message: string }
  /** Not a matter of how much is left: this one request has no bound, so that no cap lets it pass. */
  | { readonly kind: 'unbounded'; readonly message: string }

/** Counts one session's model use against its caps, so that neither is passed. */
export interface BudgetMeter {
  reserve(bound: RequestBound | Unbounded): ReserveResult
  usage(): Usage
  setBilling(billing: Billing): void
  /** Holds for the next reservation, waiting ones included. */
  setCaps(caps: Caps): void
  /** Resolves when a hold ends or the caps change. */
  changed(): Promise<void>
}

type Key = string | symbol

/** An amount held against the caps. */
interface Held {
  readonly tokens: number
  readonly microUsd: number
}

const NOTHING: Held = { tokens: 0, microUsd: 0 }

const add = (a: Held, b: Held): Held => ({ tokens: a.tokens + b.tokens, microUsd: a.microUsd + b.microUsd })
const subtract = (a: Held, b: Held): Held => ({
  tokens: a.tokens - b.tokens,
  microUsd: a.microUsd - b.microUsd,
})

const addCost = (a: MessageCost, b: MessageCost): MessageCost => ({
  tokens: addTokens(a.tokens, b.tokens),
  microUsd: a.microUsd === null || b.microUsd === null ? null : a.microUsd + b.microUsd,
})
const NO_COST: MessageCost = { tokens: NO_TOKENS, microUsd: 0 }

interface MessageRecord {
  readonly model: string
  readonly byModel: ReadonlyMap<string, MessageCost>
  readonly total: MessageCost
}

const priceMessage = (table: PriceTable, usage: MessageUsage): MessageRecord => {
  const byModel = new Map<string, MessageCost>()
  let total = NO_COST
  usage.parts.forEach((part, index) => {
    const terms = { ...usage.terms, webSearches: index === 0 ? usage.terms.webSearches : 0 }
    const cost = { tokens: part.tokens, microUsd: costMicroUsd(table, part, terms) }
    byModel.set(part.model, addCost(byModel.get(part.model) ?? NO_COST, cost))
    total = addCost(total, cost)
  })
  return { model: usage.model, byModel, total }
}

const boundOf = (bound: RequestBound): Held => ({
  tokens: bound.tokens.input + bound.tokens.output,
  microUsd: bound.microUsd === null ? 0 : bound.microUsd.input + bound.microUsd.output,
})

/**
 * What a finished request holds for good. What was observed, when the answer was whole; its bound when nothing could
 * be read of it, or no price is known for it; and for a broken one the input plus one output token for each byte
 * that came, never above the bound: so that an agent gains no room by breaking off before the bill arrives.
 */
const chargeOf = (bound: RequestBound | null, observed: MessageCost | null, end: RequestEnd): Held => {
  const most = bound === null ? NOTHING : boundOf(bound)
  const seen =
    observed === null
      ? null
      : { tokens: totalTokens(observed.tokens), microUsd: observed.microUsd ?? most.microUsd }
  if (end.kind === 'free') return seen ?? NOTHING
  if (end.kind === 'whole' || bound === null) return seen ?? most
  const output = Math.min(bound.tokens.output, end.answerBytes)
  const share = bound.tokens.output === 0 ? 0 : output / bound.tokens.output
  const start = seen ?? { tokens: bound.tokens.input, microUsd: bound.microUsd?.input ?? 0 }
  const charge = {
    tokens: start.tokens + output,
    microUsd: start.microUsd + Math.ceil((bound.microUsd?.output ?? 0) * share),
  }
  return {
    tokens: Math.max(seen?.tokens ?? 0, Math.min(most.tokens, charge.tokens)),
    microUsd: Math.max(seen?.microUsd ?? 0, Math.min(most.microUsd, charge.microUsd)),
  }
}

const count = (value: number): string => value.toLocaleString('en-US')

/** A sentence for the agent and its person when `need` would pass a cap on top of `held`; null when it fits. */
const overCap = (caps: Caps, held: Held, need: Held, billing: Billing | null): string | null => {
  const equivalent = billing === 'subscription' ? ' (API equivalent)' : ''
  if (caps.microUsd !== null && held.microUsd + need.microUsd > caps.microUsd) {
    const left = formatUsd(Math.max(0, caps.microUsd - held.microUsd))
    return (
      `Holdfast stopped here: the next model request could cost up to ${formatUsd(need.microUsd)}${equivalent}, and ` +
      `${left} of this session's ${formatUsd(caps.microUsd)} spend cap is left. Raise the cap to go on.`
    )
  }
  if (caps.tokens !== null && held.tokens + need.tokens > caps.tokens) {
    const left = count(Math.max(0, caps.tokens - held.tokens))
    return (
      `Holdfast stopped here: the next model request could use up to ${count(need.tokens)} tokens, and ` +
      `${left} of this session's cap of ${count(caps.tokens)} are left. Raise the cap to go on.`
    )
  }
  return null
}

const isCapped = (caps: Caps): boolean => caps.microUsd !== null || caps.tokens !== null

/** A meter for one session: see BudgetMeter. */
export const createBudgetMeter = (params: { caps: Caps; priceTable: PriceTable }): BudgetMeter => {
  let caps = params.caps
  let billing: Billing | null = null
  const records = new Map<Key, MessageRecord>()
  const inFlight = new Map<symbol, Held>()
  const charges = new Map<Key, Held>()
  let charged = NOTHING
  let change = Promise.withResolvers<void>()

  const announce = (): void => {
    change.resolve()
    change = Promise.withResolvers()
  }

  const charge = (key: Key, amount: Held): void => {
    charged = add(subtract(charged, charges.get(key) ?? NOTHING), amount)
    charges.set(key, amount)
  }

  const createReservation = (bound: RequestBound | null): Reservation => {
    const request = Symbol('request')
    let key: Key = request
    let isOver = false
    if (bound !== null) inFlight.set(request, boundOf(bound))
    return {
      observe(usage) {
        if (usage.messageId !== null) key = usage.messageId
        const record = priceMessage(params.priceTable, usage)
        records.set(key, record)
        return record.total
      },
      settle(end) {
        if (isOver) return
        isOver = true
        inFlight.delete(request)
        charge(key, chargeOf(bound, records.get(key)?.total ?? null, end))
        announce()
      },
    }
  }

  return {
    reserve(bound) {
      if ('unbounded' in bound) {
        if (!isCapped(caps)) return { kind: 'reserved', reservation: createReservation(null) }
        const message =
          `Holdfast cannot say what this request may use at most, because ${bound.unbounded}, and so cannot ` +
          'keep this session under its cap. Do without it, or remove the cap.'
        return { kind: 'unbounded', message }
      }
      if (caps.microUsd !== null && bound.microUsd === null) {
        const message =
          `Holdfast knows no price for what is asked of the model ${bound.model}, and so cannot keep this ` +
          `session under its ${formatUsd(caps.microUsd)} spend cap. Use another model, or a token cap instead.`
        return { kind: 'refused', message }
      }
      const need = boundOf(bound)
      const message = overCap(caps, charged, need, billing)
      if (message !== null) return { kind: 'refused', message }
      const held = [...inFlight.values()].reduce(add, charged)
      if (overCap(caps, held, need, billing) !== null) return { kind: 'wait' }
      return { kind: 'reserved', reservation: createReservation(bound) }
    },
    usage() {
      const byModel = new Map<string, ModelUsage>()
      for (const { model: mainModel, byModel: shares } of records.values()) {
        for (const [model, share] of shares) {
          const known = byModel.get(model)
          const cost = addCost(
            known === undefined ? NO_COST : { tokens: known.tokens, microUsd: known.costMicroUsd },
            share,
          )
          const requests = (known?.requests ?? 0) + (model === mainModel ? 1 : 0)
          byModel.set(model, { model, requests, tokens: cost.tokens, costMicroUsd: cost.microUsd })
        }
      }
      const models = [...byModel.values()].sort((a, b) => (a.model < b.model ? -1 : 1))
      return {
        billing,
        byModel: models,
        tokens: models.reduce((sum, { tokens }) => addTokens(sum, tokens), NO_TOKENS),
        requests: records.size,
        costMicroUsd: models.reduce((sum, model) => sum + (model.costMicroUsd ?? 0), 0),
        hasUnknownPrice: models.some((model) => model.costMicroUsd === null),
        capMicroUsd: caps.microUsd,
      }
    },
    setBilling(value) {
      billing = value
    },
    setCaps(value) {
      caps = value
      announce()
    },
    changed: () => change.promise,
  }
}
