import type { ProfileFile } from '../contract/schemas/profile.ts'
import { NetworkMode, RecordMode, RequestLogMode } from '../contract/schemas/profile.ts'
import { formatCount, formatUsd, plural } from './format.ts'

/** What a change of a profile lets its agent do that it could not before, and what it takes from it. */
export interface ProfileEffects {
  readonly wider: string[]
  readonly narrower: string[]
}

const DEFAULT_NETWORK: NetworkMode = 'allowlist'

const dollars = (usd: number): string => formatUsd(Math.round(usd * 1_000_000))

const without = (all: readonly string[] | undefined, taken: readonly string[] | undefined): string[] => (all ?? []).filter((one) => taken?.includes(one) !== true)

/**
 * Compares a profile with what it is to become; null stands for none yet, whose place the built-in defaults take. What
 * cannot be ordered (another command, other servers) counts as wider.
 */
export const profileEffects = (before: ProfileFile | null, after: ProfileFile): ProfileEffects => {
  const was = before ?? {}
  const wider: string[] = []
  const narrower: string[] = []
  const say = (isWider: boolean, text: string): void => void (isWider ? wider : narrower).push(text)

  for (const effect of ['allow', 'ask', 'deny'] as const) {
    for (const rule of without(after.policy?.[effect], was.policy?.[effect])) say(effect === 'allow', `${effect} ${rule} is new`)
    for (const rule of without(was.policy?.[effect], after.policy?.[effect])) say(effect !== 'allow', `${effect} ${rule} is gone`)
  }

  const limit = (name: string, from: number | undefined, to: number | undefined, words: (count: number) => string = formatCount, none = 'no limit'): void => {
    if (from === to) return
    const isWider = to === undefined || (from !== undefined && to > from)
    const [before, now] = [from, to].map((count) => (count === undefined ? none : words(count)))
    say(isWider, `${name}: ${before} → ${now}`)
  }
  const review = (from: number | undefined, to: number | undefined, words: (count: number) => string): void => limit('review every', from, to, words, 'never')
  limit('spend limit', was.limits?.spendUsd, after.limits?.spendUsd, dollars)
  limit('token limit', was.limits?.tokens, after.limits?.tokens)
  limit('tool calls a minute', was.limits?.toolCallsPerMinute, after.limits?.toolCallsPerMinute)
  limit('model requests a minute', was.limits?.modelRequestsPerMinute, after.limits?.modelRequestsPerMinute)
  review(was.limits?.reviewEvery?.minutes, after.limits?.reviewEvery?.minutes, (count) => plural(count, 'minute'))
  review(was.limits?.reviewEvery?.calls, after.limits?.reviewEvery?.calls, (count) => plural(count, 'call'))
  review(was.limits?.reviewEvery?.usd, after.limits?.reviewEvery?.usd, dollars)

  const ordered = <Mode extends string>(name: string, order: readonly Mode[], from: Mode, to: Mode): void => {
    if (from !== to) say(order.indexOf(to) > order.indexOf(from), `${name}: ${from} → ${to}`)
  }
  ordered('network', NetworkMode.options, was.network ?? DEFAULT_NETWORK, after.network ?? DEFAULT_NETWORK)
  ordered('container', ['auto', 'off'], was.sandbox ?? 'auto', after.sandbox ?? 'auto')
  ordered('the audit log keeps inputs', RecordMode.options, was.record?.inputs ?? 'full', after.record?.inputs ?? 'full')
  ordered('the audit log keeps results', RecordMode.options, was.record?.results ?? 'hashed', after.record?.results ?? 'hashed')
  ordered('model requests are logged', RequestLogMode.options, was.record?.requests ?? 'off', after.record?.requests ?? 'off')

  for (const rule of without(was.alarms?.pause, after.alarms?.pause)) say(true, `the alarm ${rule} no longer pauses`)
  for (const rule of without(after.alarms?.pause, was.alarms?.pause)) say(false, `the alarm ${rule} pauses`)

  const passes = without(after.env?.pass, was.env?.pass)
  if (passes.length > 0) say(true, `of your environment it sees ${passes.join(', ')}`)
  const lost = without(was.env?.pass, after.env?.pass)
  if (lost.length > 0) say(after.env?.pass === undefined, `of your environment it ${after.env?.pass === undefined ? 'sees the default in place of' : 'no longer sees'} ${lost.join(', ')}`)

  const NAMED_ABOVE = new Set(['policy', 'network', 'sandbox', 'record', 'alarms', 'env'])
  const REST_OF_LIMITS = new Set(['spendUsd', 'tokens', 'toolCallsPerMinute', 'modelRequestsPerMinute', 'reviewEvery'])
  const other = (name: string, from: unknown, to: unknown): void => {
    if (JSON.stringify(from) !== JSON.stringify(to)) say(true, `${name} is another: ${JSON.stringify(from) ?? 'none'} → ${JSON.stringify(to) ?? 'none'}`.slice(0, 500))
  }
  const fields = (one: object | undefined, except: ReadonlySet<string>): string[] => Object.keys(one ?? {}).filter((name) => !except.has(name))
  const all = new Set([...fields(was, NAMED_ABOVE), ...fields(after, NAMED_ABOVE)])
  all.delete('limits')
  for (const name of all) other(name, was[name as keyof ProfileFile], after[name as keyof ProfileFile])
  for (const name of new Set([...fields(was.limits, REST_OF_LIMITS), ...fields(after.limits, REST_OF_LIMITS)])) {
    other(`limits.${name}`, was.limits?.[name as 'tokens'], after.limits?.[name as 'tokens'])
  }
  return { wider, narrower }
}
