import type { JudgedBoundary } from '../../../shared/contract/schemas/setup.ts'
import { boundaryHolds } from '../../../shared/domain/onboarding/boundary-holds.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { EffectBadge, Badge } from '../../ui/badge.tsx'

const Boundary = ({ of }: { of: JudgedBoundary }) => {
  const { kind, text, file, line, calls } = of
  return (
    <li className="panel card" style={{ gap: 4 }}>
      <p className="bar">
        {calls === null ? <Badge look="accent">not understood</Badge> : boundaryHolds(of) ? <Badge look="quiet">{kind === 'forbidden' ? 'asks' : 'passes'}</Badge> : <Badge look="danger">does not hold</Badge>}
        <strong style={{ flex: 1, minWidth: 160, overflowWrap: 'anywhere' }}>{visibleText(text)}</strong>
        <span className="muted mono">
          {visibleText(file)}:{line}
        </span>
      </p>
      {calls === null && <p className="muted">It is told to the agent, and held by nothing. Write a rule for it.</p>}
      {calls !== null && calls.length > 0 && (
        <ul className="stack tight">
          {calls.map(({ tool, input, effect }, index) => (
            <li key={index} style={{ overflowWrap: 'anywhere' }}>
              <EffectBadge of={effect} /> {visibleText(tool)} <code>{visibleText(Object.values(input)[0] ?? '')}</code>
            </li>
          ))}
        </ul>
      )}
    </li>
  )
}

/** What a project's own words come to, line by line, each with the calls it stands for. */
export const Boundaries = ({ of }: { of: readonly JudgedBoundary[] }) =>
  of.length === 0 ? (
    <p className="muted">No boundaries were found in CLAUDE.md or AGENTS.md: what is destructive is asked about, and the rest passes.</p>
  ) : (
    <section className="stack tight">
      <h3>What this agent may do, as you wrote it</h3>
      <ul className="stack tight">
        {of.map((one) => (
          <Boundary key={`${one.file}:${one.line}`} of={one} />
        ))}
      </ul>
    </section>
  )
