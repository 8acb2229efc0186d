import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NO_TOKENS, type Tokens } from '../../shared/contract/schemas/usage.ts'
import { type Caps, createAccount } from '../../shared/domain/budget-account.ts'
import { createBudgetMeter, type RequestEnd, type Reservation } from '../../shared/domain/budget-meter.ts'
import { createMessageUsageReader, type MessageUsage } from '../../shared/domain/message-usage.ts'
import { PRICE_TABLE } from '../../shared/domain/price-table.ts'
import type { RequestBound } from '../../shared/domain/request-bound.ts'
import { cut, jsonOf } from '../support/stream.ts'

const MODEL = 'claude-opus-5-5'
const NO_CAPS: Caps = { microUsd: null, tokens: null }
const meterWith = (caps: Partial<Caps>) =>
  createBudgetMeter({ caps: { ...NO_CAPS, ...caps }, priceTable: PRICE_TABLE })

/** 100 input and 100 output tokens: at most 400 + 2,000 micro-dollars. */
const BOUND: RequestBound = {
  model: MODEL,
  tokens: { input: 100, output: 100 },
  microUsd: { input: 400, output: 2000 },
}
const WHOLE: RequestEnd = { kind: 'whole' }

const message = (messageId: string | null, tokens: Partial<Tokens>, model = MODEL): MessageUsage => ({
  messageId,
  model,
  parts: [{ model, tokens: { ...NO_TOKENS, ...tokens } }],
  terms: { webSearches: 0, standard: true, usOnly: false },
  stopReason: 'end_turn',
})

const reserve = (meter: ReturnType<typeof meterWith>, bound = BOUND): Reservation => {
  const result = meter.reserve(bound)
  if (result.kind !== 'reserved') throw new Error(`not reserved but ${result.kind}`)
  return result.reservation
}

test('usage adds up by model, and an unknown price is unknown and not 0', () => {
  const meter = meterWith({})
  meter.setBilling('subscription')
  for (const seen of [
    message('a', { input: 10, output: 1 }),
    message('b', { output: 2 }),
    message('c', { input: 7 }, 'mystery'),
  ]) {
    const hold = reserve(meter)
    hold.observe(seen)
    hold.settle(WHOLE)
  }
  expect(meter.usage()).toEqual({
    billing: 'subscription',
    byModel: [
      { model: MODEL, requests: 2, tokens: { ...NO_TOKENS, input: 10, output: 3 }, costMicroUsd: 100 },
      { model: 'mystery', requests: 1, tokens: { ...NO_TOKENS, input: 7 }, costMicroUsd: null },
    ],
    tokens: { ...NO_TOKENS, input: 17, output: 3 },
    requests: 3,
    costMicroUsd: 100,
    hasUnknownPrice: true,
    capMicroUsd: null,
  })
})

test('a message seen twice counts once, as it was last', () => {
  const meter = meterWith({})
  for (const output of [5, 9]) {
    const hold = reserve(meter)
    hold.observe(message('same', { output: 1 }))
    hold.observe(message('same', { output }))
    hold.settle(WHOLE)
  }
  expect(meter.usage()).toMatchObject({ requests: 1, tokens: { output: 9 }, costMicroUsd: 180 })
})

test('a message named once more counts under the model that it names last, also where many messages lie between', () => {
  const meter = meterWith({})
  const early = message('early', { output: 1 })
  reserve(meter).observe(early)
  for (let index = 0; index < 12_000; index += 1) {
    const hold = reserve(meter)
    hold.observe(message(`m${index}`, { output: 2 }))
    hold.settle(WHOLE)
  }
  expect(meter.usage()).toMatchObject({ requests: 12_001, tokens: { output: 24_001 }, costMicroUsd: 480_020 })
  const last = reserve(meter)
  last.observe({ ...message('m11999', { output: 5 }), model: 'no-such-model', parts: [{ model: 'no-such-model', tokens: { ...NO_TOKENS, output: 5 } }] })
  expect(meter.usage().byModel).toEqual([
    { model: MODEL, requests: 12_000, tokens: { ...NO_TOKENS, output: 23_999 }, costMicroUsd: 479_980 },
    { model: 'no-such-model', requests: 1, tokens: { ...NO_TOKENS, output: 5 }, costMicroUsd: null },
  ])
})

test('an advisor’s share counts under its own model and not as a request', () => {
  const meter = meterWith({})
  const advisor = { model: 'claude-fable-5-2', tokens: { ...NO_TOKENS, output: 10 } }
  const own = message('a', { output: 1 })
  reserve(meter).observe({ ...own, parts: [...own.parts, advisor] })
  expect(meter.usage().byModel).toMatchObject([
    { model: 'claude-fable-5-2', requests: 0, costMicroUsd: 400 },
    { model: MODEL, requests: 1, costMicroUsd: 20 },
  ])
})

test('what does not fit under the spend cap is refused in a sentence with the figures', () => {
  const meter = meterWith({ microUsd: 3000 })
  const hold = reserve(meter)
  hold.observe(message('a', { output: 50 }))
  hold.settle(WHOLE)
  expect(meter.reserve(BOUND)).toMatchObject({
    kind: 'refused',
    message:
      "Holdfast stopped here: the next model request could cost up to $0.0024, and $0.002 of this session's $0.003 " +
      'spend cap is left. Raise the cap to go on.',
  })
})

test('what would fit once others in flight are done waits for them', async () => {
  const meter = meterWith({ microUsd: 3000 })
  const hold = reserve(meter)
  const changed = meter.changed()
  expect(meter.reserve(BOUND)).toEqual({ kind: 'wait' })
  hold.observe(message('a', { output: 10 }))
  hold.settle(WHOLE)
  await changed
  expect(meter.reserve(BOUND).kind).toBe('reserved')
})

test('a raised cap lets the next request through, also one that waits', async () => {
  const meter = meterWith({ microUsd: 1000 })
  expect(meter.reserve(BOUND).kind).toBe('refused')
  const changed = meter.changed()
  meter.own.setCaps({ microUsd: 2400, tokens: null })
  await changed
  expect(meter.reserve(BOUND).kind).toBe('reserved')
  expect(meter.usage().capMicroUsd).toBe(2400)
})

test('caps on requests and on model time hold, each said in its own words', () => {
  const meter = meterWith({ requests: 2, modelMs: 60_000 })
  reserve(meter).settle(WHOLE, 59_000)
  const second = reserve(meter)
  expect(meter.reserve(BOUND).kind, 'one in flight counts').toBe('wait')
  second.settle(WHOLE, 1_500)
  expect(meter.reserve(BOUND)).toMatchObject({ kind: 'refused', message: expect.stringContaining("the next model request is one too many, and 0 of this session's cap of 2 model requests are left") })
  meter.own.setCaps({ ...NO_CAPS, modelMs: 60_000 })
  expect(meter.reserve(BOUND)).toMatchObject({ kind: 'refused', message: expect.stringContaining('the time for model requests is used up, and 0 min of') })
})

test('sessions that share an account together keep under its cap, and wait for each other', async () => {
  const shared = createAccount({ whose: "agent frontend's daily", caps: { microUsd: 5_000, tokens: null } })
  const [one, other] = [0, 1].map(() => createBudgetMeter({ caps: NO_CAPS, priceTable: PRICE_TABLE, shared: () => [shared] }))
  if (one === undefined || other === undefined) throw new Error('no meters')
  const holds = [reserve(one), reserve(other)]
  expect(one.reserve(BOUND)).toEqual({ kind: 'wait' })
  const changed = one.changed()
  for (const [index, hold] of holds.entries()) {
    hold.observe(message(`m${index}`, { input: 100, output: 80 }))
    hold.settle(WHOLE)
  }
  await changed
  expect(shared.total.charged.microUsd).toBe(4_000)
  expect(other.reserve(BOUND)).toMatchObject({ kind: 'refused', message: expect.stringContaining("$0.001 of agent frontend's daily $0.005 spend cap is left") })
  expect(one.usage().costMicroUsd + other.usage().costMicroUsd).toBe(4_000)
})

test('a person is warned once when a cap is nearly used up, and again when it was raised and is again', () => {
  const meter = createBudgetMeter({ caps: { microUsd: 5_000, tokens: null }, priceTable: PRICE_TABLE, warnAt: 0.5 })
  const spend = (id: string) => {
    const hold = reserve(meter)
    hold.observe(message(id, { output: 100 }))
    hold.settle(WHOLE)
    return meter.warnings()
  }
  expect(spend('a')).toEqual([])
  expect(spend('b')).toEqual(["$0.004 of this session's $0.005 spend cap is used."])
  meter.own.setCaps({ microUsd: 10_000, tokens: null })
  expect([meter.warnings(), spend('c')]).toEqual([[], ["$0.006 of this session's $0.01 spend cap is used."]])
})

test('the token cap holds without any price', () => {
  const meter = meterWith({ tokens: 399 })
  const mystery = { ...BOUND, model: 'mystery', microUsd: null }
  const hold = reserve(meter, mystery)
  hold.observe(message('a', { input: 100, output: 100 }, 'mystery'))
  hold.settle(WHOLE)
  expect(meter.reserve(mystery)).toMatchObject({
    kind: 'refused',
    message: expect.stringContaining('up to 200 tokens, and 199'),
  })
})

test('under a spend cap a model without a price is refused, without one it passes', () => {
  const mystery = { ...BOUND, model: 'mystery', microUsd: null }
  expect(meterWith({ microUsd: 1e9 }).reserve(mystery)).toMatchObject({
    kind: 'refused',
    message: expect.stringContaining('no price for what is asked of the model mystery'),
  })
  expect(meterWith({}).reserve(mystery).kind).toBe('reserved')
})

test('a request without a bound passes only where there is no cap', () => {
  const bound = { unbounded: 'it sets no max_tokens' }
  expect(meterWith({ tokens: 1e9 }).reserve(bound)).toMatchObject({
    kind: 'unbounded',
    message: expect.stringContaining('max_tokens'),
  })
  expect(meterWith({}).reserve(bound).kind).toBe('reserved')
})

const roomLeft = (meter: ReturnType<typeof meterWith>): number => {
  let left = 0
  for (let step = 4096; step >= 1; step /= 2) {
    if (meter.reserve({ ...BOUND, microUsd: { input: left + step, output: 0 } }).kind !== 'refused')
      left += step
  }
  return left
}

test.each<[string, MessageUsage | null, RequestEnd, number]>([
  ['refused by the provider', null, { kind: 'free' }, 0],
  ['whole', message('a', { input: 100, output: 10 }), WHOLE, 600],
  ['whole, but unreadable', null, WHOLE, 2400],
  ['whole, at an unknown price', message('a', { output: 10 }, 'mystery'), WHOLE, 2400],
  ['broken before it began', null, { kind: 'cut', answerBytes: 0 }, 400],
  [
    'broken after 30 bytes',
    message('a', { input: 100, output: 1 }),
    { kind: 'cut', answerBytes: 30 },
    420 + 600,
  ],
  [
    'broken after very many bytes',
    message('a', { input: 100, output: 1 }),
    { kind: 'cut', answerBytes: 1e9 },
    2400,
  ],
])('what a finished request takes from the cap: %s', (_, seen, end, taken) => {
  const meter = meterWith({ microUsd: 5000 })
  const hold = reserve(meter)
  if (seen !== null) hold.observe(seen)
  hold.settle(end)
  hold.settle({ kind: 'free' })
  expect(5000 - roomLeft(meter)).toBe(taken)
})

/** Picodollars per token, from the vendor's price page by hand: not from the table under test. */
const ORACLE_PRICE: Record<string, Tokens> = {
  'claude-opus-5-5': {
    input: 4_000_000,
    output: 20_000_000,
    cacheRead: 200_000,
    cacheWrite5m: 5_000_000,
    cacheWrite1h: 8_000_000,
  },
  'claude-haiku-4-5': {
    input: 1_000_000,
    output: 5_000_000,
    cacheRead: 100_000,
    cacheWrite5m: 1_250_000,
    cacheWrite1h: 2_000_000,
  },
  'claude-sonnet-5-5': {
    input: 2_000_000,
    output: 10_000_000,
    cacheRead: 100_000,
    cacheWrite5m: 2_500_000,
    cacheWrite1h: 4_000_000,
  },
}
const KINDS = ['input', 'output', 'cacheRead', 'cacheWrite5m', 'cacheWrite1h'] as const

const oracleCost = (model: string, tokens: Tokens): number => {
  const price = ORACLE_PRICE[model]
  if (price === undefined) throw new Error(model)
  const pico = KINDS.map((kind) => tokens[kind] * price[kind]).reduce((a, b) => a + b)
  return Math.ceil(pico / 1e6)
}

const tokenCount = fc.nat(100_000)
const arbitraryRequest = fc.record({
  id: fc.integer({ min: 1, max: 6 }),
  model: fc.constantFrom(...Object.keys(ORACLE_PRICE)),
  tokens: fc.record({
    input: tokenCount,
    output: tokenCount,
    cacheRead: tokenCount,
    cacheWrite5m: tokenCount,
    cacheWrite1h: tokenCount,
  }),
  partials: fc.array(tokenCount, { maxLength: 3 }),
  /** How many events come before the stream breaks. */
  events: fc.integer({ min: 0, max: 8 }),
  crlf: fc.boolean(),
  chunk: fc.integer({ min: 1, max: 90 }),
})

test('usage and cost equal an independent count over streams with duplicates, retries, breaks and odd cuts', () => {
  fc.assert(
    fc.property(fc.array(arbitraryRequest, { maxLength: 12 }), (requests) => {
      const meter = meterWith({})
      const last = new Map<number, { model: string; tokens: Tokens }>()
      for (const { id, model, tokens, partials, events, crlf, chunk } of requests) {
        const usage = {
          input_tokens: tokens.input,
          output_tokens: 1,
          cache_read_input_tokens: tokens.cacheRead,
          cache_creation_input_tokens: tokens.cacheWrite5m + tokens.cacheWrite1h,
          cache_creation: {
            ephemeral_5m_input_tokens: tokens.cacheWrite5m,
            ephemeral_1h_input_tokens: tokens.cacheWrite1h,
          },
        }
        const outputs = [1, ...partials, tokens.output]
        const all = [
          { type: 'message_start', message: { type: 'message', id: `msg_${id}`, model, usage } },
          ...[...partials, tokens.output].map((output_tokens) => ({
            type: 'message_delta',
            delta: {},
            usage: { output_tokens },
          })),
        ]
        const end = crlf ? '\r\n' : '\n'
        const bytes = Buffer.from(
          all
            .slice(0, events)
            .map((data) => `data: ${JSON.stringify(data)}${end}${end}`)
            .join(''),
        )
        const hold = reserve(meter)
        const reader = createMessageUsageReader({
          requestModel: model,
          onUsage: (seen) => void hold.observe(seen),
        })
        jsonOf(cut(bytes, [chunk])).forEach(reader.read)
        hold.settle(WHOLE)
        const seen = Math.min(events, all.length)
        if (seen > 0) last.set(id, { model, tokens: { ...tokens, output: outputs[seen - 1] ?? 0 } })
      }
      const messages = [...last.values()]
      const usage = meter.usage()
      expect(usage.requests).toBe(messages.length)
      for (const kind of KINDS)
        expect(usage.tokens[kind]).toBe(messages.reduce((sum, { tokens }) => sum + tokens[kind], 0))
      expect(usage.costMicroUsd).toBe(
        messages.reduce((sum, { model, tokens }) => sum + oracleCost(model, tokens), 0),
      )
    }),
    { numRuns: 300 },
  )
})

test('however many requests run at once and however they end, the cap is never passed', () => {
  const arbitrary = fc.array(
    fc.record({
      input: fc.nat(100),
      output: fc.nat(100),
      finish: fc.nat(7),
      end: fc.constantFrom<RequestEnd>(WHOLE, { kind: 'cut', answerBytes: 50 }),
    }),
    { maxLength: 60 },
  )
  fc.assert(
    fc.property(arbitrary, fc.integer({ min: 0, max: 20_000 }), (steps, cap) => {
      const meter = meterWith({ microUsd: cap })
      const flying: { hold: Reservation; run: () => void }[] = []
      for (const [index, { input, output, finish, end }] of steps.entries()) {
        const result = meter.reserve(BOUND)
        if (result.kind === 'reserved') {
          const { reservation: hold } = result
          flying.push({
            hold,
            run: () => (hold.observe(message(`m${index}`, { input, output })), hold.settle(end)),
          })
        }
        flying.splice(finish, 1)[0]?.run()
      }
      for (const { run } of flying) run()
      expect(meter.usage().costMicroUsd).toBeLessThanOrEqual(cap)
    }),
    { numRuns: 300 },
  )
})
