import type { Timestamp } from '../../contract/schemas/time.ts'
import { bodyOf } from '../../contract/schemas/ledger-bodies.ts'
import type { SharedCap } from '../../contract/schemas/profile.ts'
import { type Account, addAmounts, type Caps, createAccount, createTotal, NOTHING, type Total } from '../../domain/budget-account.ts'
import { createWaitingLine, type WaitingLine } from '../../domain/budget-line.ts'
import type { Clock, Ledger } from '../ports.ts'

/** Caps of one profile in the form that accounts take. */
export const capsOf = (limits: Pick<SharedCap, 'spendUsd' | 'tokens' | 'modelRequests' | 'modelMinutes'> | { [Key in 'spendUsd' | 'tokens' | 'modelRequests' | 'modelMinutes']: number | null }): Caps => ({
  microUsd: limits.spendUsd == null ? null : Math.round(limits.spendUsd * 1_000_000),
  tokens: limits.tokens ?? null,
  requests: limits.modelRequests ?? null,
  modelMs: limits.modelMinutes == null ? null : Math.round(limits.modelMinutes * 60_000),
})

/** Whose requests they are. */
export interface Spender {
  readonly agent: string
  /** The session's folder. */
  readonly project: string
}

/** What sessions used together, by agent, by project and in all, by day and by month. */
export interface SharedTotals {
  /** Where the requests of all sessions wait. */
  readonly line: WaitingLine
  /**
   * Gives, at any time, the accounts that count a session's requests then: with the caps of its profile, and without for
   * all the others, since another session may have a cap there.
   */
  accountsOf(spender: Spender, limits: { readonly shared: readonly SharedCap[]; readonly warnAt: number }): () => readonly Account[]
}

const PAGE = 10_000
const SCOPES = ['agent', 'project', 'all'] as const
const PERIODS = ['day', 'month'] as const
type Scope = (typeof SCOPES)[number]
type Period = (typeof PERIODS)[number]

const two = (value: number): string => String(value).padStart(2, '0')

/** The day or month of this machine's calendar. */
const periodAt = (at: Timestamp, period: Period): string => {
  const date = new Date(at)
  const month = `${date.getFullYear()}-${two(date.getMonth() + 1)}`
  return period === 'month' ? month : `${month}-${two(date.getDate())}`
}

const monthStart = (at: Timestamp): Timestamp => {
  const date = new Date(at)
  return new Date(date.getFullYear(), date.getMonth(), 1).getTime()
}

const nameIn = (scope: Scope, { agent, project }: Spender): string => (scope === 'agent' ? agent : scope === 'project' ? project : '')

const WORDS = {
  agent: { day: (name: string) => `agent ${name}'s daily`, month: (name: string) => `agent ${name}'s monthly` },
  project: { day: () => "this project's daily", month: () => "this project's monthly" },
  all: { day: () => "all sessions' daily", month: () => "all sessions' monthly" },
} as const

export const createSharedTotals = ({ ledger, clock }: { readonly ledger: Pick<Ledger, 'read'>; readonly clock: Clock }): SharedTotals => {
  const totals = new Map<string, Total>()
  let isRead = false

  const totalOf = (scope: Scope, period: Period, spender: Spender, at: Timestamp): Total => {
    const key = JSON.stringify([scope, nameIn(scope, spender), period, periodAt(at, period)])
    const total = totals.get(key) ?? createTotal()
    totals.set(key, total)
    return total
  }

  /**
   * Once a session has such a cap: what was used this month, from the ledger. It holds every request that is over, those
   * of sessions that run now too, so that it replaces what was counted since the host started.
   */
  const readLedger = (): void => {
    if (isRead) return
    isRead = true
    for (const total of totals.values()) total.charged = NOTHING
    for (let after: number | null = 0; after !== null; ) {
      const page = ledger.read({ after, limit: PAGE, since: monthStart(clock.now()), kinds: ['model-request/outcome'] })
      for (const entry of page.entries) {
        const body = bodyOf(entry, 'model-request/outcome')
        if (body?.agent === undefined || body.project === undefined || body.charged === undefined) continue
        for (const scope of SCOPES) {
          for (const period of PERIODS) {
            const total = totalOf(scope, period, { agent: body.agent, project: body.project }, entry.at)
            total.charged = addAmounts(total.charged, body.charged)
          }
        }
      }
      after = page.next
    }
  }

  return {
    line: createWaitingLine(),
    accountsOf: (spender, { shared, warnAt }) => {
      if (shared.length > 0) readLedger()
      const accounts = new Map<Total, readonly Account[]>()
      const accountsFor = (scope: Scope, period: Period): readonly Account[] => {
        const total = totalOf(scope, period, spender, clock.now())
        const known = accounts.get(total)
        if (known !== undefined) return known
        const whose = WORDS[scope][period](spender.agent)
        const mine = shared.filter((cap) => cap.of === scope && cap.per === period).map(capsOf)
        const made = (mine.length === 0 ? [capsOf({})] : [tightest(mine)]).map((caps) => createAccount({ whose, caps, total, warnAt }))
        accounts.set(total, made)
        return made
      }
      return () => SCOPES.flatMap((scope) => PERIODS.flatMap((period) => accountsFor(scope, period)))
    },
  }
}

const lower = (values: readonly (number | null | undefined)[]): number | null => {
  const given = values.filter((value) => value !== null && value !== undefined)
  return given.length === 0 ? null : Math.min(...given)
}

const tightest = (all: readonly Caps[]): Caps => ({
  microUsd: lower(all.map(({ microUsd }) => microUsd)),
  tokens: lower(all.map(({ tokens }) => tokens)),
  requests: lower(all.map(({ requests }) => requests)),
  modelMs: lower(all.map(({ modelMs }) => modelMs)),
})
