import { useMemo } from 'react'
import { formatCount, formatUsd } from '../../../shared/domain/format.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useLive, useNow } from '../../connection/hooks.ts'
import { useLedger } from '../../connection/use-ledger.ts'
import { Ago, Fault, Page, Stats } from '../../ui/basics.tsx'
import { Chart } from './chart.tsx'
import { byMinute, tally, type Part } from './series.ts'

const costOf = ({ costMicroUsd, unpriced }: { costMicroUsd: number; unpriced: number }): string =>
  unpriced === 0 ? formatUsd(costMicroUsd) : costMicroUsd === 0 ? 'price unknown' : `${formatUsd(costMicroUsd)} + unknown`

const PartsTable = ({ title, parts }: { title: string; parts: ReadonlyMap<string, Part> }) => (
  <section className="panel table-wrap" role="region" aria-label={title} tabIndex={0}>
    <table className="table">
      <thead>
        <tr>
          <th scope="col">{title}</th>
          <th scope="col" className="end">Requests</th>
          <th scope="col" className="end">Tokens</th>
          <th scope="col" className="end">Cost</th>
        </tr>
      </thead>
      <tbody>
        {[...parts].toSorted(([, a], [, b]) => b.costMicroUsd - a.costMicroUsd).map(([name, part]) => (
          <tr key={name}>
            <td>{visibleText(name)}</td>
            <td className="end number">{formatCount(part.requests)}</td>
            <td className="end number">{formatCount(part.tokens)}</td>
            <td className="end number">{costOf(part)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </section>
)

export const UsagePage = () => {
  const { entries, fault } = useLedger(1_000)
  const now = useNow(10_000)
  const isSubscription = useLive((snapshot) => snapshot.sessions.some(({ usage }) => usage.billing === 'subscription'))
  const sum = useMemo(() => tally(entries), [entries])
  const { at, minutes } = useMemo(() => byMinute(entries, now), [entries, now])
  const line = (pick: (minute: NonNullable<(typeof minutes)[number]>) => number): (number | null)[] => minutes.map((minute) => (minute === null ? null : pick(minute)))
  const calls = sum.calls.read + sum.calls.write + sum.calls.destructive
  const { tokens } = sum
  return (
    <Page title="Usage">
      <Fault text={fault} />
      {sum.since !== null && (
        <p className="muted">
          From the newest {formatCount(entries.length)} entries of the audit log; the first is from <Ago at={sum.since} />.
          {isSubscription ? ' A subscription is shown as what the API would cost.' : ''}
        </p>
      )}
      <Stats
        of={[
          { name: 'Cost', value: costOf(sum), aside: isSubscription ? 'API equivalent' : `${formatCount(sum.requests)} model requests` },
          { name: 'Tokens in', value: formatCount(tokens.input + tokens.cacheRead + tokens.cacheWrite5m + tokens.cacheWrite1h), aside: `${formatCount(tokens.cacheRead)} from cache` },
          { name: 'Tokens out', value: formatCount(tokens.output), aside: `${formatCount(tokens.cacheWrite5m + tokens.cacheWrite1h)} written to cache` },
          { name: 'Tool calls', value: formatCount(calls), aside: `${sum.calls.read} read, ${sum.calls.write} write, ${sum.calls.destructive} destructive` },
          { name: 'Not run', value: formatCount(sum.denied), aside: 'denied, expired or withdrawn' },
          { name: 'Approved', value: sum.asked === 0 ? '–' : `${Math.round((sum.approved / sum.asked) * 100)} %`, aside: `${sum.approved} of ${sum.asked} asked` },
          { name: 'Alarms', value: formatCount(sum.alarms) },
        ]}
      />
      <div className="charts">
        <Chart title="Cost" summary={`${costOf(sum)} in all.`} at={at} lines={[{ name: 'spent so far', color: '--accent', values: line(({ costMicroUsd }) => costMicroUsd) }]} format={formatUsd} />
        <Chart
          title="Tool calls a minute"
          summary={`${calls} calls ran.`}
          at={at}
          lines={[
            { name: 'read', color: '--muted', values: line(({ read }) => read) },
            { name: 'write', color: '--accent', values: line(({ write }) => write) },
            { name: 'destructive', color: '--danger', values: line(({ destructive }) => destructive) },
            { name: 'not run', color: '--text', dash: [4, 3], values: line(({ denied }) => denied) },
          ]}
          format={(value) => (Number.isInteger(value) ? String(value) : '')}
        />
        <Chart
          title="Model requests a minute"
          summary={`${sum.requests} were answered.`}
          at={at}
          lines={[{ name: 'requests', color: '--accent', values: line(({ requests }) => requests) }]}
          format={(value) => (Number.isInteger(value) ? String(value) : '')}
        />
      </div>
      {sum.byModel.size > 0 && (
        <div className="charts">
          <PartsTable title="By model" parts={sum.byModel} />
          <PartsTable title="By agent" parts={sum.byAgent} />
        </div>
      )}
    </Page>
  )
}
