import type { Billing } from '../contract/schemas/usage.ts'
import { formatUsd } from './format.ts'

/** What is counted against limits; `modelMs` is the time that requests took. */
export interface Amount {
  readonly microUsd: number
  readonly tokens: number
  readonly requests: number
  readonly modelMs: number
}

/** Limits; null, or none, is no limit. On a subscription dollars are the API equivalent. */
export interface Caps {
  readonly microUsd: number | null
  readonly tokens: number | null
  readonly requests?: number | null
  readonly modelMs?: number | null
}

export type Unit = keyof Amount

/** A limit in the way: what it is, how much of it is used or held, and how much more is needed. */
export interface CapInTheWay {
  readonly account: Account
  readonly unit: Unit
  readonly cap: number
  readonly held: number
  readonly need: number
}

/** What was used for good, and what is held for requests in flight: of one session, or of several together. */
export interface Total {
  charged: Amount
  inFlight: Amount
  /** Resolves, and is replaced, when a hold ends or a cap on it changes. */
  change: PromiseWithResolvers<void>
}

/** A total and the caps that one session has on it. */
export interface Account {
  /** Whose, before the word for a cap: `this session's`, `agent frontend's daily`. */
  readonly whose: string
  readonly total: Total
  caps(): Caps
  setCaps(caps: Caps): void
  /** A sentence once a cap's share for warnings is passed, each cap once; else null. */
  nearCap(): string | null
}

export const NOTHING: Amount = { microUsd: 0, tokens: 0, requests: 0, modelMs: 0 }
const UNITS = ['microUsd', 'tokens', 'requests', 'modelMs'] as const satisfies readonly Unit[]

export const addAmounts = (a: Amount, b: Amount, sign: 1 | -1 = 1): Amount => ({
  microUsd: a.microUsd + sign * b.microUsd,
  tokens: a.tokens + sign * b.tokens,
  requests: a.requests + sign * b.requests,
  modelMs: a.modelMs + sign * b.modelMs,
})

const counted = (value: number): string => value.toLocaleString('en-US')
const minutes = (ms: number): string => `${counted(Math.round(ms / 6_000) / 10)} min`

/** An amount of one unit, for a person. */
export const showAmount = (unit: Unit, value: number): string => (unit === 'microUsd' ? formatUsd(value) : unit === 'modelMs' ? minutes(value) : counted(value))

export const capName = (unit: Unit, cap: number): string =>
  ({ microUsd: `${formatUsd(cap)} spend cap`, tokens: `cap of ${counted(cap)} tokens`, requests: `cap of ${counted(cap)} model requests`, modelMs: `cap of ${minutes(cap)} of model time` })[unit]

export const isCapped = (caps: Caps): boolean => UNITS.some((unit) => (caps[unit] ?? null) !== null)

export const createTotal = (charged: Amount = NOTHING): Total => ({ charged, inFlight: NOTHING, change: Promise.withResolvers() })

/** Tells those that wait for room. */
export const announce = (total: Total): void => {
  total.change.resolve()
  total.change = Promise.withResolvers()
}

/** `warnAt` is the share of a cap at which a person is warned. */
export const createAccount = (params: { whose: string; caps: Caps; total?: Total; warnAt?: number }): Account => {
  const { whose, total = createTotal(), warnAt = 0.8 } = params
  let { caps } = params
  const warned = new Set<Unit>()
  return {
    whose,
    total,
    caps: () => caps,
    setCaps: (value) => {
      caps = value
      warned.clear()
      announce(total)
    },
    nearCap: () => {
      const { charged } = total
      const unit = UNITS.find((one) => !warned.has(one) && (caps[one] ?? null) !== null && charged[one] >= warnAt * (caps[one] ?? 0))
      if (unit === undefined) return null
      warned.add(unit)
      return `${showAmount(unit, charged[unit])} of ${whose} ${capName(unit, caps[unit] ?? 0)} is used.`
    },
  }
}

/** The cap after a raise: twice as much, or what is needed if that is more, in whole cents. */
export const raisedCap = ({ unit, cap, held, need }: CapInTheWay): number => {
  const wanted = Math.max(2 * cap, held + need)
  return unit === 'microUsd' ? Math.ceil(wanted / 10_000) * 10_000 : wanted
}

/** The first cap that `need` would pass on top of what is charged, or else used, of a total; null when it fits. */
export const capInTheWay = (accounts: readonly Account[], need: Amount, usedOf = (total: Total): Amount => total.charged): CapInTheWay | null => {
  for (const account of accounts) {
    const caps = account.caps()
    const held = usedOf(account.total)
    for (const unit of UNITS) {
      const cap = caps[unit] ?? null
      // How long a request will take is not known before: time is over once it is used up.
      const isOver = cap !== null && (unit === 'modelMs' ? held[unit] >= cap : held[unit] + need[unit] > cap)
      if (isOver) return { account, unit, cap, held: held[unit], need: need[unit] }
    }
  }
  return null
}

const NEEDS: Readonly<Record<Unit, (need: string) => string>> = {
  microUsd: (need) => `the next model request could cost up to ${need}`,
  tokens: (need) => `the next model request could use up to ${need} tokens`,
  requests: () => 'the next model request is one too many',
  modelMs: () => 'the time for model requests is used up',
}

/** A sentence for the agent and its person. */
export const describeCap = ({ account, unit, cap, held, need }: CapInTheWay, billing: Billing | null): string => {
  const equivalent = unit === 'microUsd' && billing === 'subscription' ? ' (API equivalent)' : ''
  const left = showAmount(unit, Math.max(0, cap - held))
  const verb = unit === 'microUsd' || unit === 'modelMs' ? 'is' : 'are'
  return `Holdfast stopped here: ${NEEDS[unit](showAmount(unit, need))}${equivalent}, and ${left} of ${account.whose} ${capName(unit, cap)} ${verb} left. Raise the cap to go on.`
}
