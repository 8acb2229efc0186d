import { expect, test } from 'vitest'
import { NO_TOKENS } from '../../shared/contract/schemas/usage.ts'
import { costMicroUsd, findPrice, priceSource, type PriceTable, withOwnPrices } from '../../shared/domain/price.ts'
import { PRICE_TABLE } from '../../shared/domain/price-table.ts'

const STANDARD = { webSearches: 0, standard: true, usOnly: false }
const cost = (model: string, tokens: Partial<typeof NO_TOKENS>, terms: Partial<typeof STANDARD> = {}) =>
  costMicroUsd(PRICE_TABLE, { model, tokens: { ...NO_TOKENS, ...tokens } }, { ...STANDARD, ...terms })

test('a million tokens of each kind cost what the price list says', () => {
  expect(cost('claude-opus-5-5', { input: 1e6 })).toBe(4_000_000)
  expect(cost('claude-opus-5-5', { output: 1e6 })).toBe(20_000_000)
  expect(cost('claude-opus-5-5', { cacheRead: 1e6 })).toBe(200_000)
  expect(cost('claude-opus-5-5', { cacheWrite5m: 1e6 })).toBe(5_000_000)
  expect(cost('claude-opus-5-5', { cacheWrite1h: 1e6 })).toBe(8_000_000)
})

test('kinds add up exactly, and a fraction of a micro-dollar is rounded up', () => {
  expect(cost('claude-opus-5-5', { input: 4, output: 20, cacheWrite5m: 11_838 })).toBe(59_606)
  expect(cost('claude-opus-5-5', { input: 4, output: 9, cacheRead: 11_838, cacheWrite5m: 114 })).toBe(3_134)
  expect(cost('claude-haiku-5-5', { cacheRead: 1 })).toBe(1)
  expect(cost('claude-haiku-5-5', {})).toBe(0)
})

test("the user's own price stands in the place of the table's, also for dated snapshots, and says so", () => {
  const table = withOwnPrices(PRICE_TABLE, { 'claude-opus-5-5': { input: 3.6, output: 18, cacheRead: 0.000001 }, 'local-model': { input: 0, output: 0.25 } })
  const own = (model: string, tokens: Partial<typeof NO_TOKENS>, terms = STANDARD) => costMicroUsd(table, { model, tokens: { ...NO_TOKENS, ...tokens } }, terms)
  expect(own('claude-opus-5-5', { input: 1e6, output: 1e6 })).toBe(21_600_000)
  expect(own('claude-opus-5-5-20261101', { cacheRead: 1e6, cacheWrite1h: 1e6 })).toBe(3_600_001)
  expect(own('local-model', { input: 1e6, output: 1e6 })).toBe(250_000)
  expect(own('local-model', {}, { ...STANDARD, webSearches: 1 })).toBe(null)
  expect(own('local-model-2', { input: 1 })).toBe(null)
  expect(own('claude-sonnet-5-5', { input: 1e6 })).toBe(2_000_000)
  expect([priceSource(table, 'claude-opus-5-5'), priceSource(table, 'local-model'), priceSource(table, 'local-model-2')]).toEqual(['your price', 'your price', null])
  expect(priceSource(table, 'claude-sonnet-5-5')).toMatch(/^@anthropic-ai\/claude-code-linux-x64@/)
})

test('an unknown model has an unknown price, however close its name', () => {
  for (const model of [
    'claude-sonnet-5-6',
    'claude-sonnet',
    'claude-opus-5-55',
    'gpt-4o-2024-05-13',
    '',
    'constructor',
    '__proto__',
  ]) {
    expect(cost(model, { input: 1 }), model).toBeNull()
  }
})

test('a dated snapshot, a -latest name and a listed alias have the price of their model', () => {
  const haiku = PRICE_TABLE.models['claude-haiku-4-5']
  expect(findPrice(PRICE_TABLE, 'claude-haiku-4-5-20251001')).toBe(haiku)
  expect(findPrice(PRICE_TABLE, 'claude-haiku-4-5-latest')).toBe(haiku)
  expect(findPrice(PRICE_TABLE, 'claude-opus-4-20250514')).toBe(PRICE_TABLE.models['claude-opus-4-0'])
  expect(findPrice(PRICE_TABLE, 'claude-haiku-4-5-2025')).toBeNull()
})

test('a neighbour’s price is never used: Sonnet 5.5 reads its cache at half of Sonnet 5', () => {
  expect(cost('claude-sonnet-5', { cacheRead: 1e6 })).toBe(200_000)
  expect(cost('claude-sonnet-5-5', { cacheRead: 1e6 })).toBe(100_000)
})

test('above the long-prompt limit, cached input included, the whole request has the long price', () => {
  expect(cost('claude-haiku-5-5', { input: 50_000, cacheRead: 50_000, output: 1000 })).toBe(5_000 + 500 + 500)
  expect(cost('claude-haiku-5-5', { input: 50_001, cacheRead: 50_000, output: 1000 })).toBe(
    25_001 + 2_500 + 2_500,
  )
})

test('web searches cost a cent each, and are unknown where the model has none', () => {
  expect(cost('claude-opus-5-5', { input: 100 }, { webSearches: 3 })).toBe(30_400)
  expect(cost('claude-3-opus', { input: 100 }, { webSearches: 1 })).toBeNull()
})

test('inference kept in the United States costs a tenth more, searches do not', () => {
  expect(cost('claude-opus-5-5', { input: 1000 }, { usOnly: true, webSearches: 1 })).toBe(4_400 + 10_000)
})

test('fast and priority requests have a price that is not known', () => {
  expect(cost('claude-opus-5-5', { input: 1000 }, { standard: false })).toBeNull()
})

test('sums stay exact beyond what a double holds', () => {
  const table: PriceTable = {
    sources: {},
    aliases: {},
    models: {
      m: {
        input: 75.000001,
        output: 0,
        cacheRead: 0,
        cacheWrite5m: 0,
        cacheWrite1h: 0,
        webSearch: null,
        source: '',
      },
    },
  }
  expect(costMicroUsd(table, { model: 'm', tokens: { ...NO_TOKENS, input: 1e12 } }, STANDARD)).toBe(
    75_000_001_000_000,
  )
})

test('every price has a dated source and no kind of token without a price', () => {
  for (const [model, price] of Object.entries(PRICE_TABLE.models)) {
    expect(PRICE_TABLE.sources[price.source]?.publishedAt, model).toMatch(/^20\d\d-\d\d-\d\d$/)
    for (const kind of ['input', 'output', 'cacheRead', 'cacheWrite5m', 'cacheWrite1h'] as const) {
      expect(price[kind], `${model} ${kind}`).toBeGreaterThan(0)
    }
  }
})
