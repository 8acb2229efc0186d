import type { OwnPrice } from '../contract/schemas/profile.ts'
import type { Tokens } from '../contract/schemas/usage.ts'

/** US dollars per million tokens, by kind. */
export type TokenPrice = Readonly<Record<keyof Tokens, number>>

export interface ModelPrice extends TokenPrice {
  /** Holds for the whole request once its input, cache reads and writes included, is above `aboveInputTokens`. */
  readonly longPrompt?: TokenPrice & { readonly aboveInputTokens: number }
  /** US dollars per web search; null where the model has none. */
  readonly webSearch: number | null
  /** Key of `PriceTable.sources`, or OWN_PRICE. */
  readonly source: string
}

export interface PriceTable {
  readonly sources: Readonly<Record<string, { package: string; version: string; publishedAt: string }>>
  readonly models: Readonly<Record<string, ModelPrice>>
  readonly aliases: Readonly<Record<string, string>>
}

/** The source of a price that the user gave. */
export const OWN_PRICE = 'own'

/** The table with the user's own prices in the place of its, by exact id; dated snapshots of a model have its price. */
export const withOwnPrices = (table: PriceTable, own: Readonly<Record<string, OwnPrice>>): PriceTable => ({
  ...table,
  models: {
    ...table.models,
    ...Object.fromEntries(
      Object.entries(own).map(([model, { input, output, cacheRead = input, cacheWrite5m = input, cacheWrite1h = input, webSearch = null }]) => [
        model,
        { input, output, cacheRead, cacheWrite5m, cacheWrite1h, webSearch, source: OWN_PRICE },
      ]),
    ),
  },
})

/** Where the price of a model comes from, for a person; null where it has none. */
export const priceSource = (table: PriceTable, model: string): string | null => {
  const found = findPrice(table, model)
  if (found?.source === OWN_PRICE) return 'your price'
  const source = table.sources[found?.source ?? '']
  return source === undefined ? null : `${source.package}@${source.version} (${source.publishedAt})`
}

/** Some billed tokens of one message, all of one model. */
export interface UsagePart {
  readonly model: string
  readonly tokens: Tokens
}

/** What changes a price beside the model. */
export interface PriceTerms {
  readonly webSearches: number
  /** `usage.speed` and `usage.service_tier`: anything but standard has a price that the table does not carry. */
  readonly standard: boolean
  /** `usage.inference_geo` is `us`. */
  readonly usOnly: boolean
}

/** Inference kept in the United States costs 1.1 times the price (platform.claude.com, "Data residency"). */
const US_ONLY = { numerator: 11n, denominator: 10n }

const PICO_PER_MICRO = 1_000_000n
const DATE_SUFFIX = /-(?:20\d{6}|latest)$/

const own = <Value>(record: Readonly<Record<string, Value>>, key: string): Value | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined

/**
 * The price of a model by its exact id, else of the model that the id is a dated snapshot (`-20251001`), `-latest`
 * or a listed alias of. null for every other id: a price is never taken from a neighbour.
 */
export const findPrice = (table: PriceTable, model: string): ModelPrice | null => {
  const base = model.replace(DATE_SUFFIX, '')
  return (
    own(table.models, model) ??
    own(table.models, base) ??
    own(table.models, own(table.aliases, base) ?? '') ??
    null
  )
}

/** Everything a request put in: what long-prompt prices go by. */
export const totalInput = (tokens: Tokens): number =>
  tokens.input + tokens.cacheRead + tokens.cacheWrite5m + tokens.cacheWrite1h

export const totalTokens = (tokens: Tokens): number => totalInput(tokens) + tokens.output

export const addTokens = (a: Tokens, b: Tokens, sign: 1 | -1 = 1): Tokens => ({
  input: a.input + sign * b.input,
  output: a.output + sign * b.output,
  cacheRead: a.cacheRead + sign * b.cacheRead,
  cacheWrite5m: a.cacheWrite5m + sign * b.cacheWrite5m,
  cacheWrite1h: a.cacheWrite1h + sign * b.cacheWrite1h,
})

/** A dollar per million tokens is a million picodollars per token, which is whole for every published price. */
const picoPerToken = (usdPerMillion: number): bigint => BigInt(Math.round(usdPerMillion * 1e6))

/**
 * What tokens of one model in one message cost, in whole micro-dollars, a fraction rounded up, so that a sum of them
 * is never below the bill. null where the price is unknown.
 */
export const costMicroUsd = (
  table: PriceTable,
  { model, tokens }: UsagePart,
  terms: PriceTerms,
): number | null => {
  const found = findPrice(table, model)
  if (found === null || !terms.standard || (terms.webSearches > 0 && found.webSearch === null)) return null
  const price =
    found.longPrompt !== undefined && totalInput(tokens) > found.longPrompt.aboveInputTokens
      ? found.longPrompt
      : found
  let pico =
    BigInt(tokens.input) * picoPerToken(price.input) +
    BigInt(tokens.output) * picoPerToken(price.output) +
    BigInt(tokens.cacheRead) * picoPerToken(price.cacheRead) +
    BigInt(tokens.cacheWrite5m) * picoPerToken(price.cacheWrite5m) +
    BigInt(tokens.cacheWrite1h) * picoPerToken(price.cacheWrite1h)
  if (terms.usOnly) pico = (pico * US_ONLY.numerator + US_ONLY.denominator - 1n) / US_ONLY.denominator
  pico += BigInt(terms.webSearches) * picoPerToken((found.webSearch ?? 0) * 1e6)
  return Number((pico + PICO_PER_MICRO - 1n) / PICO_PER_MICRO)
}
