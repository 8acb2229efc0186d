import { describe, expect, it } from 'vitest'
import { formatId, SessionId, ToolCallId } from '../../shared/contract/ids.ts'
import type { AtCap } from '../../shared/contract/schemas/profile.ts'
import { createCapKeeper } from '../../shared/core/budgets/cap-keeper.ts'
import { createSharedTotals } from '../../shared/core/budgets/shared-totals.ts'
import type { ToolCallAsk, ToolCallVerdict } from '../../shared/core/ports.ts'
import { capInTheWay, createAccount, type Amount } from '../../shared/domain/budget-account.ts'
import { createMemoryLedger } from '../integration/gateway-fixture.ts'

const SESSION = SessionId.parse('ses_222222222222')
const CALL = ToolCallId.parse(formatId('call', new Uint8Array(12)))
const amount = (microUsd: number): Amount => ({ microUsd, tokens: 0, requests: 1, modelMs: 0 })

const setUp = (atCap: AtCap) => {
  const account = createAccount({ whose: "this session's", caps: { microUsd: 1_000_000, tokens: null } })
  const asks: ToolCallAsk[] = []
  const answers: ((verdict: ToolCallVerdict) => void)[] = []
  const did: string[] = []
  const keeper = createCapKeeper({
    gate: {
      request: (ask) => {
        asks.push(ask)
        return new Promise((resolve) => {
          answers.push(resolve)
          ask.signal.addEventListener('abort', () => resolve({ allowed: false, toolCallId: CALL, reason: 'withdrawn' }))
        })
      },
      finish: (_, { summary }) => void did.push(summary),
    },
    atCap: () => atCap,
    raiseAlarm: () => void did.push('alarm'),
    pause: () => void did.push('pause'),
    end: () => void did.push('end'),
  })
  const reach = () => keeper.reached({ sessionId: SESSION, cap: capInTheWay([account], amount(1_200_000)), message: 'stopped', onRaised: () => void did.push('told') })
  return { account, asks, answers, did, keeper, reach }
}
const settled = async (promise: Promise<boolean>): Promise<boolean | 'open'> => Promise.race([promise, new Promise<'open'>((resolve) => setImmediate(() => resolve('open')))])

describe('at a cap', () => {
  it('refuses at once, asks one question however many are stopped, and raises the cap when it is answered', async () => {
    const { account, asks, answers, did, reach } = setUp('refuse')
    expect(await Promise.all([reach(), reach(), reach()])).toEqual([false, false, false])
    expect(asks.map(({ tool, input }) => [tool, input])).toEqual([['Spend', { raise: "this session's $1.00 spend cap", from: '$1.00', to: '$2.00', why: 'stopped' }]])
    answers[0]?.({ allowed: true, toolCallId: CALL })
    await new Promise((resolve) => setImmediate(resolve))
    expect(account.caps().microUsd).toBe(2_000_000)
    expect(did).toEqual(['alarm', 'raised to $2.00', 'told'])
  })

  it('lets requests wait for the answer where the profile says so, and go on only after a yes', async () => {
    for (const allowed of [true, false]) {
      const { answers, reach } = setUp('wait')
      const [one, other] = [reach(), reach()]
      expect(await settled(one)).toBe('open')
      answers[0]?.(allowed ? { allowed, toolCallId: CALL } : { allowed, toolCallId: CALL, reason: 'no' })
      expect(await Promise.all([one, other])).toEqual([allowed, allowed])
    }
  })

  it('pauses or ends the session where the profile says so', async () => {
    const pausing = setUp('pause')
    expect([await pausing.reach(), pausing.did, pausing.asks.length]).toEqual([false, ['alarm', 'pause'], 1])
    const ending = setUp('end')
    expect([await ending.reach(), ending.did, ending.asks.length]).toEqual([false, ['alarm', 'end'], 0])
  })

  it('withdraws its question when the session is over', async () => {
    const { keeper, account, reach } = setUp('wait')
    const waiting = reach()
    keeper.endSession(SESSION)
    expect(await waiting).toBe(false)
    expect(account.caps().microUsd).toBe(1_000_000)
  })
})

describe('what sessions use together', () => {
  const DAY = 86_400_000
  const noon = new Date(2026, 4, 15, 12).getTime()

  const create = (entries: { at: number; agent: string; project: string; microUsd: number }[], now = noon) => {
    const clock = { at: now, now: () => clock.at }
    const { ledger } = createMemoryLedger()
    const totals = createSharedTotals({
      clock,
      ledger: {
        ...ledger,
        read: ({ since = 0 }) => ({
          entries: entries
            .filter(({ at }) => at >= since)
            .map(({ at, agent, project, microUsd }, index) => {
              const body = { intent: 1, latencyMs: 1, httpStatus: 200, ended: 'whole', agent, project, charged: amount(microUsd) }
              return { sequence: index + 1, at, kind: 'model-request/outcome' as const, sessionId: SESSION, body, bodyHash: null, pruned: false, previousHash: '', hash: '' }
            }),
          next: null,
        }),
      },
    })
    return { clock, totals }
  }
  const charged = (accounts: ReturnType<ReturnType<typeof create>['totals']['accountsOf']>) =>
    Object.fromEntries(accounts().filter(({ total }) => total.charged.microUsd > 0).map(({ whose, total }) => [whose, total.charged.microUsd]))

  it('is read from the ledger by agent, project, day and month, and a new day begins at nothing', () => {
    const { clock, totals } = create([
      { at: noon - 60 * DAY, agent: 'a', project: '/p', microUsd: 1_000 },
      { at: noon - DAY, agent: 'a', project: '/p', microUsd: 20 },
      { at: noon - 1, agent: 'b', project: '/p', microUsd: 300 },
    ])
    const accounts = totals.accountsOf({ agent: 'a', project: '/p' }, { shared: [{ of: 'agent', per: 'day', spendUsd: 1 }], warnAt: 0.8 })
    expect(charged(accounts)).toEqual({ "agent a's monthly": 20, "this project's daily": 300, "this project's monthly": 320, "all sessions' daily": 300, "all sessions' monthly": 320 })
    clock.at += DAY
    expect(charged(accounts)).toEqual({ "agent a's monthly": 20, "this project's monthly": 320, "all sessions' monthly": 320 })
  })

  it('counts a session without such a cap for one that has it', () => {
    const { totals } = create([])
    const [free] = [totals.accountsOf({ agent: 'a', project: '/p' }, { shared: [], warnAt: 0.8 })]
    const capped = totals.accountsOf({ agent: 'b', project: '/p' }, { shared: [{ of: 'project', per: 'day', tokens: 5 }], warnAt: 0.8 })
    for (const { total } of free()) total.charged = { microUsd: 0, tokens: 5, requests: 1, modelMs: 0 }
    expect(capInTheWay(capped(), { microUsd: 0, tokens: 1, requests: 1, modelMs: 0 })).toMatchObject({ unit: 'tokens', cap: 5, held: 5, account: { whose: "this project's daily" } })
    expect(capInTheWay(free(), { microUsd: 0, tokens: 1, requests: 1, modelMs: 0 })).toBeNull()
  })
})
