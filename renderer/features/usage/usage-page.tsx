import { useMemo, useState } from 'react'
import { formatCount, formatUsd, plural } from '../../../shared/domain/format.ts'
import { costOf, type Part, type Stretch } from '../../../shared/domain/usage-tally.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useLive } from '../../connection/hooks.ts'
import { useNow } from '../../ui/use-now.ts'
import { Stats } from '../../ui/facts.tsx'
import { Empty, Fault } from '../../ui/note.tsx'
import { Page } from '../../ui/page.tsx'
import { Ago } from '../../ui/time.tsx'
import { Select } from '../../ui/select.tsx'
import { Chart } from './chart.tsx'
import { PartsTable, type PartRow } from './parts-table.tsx'
import { useTally } from './use-tally.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

const SPANS = {
  hour: { name: 'the last hour', since: HOUR_MS, stretch: MINUTE_MS, per: 'a minute' },
  day: { name: 'the last day', since: DAY_MS, stretch: MINUTE_MS, per: 'a minute' },
  week: { name: 'the last 7 days', since: 7 * DAY_MS, stretch: 10 * MINUTE_MS, per: 'in 10 minutes' },
  month: { name: 'the last 30 days', since: 30 * DAY_MS, stretch: HOUR_MS, per: 'an hour' },
  all: { name: 'everything', since: null, stretch: HOUR_MS, per: 'an hour' },
} as const
type Span = keyof typeof SPANS

const rowsOf = (parts: ReadonlyMap<string, Part>): PartRow[] =>
  [...parts].toSorted(([, a], [, b]) => b.costMicroUsd - a.costMicroUsd).map(([key, part]) => ({ key, name: visibleText(key), part }))

const whole = (value: number): string => (Number.isInteger(value) ? formatCount(value) : '')

/** Sessions listed at most, those that cost the most. */
const MAX_SESSIONS = 50

export const UsagePage = () => {
  const [span, setSpan] = useState<Span>('day')
  const { since, stretch, per } = SPANS[span]
  const { tally, version, read, fault } = useTally(since, stretch)
  const now = useNow(10_000)
  const sessions = useLive((snapshot) => snapshot.sessions)
  const { at, stretches } = useMemo(() => tally.series(now), [tally, version, now])
  const line = (pick: (stretch: Stretch) => number): (number | null)[] => stretches.map((one) => (one === null ? null : pick(one)))
  const { sum } = tally
  const { tokens } = sum
  const calls = sum.calls.read + sum.calls.write + sum.calls.destructive
  const bySession = rowsOf(sum.bySession)
    .slice(0, MAX_SESSIONS)
    .map((row) => ({
      ...row,
      name: (
        <a href={`#/sessions/${row.key}`} title={row.key}>
          {visibleText(tally.agentOf(row.key) ?? row.key)}
        </a>
      ),
      cap: sessions.find(({ id }) => id === row.key)?.usage.capMicroUsd ?? null,
    }))
  const byDay: PartRow[] = [...sum.byDay].toSorted(([a], [b]) => b - a).map(([day, part]) => ({ key: String(day), name: new Date(day).toLocaleDateString(undefined, { weekday: 'short', day: 'numeric', month: 'short' }), part }))
  return (
    <Page
      title="Usage"
      actions={
        <Select bare label="Over which time" value={span} of={(Object.keys(SPANS) as Span[]).map((value) => ({ value, name: SPANS[value].name }))} onChange={setSpan} />
      }
    >
      <Fault text={fault} />
      <p className="muted" role="status">
        {read !== null ? `Reading the audit log… ${formatCount(read)} entries` : sum.since === null ? 'Nothing was recorded in this time.' : <>Added up from the audit log, the first entry from <Ago at={sum.since} />.</>}
        {sum.subscription ? ' A subscription is shown as what the API would cost.' : ''}
        {sum.unpriced > 0 ? ` ${plural(sum.unpriced, 'request')} went to a model whose price is not known, and ${sum.unpriced === 1 ? 'is' : 'are'} not in the cost.` : ''}
      </p>
      <Stats
        of={[
          { name: 'Cost', value: costOf({ ...sum, subscription: false }), aside: sum.subscription ? 'API equivalent' : plural(sum.requests, 'model request') },
          { name: 'Tokens in', value: formatCount(tokens.input + tokens.cacheRead + tokens.cacheWrite5m + tokens.cacheWrite1h), aside: `${formatCount(tokens.input)} new, ${formatCount(tokens.cacheRead)} from cache, ${formatCount(tokens.cacheWrite5m + tokens.cacheWrite1h)} to cache` },
          { name: 'Tokens out', value: formatCount(tokens.output) },
          { name: 'Tool calls', value: formatCount(calls), aside: `${formatCount(sum.calls.read)} read, ${formatCount(sum.calls.write)} write, ${formatCount(sum.calls.destructive)} destructive` },
          { name: 'Not run', value: formatCount(sum.denied), aside: 'denied, expired or withdrawn' },
          { name: 'Approved', value: sum.asked === 0 ? '–' : `${Math.round((sum.approved / sum.asked) * 100)} %`, aside: `${formatCount(sum.approved)} of ${formatCount(sum.asked)} asked` },
          { name: 'Secrets taken out', value: formatCount(sum.redacted), aside: 'of what tools gave back' },
          { name: 'Alarms', value: formatCount(sum.alarms) },
        ]}
      />
      <div className="charts">
        <Chart title="Cost" summary={`${costOf({ ...sum, subscription: sum.subscription })} in this time.`} at={at} lines={[{ name: 'spent so far', color: '--accent', values: line(({ costMicroUsd }) => costMicroUsd) }]} format={formatUsd} />
        <Chart
          title={`Tokens ${per}`}
          summary={`${formatCount(tokens.input)} in, ${formatCount(tokens.output)} out, ${formatCount(tokens.cacheRead)} from cache, ${formatCount(tokens.cacheWrite5m + tokens.cacheWrite1h)} to cache.`}
          at={at}
          lines={[
            { name: 'in', color: '--accent', values: line((one) => one.tokens.input) },
            { name: 'out', color: '--text', values: line((one) => one.tokens.output) },
            { name: 'from cache', color: '--muted', values: line((one) => one.tokens.cacheRead) },
            { name: 'to cache', color: '--muted', dash: [4, 3], values: line((one) => one.tokens.cacheWrite5m + one.tokens.cacheWrite1h) },
          ]}
          format={whole}
        />
        <Chart
          title={`Tool calls ${per}`}
          summary={`${formatCount(calls)} ran, ${formatCount(sum.denied)} did not.`}
          at={at}
          lines={[
            { name: 'read', color: '--muted', values: line((one) => one.read) },
            { name: 'write', color: '--accent', values: line((one) => one.write) },
            { name: 'destructive', color: '--danger', values: line((one) => one.destructive) },
            { name: 'not run', color: '--text', dash: [4, 3], values: line((one) => one.denied) },
          ]}
          format={whole}
        />
        <Chart title={`Model requests ${per}`} summary={`${formatCount(sum.requests)} were answered.`} at={at} lines={[{ name: 'requests', color: '--accent', values: line((one) => one.requests) }]} format={whole} />
      </div>
      {sum.requests > 0 ? (
        <div className="charts">
          <PartsTable title="By session" rows={bySession} />
          <PartsTable title="By agent" rows={rowsOf(sum.byAgent)} />
          <PartsTable title="By model" rows={rowsOf(sum.byModel)} />
          <PartsTable title="By day" rows={byDay} />
        </div>
      ) : (
        read === null && (
          <div className="panel">
            <Empty title="No model was asked in this time">
              <p>Launch an agent, or look at a longer time.</p>
            </Empty>
          </div>
        )
      )}
    </Page>
  )
}
