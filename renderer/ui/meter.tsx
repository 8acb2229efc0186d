import { formatUsd } from '../../shared/domain/format.ts'

/** How much of a cap is spent, both in micro-dollars. It says nothing that the text beside it does not. */
export const Meter = ({ spent, cap }: { spent: number; cap: number }) => {
  const share = cap === 0 ? 1 : Math.min(1, spent / cap)
  return (
    <span aria-hidden="true" className={`meter${share >= 0.9 ? ' danger' : ''}`} title={`${Math.round(share * 100)} % of ${formatUsd(cap)}`}>
      <span style={{ width: `${share * 100}%` }} />
    </span>
  )
}
