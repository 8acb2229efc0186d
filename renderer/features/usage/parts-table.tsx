import type { ReactNode } from 'react'
import { formatCount, formatUsd } from '../../../shared/domain/format.ts'
import { Meter } from '../../ui/meter.tsx'
import { Table } from '../../ui/table.tsx'
import type { Part } from './series.ts'

/** What was spent, as honestly as it is known. */
export const costOf = ({ costMicroUsd, unpriced, subscription }: Pick<Part, 'costMicroUsd' | 'unpriced' | 'subscription'>): string => {
  const known = unpriced === 0 ? formatUsd(costMicroUsd) : costMicroUsd === 0 ? 'price unknown' : `${formatUsd(costMicroUsd)} + unknown`
  return subscription ? `${known} (API equivalent)` : known
}

export interface PartRow {
  readonly key: string
  readonly name: ReactNode
  readonly part: Part
  /** Micro-dollars. */
  readonly cap?: number | null
}

export const PartsTable = ({ title, rows }: { title: string; rows: readonly PartRow[] }) => (
  <Table label={title} head={[title, { name: 'Requests', className: 'end' }, { name: 'Tokens', className: 'end' }, { name: 'Cost', className: 'end' }]}>
    {rows.map(({ key, name, part, cap }) => (
      <tr key={key}>
        <td>{name}</td>
        <td className="end number">{formatCount(part.requests)}</td>
        <td className="end number">{formatCount(part.tokens)}</td>
        <td className="end number">
          {costOf(part)}
          {typeof cap === 'number' && (
            <>
              {' '}
              <span className="muted">of {formatUsd(cap)}</span> <Meter spent={part.costMicroUsd} cap={cap} />
            </>
          )}
        </td>
      </tr>
    ))}
  </Table>
)
