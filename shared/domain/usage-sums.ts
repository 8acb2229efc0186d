import { type ModelUsage, NO_TOKENS, type Tokens } from '../contract/schemas/usage.ts'
import { addTokens } from './price.ts'

/** What a message, or one model's share of it, came to; `microUsd` is null where the price is unknown. */
export interface MessageCost {
  readonly tokens: Tokens
  readonly microUsd: number | null
}

/** A message's cost, by the models that had a share in it. */
export interface MessageRecord {
  readonly model: string
  readonly byModel: ReadonlyMap<string, MessageCost>
  readonly total: MessageCost
}

/** Sums of what messages came to, by model, kept up as records of the same message are replaced. */
export interface UsageSums {
  add(record: MessageRecord): void
  /** Takes back what was added. */
  remove(record: MessageRecord): void
  byModel(): ModelUsage[]
  /** How many messages there are. */
  messages(): number
}

interface Sum {
  readonly tokens: Tokens
  readonly microUsd: number
  readonly requests: number
  readonly shares: number
  /** Shares without a price: with one of them the sum has none. */
  readonly unpriced: number
}
const NO_SUM: Sum = { tokens: NO_TOKENS, microUsd: 0, requests: 0, shares: 0, unpriced: 0 }

export const createUsageSums = (): UsageSums => {
  const sums = new Map<string, Sum>()
  let messages = 0

  const count = (record: MessageRecord, sign: 1 | -1): void => {
    messages += sign
    for (const [model, { tokens, microUsd }] of record.byModel) {
      const sum = sums.get(model) ?? NO_SUM
      const shares = sum.shares + sign
      if (shares === 0) sums.delete(model)
      else {
        sums.set(model, {
          tokens: addTokens(sum.tokens, tokens, sign),
          microUsd: sum.microUsd + sign * (microUsd ?? 0),
          requests: sum.requests + (model === record.model ? sign : 0),
          shares,
          unpriced: sum.unpriced + (microUsd === null ? sign : 0),
        })
      }
    }
  }

  return {
    add: (record) => count(record, 1),
    remove: (record) => count(record, -1),
    byModel: () =>
      [...sums]
        .map(([model, { requests, tokens, microUsd, unpriced }]) => ({ model, requests, tokens, costMicroUsd: unpriced > 0 ? null : microUsd }))
        .sort((a, b) => (a.model < b.model ? -1 : 1)),
    messages: () => messages,
  }
}
