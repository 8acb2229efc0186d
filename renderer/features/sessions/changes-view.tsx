import { useState } from 'react'
import type { CheckpointId } from '../../../shared/contract/ids.ts'
import type { CommandResult } from '../../../shared/contract/protocol.ts'
import type { Checkpoint, FileChange, RestoreReport } from '../../../shared/contract/schemas/checkpoint.ts'
import type { Session } from '../../../shared/contract/schemas/session.ts'
import { isOver } from '../../../shared/domain/session-state.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useAction, useHost, useQuery } from '../../connection/hooks.ts'
import { Button, ClockTime, Empty, Fault, Note } from '../../ui/basics.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { RestoreResult } from './session-actions.tsx'

const NAMES: Readonly<Record<Checkpoint['reason'], string>> = {
  start: 'the start',
  'before-destructive': 'before a destructive call',
  review: 'a review',
  killed: 'when it was killed',
  'before-revert': 'before a revert',
  'before-undo': 'before an undo',
  'on-demand': 'kept by hand',
}

const BY: Readonly<Record<NonNullable<FileChange['by']>, string>> = { session: '', other: 'by someone else', both: 'by several' }

type Diff = CommandResult<'checkpoint/diff'>

/** What a restore would do, said before it is done. */
const Preview = ({ diff, paths, onClose, onYes }: { diff: Diff; paths: readonly string[] | null; onClose(): void; onYes(): void }) => {
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
        <ul className="block mono">
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

const Changes = ({ session, from }: { session: Session; from: CheckpointId }) => {
  const host = useHost()
  const action = useAction()
  const { id: sessionId } = session
  const { data, fault, reload } = useQuery('checkpoint/diff', { sessionId, from, to: null })
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  const [asking, setAsking] = useState<readonly string[] | 'all' | null>(null)
  const [report, setReport] = useState<{ said: string; of: RestoreReport } | null>(null)

  const toggle = (path: string): void => {
    const next = new Set(chosen)
    if (!next.delete(path)) next.add(path)
    setChosen(next)
  }
  const restore = (paths: readonly string[] | null): void => {
    setAsking(null)
    action.run('Putting back…', async () => {
      setReport({ said: 'Put back:', of: await host.call('checkpoint/restore', { sessionId, target: from, ...(paths === null ? {} : { paths: [...paths] }) }) })
      setChosen(new Set())
      reload()
    })
  }
  const undo = (): void =>
    action.run('Undoing…', async () => {
      setReport({ said: 'Undone:', of: await host.call('session/undo', { sessionId }) })
      reload()
    })

  const changes = data?.diff.changes ?? []
  return (
    <>
      <div className="bar">
        <Button disabled={chosen.size === 0 || action.busy !== null} onClick={() => setAsking([...chosen])}>
          Put back what is chosen{chosen.size > 0 ? ` (${chosen.size})` : ''}
        </Button>
        <Button kind="danger" disabled={changes.length === 0 || action.busy !== null} onClick={() => setAsking('all')}>
          Put everything back
        </Button>
        {isOver(session.state) && (
          <Button disabled={action.busy !== null} onClick={undo}>
            Undo the last
          </Button>
        )}
        <Button disabled={action.busy !== null} onClick={reload}>
          Look again
        </Button>
        <span className="muted" role="status">
          {action.busy ?? ''}
        </span>
      </div>
      <Fault text={fault ?? action.fault} />
      {report !== null && (
        <Note>
          <RestoreResult said={report.said} report={report.of} />
        </Note>
      )}
      {data !== null && changes.length === 0 && (
        <div className="panel">
          <Empty title="Nothing has changed since then" />
        </div>
      )}
      {changes.length > 0 && (
        <div className="panel table-wrap" role="region" aria-label="Changed files" tabIndex={0}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">
                  <span className="hidden-text">Chosen</span>
                </th>
                <th scope="col">File</th>
                <th scope="col">Change</th>
                <th scope="col" />
              </tr>
            </thead>
            <tbody>
              {changes.map(({ path, change, by }) => (
                <tr key={path}>
                  <td style={{ width: 1 }}>
                    <input type="checkbox" aria-label={`Choose ${visibleText(path)}`} checked={chosen.has(path)} onChange={() => toggle(path)} />
                  </td>
                  <td className="mono" style={{ overflowWrap: 'anywhere' }}>
                    {visibleText(path)}
                  </td>
                  <td>
                    <span className={`badge ${change === 'deleted' ? 'danger' : change === 'added' ? 'accent' : ''}`}>{change}</span>
                  </td>
                  <td className="muted">{by === null ? '' : BY[by]}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {data !== null && data.diff.omitted > 0 && <p className="muted">{data.diff.omitted} more are not listed here.</p>}
      {asking !== null && data !== null && <Preview diff={data} paths={asking === 'all' ? null : asking} onClose={() => setAsking(null)} onYes={() => restore(asking === 'all' ? null : asking)} />}
    </>
  )
}

/** What changed since a checkpoint, by file, and the way back. */
export const ChangesView = ({ session }: { session: Session }) => {
  const host = useHost()
  const action = useAction()
  const { data, fault, reload } = useQuery('checkpoint/list', { sessionId: session.id })
  const [chosen, setChosen] = useState<CheckpointId | null>(null)
  const from = chosen ?? session.startCheckpoint
  return (
    <>
      <Fault text={fault ?? action.fault} />
      <div className="bar">
        <label className="bar">
          Changes since
          <select className="input" value={from ?? ''} onChange={(event) => setChosen(event.target.value as CheckpointId)}>
            {(data?.checkpoints ?? []).map(({ id, reason, takenAt }) => (
              <option key={id} value={id}>
                {NAMES[reason]}, {new Date(takenAt).toLocaleTimeString()}
              </option>
            ))}
          </select>
        </label>
        <Button
          disabled={action.busy !== null || from === null}
          onClick={() =>
            action.run('Keeping…', async () => {
              await host.call('checkpoint/create', { sessionId: session.id })
              reload()
            })
          }
        >
          {action.busy ?? 'Keep the state as it is now'}
        </Button>
      </div>
      {from !== null && <Changes key={from} session={session} from={from} />}
      {from === null && <Empty title="No checkpoint was made" />}
    </>
  )
}
