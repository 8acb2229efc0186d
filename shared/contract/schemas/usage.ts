import { z } from 'zod'

const count = z.number().int().nonnegative()

/** Tokens of model requests, by how a provider bills them. `input` excludes what was read from or written to a cache. */
export const Tokens = z.object({
  input: count,
  output: count,
  cacheRead: count,
  cacheWrite5m: count,
  cacheWrite1h: count,
})
export type Tokens = z.infer<typeof Tokens>

export const NO_TOKENS: Tokens = { input: 0, output: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 }

/** How the model is paid: a metered key, or the agent's own subscription, where dollars are the API equivalent. */
export const Billing = z.enum(['api-key', 'subscription'])
export type Billing = z.infer<typeof Billing>

export const ModelUsage = z.object({
  model: z.string(),
  requests: count,
  tokens: Tokens,
  /** Integer micro-dollars; null where the model's price is unknown, never 0 for it. */
  costMicroUsd: count.nullable(),
})
export type ModelUsage = z.infer<typeof ModelUsage>

export const Usage = z.object({
  billing: Billing.nullable(),
  byModel: z.array(ModelUsage),
  tokens: Tokens,
  requests: count,
  /** Sum over the models whose price is known. */
  costMicroUsd: count,
  /** True when a request went to a model without a known price, so that costMicroUsd is a floor. */
  hasUnknownPrice: z.boolean(),
  capMicroUsd: count.nullable(),
})
export type Usage = z.infer<typeof Usage>
