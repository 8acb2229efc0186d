import type { CommandResult } from '../../../shared/contract/protocol.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { Button } from '../../ui/button.tsx'
import { ClockTime } from '../../ui/time.tsx'
import { Dialog } from '../../ui/dialog.tsx'

/** What a restore would do, said before it is done. */
export const RestorePreview = ({ diff, paths, onClose, onYes }: { diff: CommandResult<'checkpoint/diff'>; paths: readonly string[] | null; onClose(): void; onYes(): void }) => {
  const { counts } = diff.diff
  return (
    <Dialog title={paths === null ? 'Put the whole folder back?' : `Put back ${paths.length === 1 ? 'one path' : `${paths.length} paths`}?`} onClose={onClose}>
      {paths === null ? (
        <>
          <p>
            {counts.deleted + counts.modified} files return to how they were, {counts.added} that were added are removed. What others changed stays as it is ({counts.leftAlone}), and of what both changed the other version is
            laid beside it ({counts.conflicts}).
          </p>
          {diff.diff.refsMoved.length > 0 && <p>Moved back as well: {diff.diff.refsMoved.map(visibleText).join(', ')}</p>}
        </>
      ) : (
        <ul className="block mono" tabIndex={0} aria-label="What is put back">
          {paths.map((path) => (
            <li key={path}>{visibleText(path)}</li>
          ))}
        </ul>
      )}
      <p className="muted">The present state is kept first, so that this can be undone.</p>
      {paths === null && diff.irreversible.length > 0 && (
        <div className="note fault">
          <p>Not taken back, since it reached beyond the folder:</p>
          <ul>
            {diff.irreversible.map(({ at, tool, what }) => (
              <li key={`${at} ${what}`}>
                <ClockTime at={at} /> {visibleText(tool)} <code>{visibleText(what)}</code>
              </li>
            ))}
          </ul>
        </div>
      )}
      <div className="bar">
        <Button onClick={onClose}>Cancel</Button>
        <Button kind="stop" onClick={onYes}>
          Put back
        </Button>
      </div>
    </Dialog>
  )
}
