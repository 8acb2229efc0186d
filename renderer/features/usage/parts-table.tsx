import type { ReactNode } from 'react'
import { formatCount, formatUsd } from '../../../shared/domain/format.ts'
import { costOf, type Part } from '../../../shared/domain/usage-tally.ts'
import { Meter } from '../../ui/meter.tsx'
import { Table } from '../../ui/table.tsx'

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
