import { useMemo } from 'react'
import { diffParts } from '../../shared/domain/text-diff.ts'
import { visibleText } from '../../shared/domain/visible-text.ts'

/** More lines than this are not drawn at once. */
const MAX_LINES = 3_000

/** Two texts, line by line: what went, what came, and a little around it. */
export const DiffView = ({ label, before, after }: { label: string; before: string; after: string }) => {
  const parts = useMemo(() => diffParts(before, after), [before, after])
  const added = parts.filter((part) => 'sign' in part && part.sign === '+').length
  const gone = parts.filter((part) => 'sign' in part && part.sign === '-').length
  if (parts.length === 0) return <p className="muted">No line differs.</p>
  return (
    <div className="diff panel" role="region" tabIndex={0} aria-label={`${label}: ${added} lines added, ${gone} taken out`}>
      <table>
        <tbody>
          {parts.slice(0, MAX_LINES).map((part, index) =>
            'skipped' in part ? (
              <tr key={index} className="gap">
                <td colSpan={4}>{part.skipped === 1 ? '1 line stays' : `${part.skipped} lines stay`}</td>
              </tr>
            ) : (
              <tr key={index} className={part.sign === '+' ? 'in' : part.sign === '-' ? 'out' : ''}>
                <td className="line-number">{part.before}</td>
                <td className="line-number">{part.after}</td>
                <td className="sign">{part.sign}</td>
                <td>{visibleText(part.text)}</td>
              </tr>
            ),
          )}
        </tbody>
      </table>
      {parts.length > MAX_LINES && <p className="muted">{parts.length - MAX_LINES} more lines are not drawn.</p>}
    </div>
  )
}
