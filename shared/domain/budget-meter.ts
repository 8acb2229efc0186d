import { type Billing, NO_TOKENS, type Usage } from '../contract/schemas/usage.ts'
import type { MessageUsage } from './message-usage.ts'
import { type Account, addAmounts, announce, type Amount, type CapInTheWay, capInTheWay, type Caps, createAccount, describeCap, isCapped, NOTHING, type Total } from './budget-account.ts'
import { createWaitingLine, type WaitingLine } from './budget-line.ts'
import { formatUsd } from './format.ts'
import { addTokens, costMicroUsd, type PriceTable, totalTokens } from './price.ts'
import type { RequestBound, Unbounded } from './request-bound.ts'
import { createUsageSums, type MessageCost, type MessageRecord } from './usage-sums.ts'

/**
 * How a request ended. `free`: refused or never reached, nothing is billed. `whole`: to its end. `unreadable`: all of it
 * came, and could not be decoded, so that the agent has not got it. `cut`: broken off after so many bytes of answer, which
 * bound its output tokens.
 */
export type RequestEnd =
  | { readonly kind: 'free' }
  | { readonly kind: 'whole' }
  | { readonly kind: 'unreadable' }
  | { readonly kind: 'cut'; readonly answerBytes: number }

/** One request's hold on the caps, from before it is sent until it is over. */
export interface Reservation {
  /** A newer record of a message replaces the older one, also across requests. */
  observe(usage: MessageUsage): MessageCost
  /** Ends the hold, with the time that the request took, and says what it used for good; only the first call counts. */
  settle(end: RequestEnd, modelMs?: number): Amount
}

export type ReserveResult =
  | { readonly kind: 'reserved'; readonly reservation: Reservation }
  /** It would fit if what is in flight came out cheaper than it may: ask again after `changed`. */
  | { readonly kind: 'wait' }
  /** A cap is in the way until a person changes it; null where no price is known, which no higher cap mends. */
  | { readonly kind: 'refused'; readonly message: string; readonly cap: CapInTheWay | null }
  /** Not a matter of how much is left: this one request has no bound, so that no cap lets it pass. */
  | { readonly kind: 'unbounded'; readonly message: string }

/** Counts one session's model use against its caps and those it shares with others, so that none is passed. */
export interface BudgetMeter {
  /** The session's own account. */
  readonly own: Account
  /** Under its name `request`, whoever is told to wait stands in line, and asks again after `changed` until it leaves. */
  reserve(bound: RequestBound | Unbounded, request?: object): ReserveResult
  /** The request waits no more. */
  leave(request: object): void
  usage(): Usage
  setBilling(billing: Billing): void
  /** Whether any cap holds. */
  isCapped(): boolean
  /** What a person should be warned of by now, each once: caps that are nearly used up. */
  warnings(): readonly string[]
  /** Resolves when a hold ends or the caps change. */
  changed(): Promise<void>
}

type Key = string | symbol

/** Messages whose record may still be replaced by a newer one; the oldest are counted for good. */
const MAX_OPEN_MESSAGES = 2_000

const addCost = (a: MessageCost, b: MessageCost): MessageCost => ({
  tokens: addTokens(a.tokens, b.tokens),
  microUsd: a.microUsd === null || b.microUsd === null ? null : a.microUsd + b.microUsd,
})
const NO_COST: MessageCost = { tokens: NO_TOKENS, microUsd: 0 }

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

const boundOf = (bound: RequestBound): Amount => ({
  ...NOTHING,
  requests: 1,
  tokens: bound.tokens.input + bound.tokens.output,
  microUsd: bound.microUsd === null ? 0 : bound.microUsd.input + bound.microUsd.output,
})

/**
 * What a finished request holds for good. What was observed, when the answer was whole; its bound when nothing could
 * be read of it, or no price is known for it; and for a broken one the input plus one output token for each byte
 * that came, never above the bound: so that an agent gains no room by breaking off before the bill arrives.
 */
const chargeOf = (bound: RequestBound | null, observed: MessageCost | null, end: RequestEnd): Pick<Amount, 'tokens' | 'microUsd'> => {
  const most = bound === null ? NOTHING : boundOf(bound)
  const seen =
    observed === null
      ? null
      : { tokens: totalTokens(observed.tokens), microUsd: observed.microUsd ?? most.microUsd }
  if (end.kind === 'free') return seen ?? NOTHING
  if (end.kind !== 'cut' || bound === null) return seen ?? most
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

/**
 * A meter for one session: see BudgetMeter. `shared` gives the accounts that it has in common with others, as of now, and
 * `line` is where those wait who have such accounts.
 */
export const createBudgetMeter = (params: { caps: Caps; priceTable: PriceTable; warnAt?: number; shared?: () => readonly Account[]; line?: WaitingLine }): BudgetMeter => {
  const { line = createWaitingLine() } = params
  const own = createAccount({ whose: "this session's", ...params })
  let billing: Billing | null = null
  const sums = createUsageSums()
  const records = new Map<Key, MessageRecord>()
  const charges = new Map<Key, Amount>()

  const record = (key: Key, message: MessageRecord): void => {
    const older = records.get(key)
    if (older !== undefined) sums.remove(older)
    sums.add(message)
    records.set(key, message)
    for (const oldest of records.keys()) {
      if (records.size <= MAX_OPEN_MESSAGES) break
      records.delete(oldest)
      charges.delete(oldest)
    }
  }

  const accountsNow = (): readonly Account[] => [own, ...(params.shared?.() ?? [])]

  const createReservation = (bound: RequestBound | null, accounts: readonly Account[]): Reservation => {
    const request = Symbol('request')
    const held = bound === null ? { ...NOTHING, requests: 1 } : boundOf(bound)
    let key: Key = request
    let isOver = false
    for (const { total } of accounts) total.inFlight = addAmounts(total.inFlight, held)
    return {
      observe(usage) {
        if (usage.messageId !== null) key = usage.messageId
        const message = priceMessage(params.priceTable, usage)
        record(key, message)
        return message.total
      },
      settle(end, modelMs = 0) {
        if (isOver) return NOTHING
        isOver = true
        const seen = records.get(key)?.total ?? null
        const isFree = end.kind === 'free' && seen === null
        const amount = { ...chargeOf(bound, seen, end), requests: isFree ? 0 : 1, modelMs }
        const before = charges.get(key)
        // Under no name of the provider's it cannot come again.
        if (key === request) records.delete(key)
        else charges.set(key, amount)
        const more = before === undefined ? amount : { ...addAmounts(amount, before, -1), requests: amount.requests, modelMs }
        for (const { total } of accounts) {
          total.inFlight = addAmounts(total.inFlight, held, -1)
          total.charged = addAmounts(total.charged, more)
          announce(total)
        }
        return more
      },
    }
  }

  /** Whether there is room, also for all who stand before it; if not, it keeps its place. */
  const mayGo = (capped: readonly Account[], need: Amount, request: object | undefined): boolean => {
    if (capped.length === 0) return true
    const place = line.join(request ?? {}, own, need)
    const held = (total: Total): Amount => addAmounts(total.charged, total.inFlight)
    place.totals = capped.map(({ total }) => total)
    place.lacksRoomIn = capInTheWay(capped, need, held)?.account.total ?? null
    const isRoom = place.lacksRoomIn === null && capInTheWay(capped, need, (total) => addAmounts(held(total), line.aheadIn(total, place))) === null
    if (isRoom || request === undefined) line.leave(place.request)
    else place.hasWaited = true
    return isRoom
  }

  return {
    own,
    isCapped: () => accountsNow().some((account) => isCapped(account.caps())),
    reserve(bound, request) {
      const accounts = accountsNow()
      if ('unbounded' in bound) {
        if (!accounts.some((account) => isCapped(account.caps()))) return { kind: 'reserved', reservation: createReservation(null, accounts) }
        const message =
          `Holdfast cannot say what this request may use at most, because ${bound.unbounded}, and so cannot ` +
          'keep this session under its cap. Do without it, or remove the cap.'
        return { kind: 'unbounded', message }
      }
      const spendCap = accounts.map((account) => account.caps().microUsd).find((cap) => cap !== null) ?? null
      if (spendCap !== null && bound.microUsd === null) {
        const message =
          `Holdfast knows no price for what is asked of the model ${bound.model}, and so cannot keep this ` +
          `session under its ${formatUsd(spendCap)} spend cap. Use another model, or a token cap instead.`
        return { kind: 'refused', message, cap: null }
      }
      const need = boundOf(bound)
      const cap = capInTheWay(accounts, need)
      if (cap !== null) {
        if (request !== undefined) line.leave(request)
        return { kind: 'refused', message: describeCap(cap, billing), cap }
      }
      if (!mayGo(accounts.filter((account) => isCapped(account.caps())), need, request)) return { kind: 'wait' }
      return { kind: 'reserved', reservation: createReservation(bound, accounts) }
    },
    leave: line.leave,
    usage() {
      const models = sums.byModel()
      return {
        billing,
        byModel: models,
        tokens: models.reduce((sum, { tokens }) => addTokens(sum, tokens), NO_TOKENS),
        requests: sums.messages(),
        costMicroUsd: models.reduce((sum, model) => sum + (model.costMicroUsd ?? 0), 0),
        hasUnknownPrice: models.some((model) => model.costMicroUsd === null),
        capMicroUsd: own.caps().microUsd,
      }
    },
    setBilling(value) {
      billing = value
    },
    warnings: () => accountsNow().flatMap((account) => account.nearCap() ?? []),
    changed: () => Promise.race(accountsNow().map(({ total }) => total.change.promise)),
  }
}
