import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Account, createAccount } from '../../shared/domain/budget-account.ts'
import { createWaitingLine } from '../../shared/domain/budget-line.ts'
import { type BudgetMeter, createBudgetMeter, type Reservation } from '../../shared/domain/budget-meter.ts'
import { PRICE_TABLE } from '../../shared/domain/price-table.ts'
import type { RequestBound } from '../../shared/domain/request-bound.ts'

const NO_CAPS = { microUsd: null, tokens: null }
const boundOf = (tokens: number): RequestBound => ({ model: 'm', tokens: { input: tokens, output: 0 }, microUsd: null })

/** Sessions that share one cap in tokens, with requests that wait as they do at the gateway. */
const createWorld = (tokens: number) => {
  const shared = createAccount({ whose: "all sessions' daily", caps: { microUsd: null, tokens } })
  const line = createWaitingLine()
  const served: string[] = []
  const holds = new Map<string, Reservation>()
  const gone = new Map<string, { left: boolean; wake: () => void; request: object; meter: BudgetMeter }>()
  const session = (own: number | null = null): BudgetMeter => createBudgetMeter({ caps: { ...NO_CAPS, tokens: own }, priceTable: PRICE_TABLE, shared: () => [shared], line })
  const ask = async (meter: BudgetMeter, name: string, need: number): Promise<void> => {
    const request = {}
    const leaving = Promise.withResolvers<void>()
    const mine = { left: false, wake: leaving.resolve, request, meter }
    gone.set(name, mine)
    while (!mine.left) {
      const result = meter.reserve(boundOf(need), request)
      if (result.kind === 'reserved') {
        served.push(name)
        holds.set(name, result.reservation)
        return
      }
      if (result.kind !== 'wait') return void served.push(`${name} ${result.kind}`)
      await Promise.race([meter.changed(), leaving.promise])
    }
  }
  /** Until nobody who could go on stands still. */
  const settled = () => new Promise<void>((resolve) => setImmediate(resolve))
  return {
    shared,
    served,
    session,
    ask: (meter: BudgetMeter, name: string, need: number): void => void ask(meter, name, need),
    end: async (name: string): Promise<void> => {
      holds.get(name)?.settle({ kind: 'free' })
      holds.delete(name)
      await settled()
    },
    leave: async (name: string): Promise<void> => {
      const one = gone.get(name)
      if (one === undefined) return
      one.left = true
      one.meter.leave(one.request)
      one.wake()
      await settled()
    },
    holding: (): readonly string[] => [...holds.keys()],
    settled,
  }
}

describe('requests of several sessions that wait for room under a cap they share', () => {
  it('are served in the order in which they came', async () => {
    const world = createWorld(100)
    const [a, b, c] = [world.session(), world.session(), world.session()]
    world.ask(a, 'a', 100)
    world.ask(b, 'b', 60)
    world.ask(c, 'c', 60)
    world.ask(a, 'a2', 60)
    for (const name of ['a', 'b', 'c']) await world.end(name)
    expect(world.served).toEqual(['a', 'b', 'c', 'a2'])
  })

  it('go on no sooner for being small: whoever waits for more is not passed for ever', async () => {
    const world = createWorld(100)
    const [greedy, other] = [world.session(), world.session()]
    for (const name of ['1', '2', '3']) world.ask(greedy, name, 30)
    world.ask(other, 'large', 90)
    world.ask(greedy, '4', 20)
    for (const name of ['1', '2']) await world.end(name)
    expect(world.served).toEqual(['1', '2', '3'])
    await world.end('3')
    expect(world.served).toEqual(['1', '2', '3', 'large'])
    await world.end('large')
    expect(world.served).toEqual(['1', '2', '3', 'large', '4'])
  })

  it('are served session by session in turn: a hundred of one do not keep the one of another waiting', async () => {
    const world = createWorld(10)
    const [many, few] = [world.session(), world.session()]
    world.ask(many, 'first', 10)
    for (let index = 0; index < 100; index += 1) world.ask(many, `many ${index}`, 10)
    world.ask(few, 'few 0', 10)
    world.ask(few, 'few 1', 10)
    for (const name of ['first', 'many 0', 'few 0', 'many 1', 'few 1']) await world.end(name)
    expect(world.served).toEqual(['first', 'many 0', 'few 0', 'many 1', 'few 1', 'many 2'])
  })

  it('do not wait for one that its own cap holds back, however long that takes', async () => {
    const world = createWorld(100)
    const [bounded, free] = [world.session(50), world.session()]
    world.ask(bounded, 'held by a person', 50)
    world.ask(bounded, 'stuck', 50)
    world.ask(free, 'free', 50)
    expect(world.served).toEqual(['held by a person', 'free'])
    for (const name of ['held by a person', 'free']) await world.end(name)
    expect(world.served).toEqual(['held by a person', 'free', 'stuck'])
  })

  it('go on when the one before them leaves, or can never have its turn', async () => {
    const world = createWorld(100)
    const [a, b] = [world.session(), world.session()]
    world.ask(a, 'a', 50)
    world.ask(a, 'large', 90)
    world.ask(b, 'b', 50)
    expect(world.served).toEqual(['a'])
    await world.leave('large')
    expect(world.served).toEqual(['a', 'b'])
    world.ask(a, 'larger', 100)
    world.ask(b, 'b2', 40)
    world.shared.setCaps({ microUsd: null, tokens: 90 })
    await world.settled()
    expect(world.served).toEqual(['a', 'b', 'larger refused'])
    await world.end('a')
    expect(world.served).toEqual(['a', 'b', 'larger refused', 'b2'])
  })

  it('never pass the cap together, and all have their turn, whatever they need and whenever they end or leave', async () => {
    const step = fc.record({ who: fc.nat(3), need: fc.integer({ min: 1, max: 100 }), next: fc.constantFrom('ask', 'ask', 'end', 'leave') })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const world = createWorld(100)
        const sessions = [world.session(), world.session(60), world.session(), world.session(40)]
        const left = new Set<string>()
        const held = (account: Account): number => account.total.charged.tokens + account.total.inFlight.tokens
        for (const [index, { who, need, next }] of steps.entries()) {
          const meter = sessions[who]
          if (meter === undefined) throw new Error('no session')
          const name = String(index)
          world.ask(meter, name, need)
          if (next === 'end') await world.end(world.holding()[0] ?? '')
          if (next === 'leave' && !world.served.some((one) => one.startsWith(name))) {
            left.add(name)
            await world.leave(name)
          }
          for (const account of [world.shared, ...sessions.map(({ own }) => own)]) expect(held(account)).toBeLessThanOrEqual(account.caps().tokens ?? Infinity)
        }
        for (let [first] = world.holding(); first !== undefined; [first] = world.holding()) await world.end(first)
        const told = new Set(world.served.map((one) => one.split(' ')[0]))
        expect(steps.map((_, index) => String(index)).filter((name) => !told.has(name) && !left.has(name))).toEqual([])
      }),
      { numRuns: 200 },
    )
  })
})
