import { useState } from 'react'
import type { CheckpointId, SessionId } from '../../../shared/contract/ids.ts'
import type { CommandResult } from '../../../shared/contract/protocol.ts'
import type { Checkpoint, FileChange, FileSide, RestoreReport } from '../../../shared/contract/schemas/checkpoint.ts'
import type { Session } from '../../../shared/contract/schemas/session.ts'
import { isOver } from '../../../shared/domain/session-state.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useAction, useHost, useQuery } from '../../connection/hooks.ts'
import { Button, Choice } from '../../ui/button.tsx'
import { Empty, Fault, Note } from '../../ui/note.tsx'
import { DiffView } from '../../ui/diff-view.tsx'
import { Badge, type BadgeLook } from '../../ui/badge.tsx'
import { Select } from '../../ui/select.tsx'
import { Checkbox } from '../../ui/checkbox.tsx'
import { clockText } from '../../ui/time.tsx'
import { RestorePreview } from './restore-preview.tsx'
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
const LOOK: Readonly<Record<FileChange['change'], { sign: string; look: BadgeLook }>> = {
  added: { sign: 'A', look: 'accent' },
  modified: { sign: 'M', look: 'normal' },
  deleted: { sign: 'D', look: 'danger' },
  permissions: { sign: 'P', look: 'quiet' },
}

/** Files drawn at once; the rest is counted. */
const MAX_FILES = 500

const hiddenText = (side: FileSide): string | null => (side !== null && 'hidden' in side ? side.hidden : null)
const textOf = (side: FileSide): string => (side !== null && 'text' in side ? side.text : '')

/** One changed file, line by line. */
const FileDiff = ({ sessionId, from, path, change }: { sessionId: SessionId; from: CheckpointId; path: string; change: FileChange['change'] }) => {
  const { data, fault } = useQuery('checkpoint/file', { sessionId, from, to: null, path })
  const hidden = data === null ? null : (hiddenText(data.before) ?? hiddenText(data.after))
  return (
    <section className="stack tight" aria-label={`Changes in ${visibleText(path)}`}>
      <h2 className="mono" style={{ overflowWrap: 'anywhere', fontSize: 12 }}>{visibleText(path)}</h2>
      {change === 'permissions' && <p className="muted">Only its permissions changed.</p>}
      {change !== 'permissions' && <Fault text={fault} />}
      {hidden !== null && <p className="muted">Not shown: {hidden === 'binary' ? 'it is no text' : hidden === 'a link' ? 'it is a link' : hidden}.</p>}
      {data !== null && hidden === null && <DiffView label={visibleText(path)} before={textOf(data.before)} after={textOf(data.after)} />}
    </section>
  )
}

const Files = ({ changes, shown, chosen, onShow, onChoose }: { changes: readonly FileChange[]; shown: string | null; chosen: ReadonlySet<string>; onShow(path: string): void; onChoose(path: string): void }) => (
  <ul className="panel" aria-label="Changed files">
    {changes.slice(0, MAX_FILES).map(({ path, change, by }) => (
      <li key={path} className={`file-row${path === shown ? ' chosen' : ''}`}>
        <Checkbox label={`Choose ${visibleText(path)}`} on={chosen.has(path)} onChange={() => onChoose(path)} />
        <Badge look={LOOK[change].look} title={change}>
          {LOOK[change].sign}
          <span className="hidden-text">{change}</span>
        </Badge>
        <Choice className="file" aria-pressed={path === shown} title={visibleText(path)} onClick={() => onShow(path)}>
          <bdi>{visibleText(path)}</bdi>
        </Choice>
        {by !== null && by !== 'session' && <Badge look="quiet">{BY[by]}</Badge>}
      </li>
    ))}
    {changes.length > MAX_FILES && <li className="file-row muted">{changes.length - MAX_FILES} more are not drawn.</li>}
  </ul>
)

type Diff = CommandResult<'checkpoint/diff'>

const Counts = ({ diff }: { diff: Diff['diff'] }) => {
  const { added, modified, deleted, leftAlone, conflicts } = diff.counts
  return (
    <span className="muted number" role="status">
      {added} added, {modified} modified, {deleted} deleted{leftAlone > 0 ? `, ${leftAlone} by someone else` : ''}
      {conflicts > 0 ? `, ${conflicts} by several` : ''}
    </span>
  )
}

const Changes = ({ session, from }: { session: Session; from: CheckpointId }) => {
  const host = useHost()
  const action = useAction()
  const { id: sessionId } = session
  const { data, fault, reload } = useQuery('checkpoint/diff', { sessionId, from, to: null })
  const [round, setRound] = useState(0)
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  const [wanted, setWanted] = useState<string | null>(null)
  const [asking, setAsking] = useState<readonly string[] | 'all' | null>(null)
  const [report, setReport] = useState<{ said: string; of: RestoreReport } | null>(null)

  const again = (): void => {
    setRound((count) => count + 1)
    reload()
  }
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
      again()
    })
  }
  const undo = (): void =>
    action.run('Undoing…', async () => {
      setReport({ said: 'Undone:', of: await host.call('session/undo', { sessionId }) })
      again()
    })

  const changes = data?.diff.changes ?? []
  const shown = changes.find(({ path }) => path === wanted) ?? changes[0]
  return (
    <>
      <div className="bar">
        <Button disabled={chosen.size === 0 || action.busy !== null} onClick={() => setAsking([...chosen])}>
          Put back what is chosen{chosen.size > 0 ? ` (${chosen.size})` : ''}
        </Button>
        <Button kind="danger" disabled={changes.length === 0 || action.busy !== null} onClick={() => setAsking('all')}>
          Put everything back
        </Button>
        {(report !== null || isOver(session.state)) && (
          <Button disabled={action.busy !== null} onClick={undo}>
            Undo the last
          </Button>
        )}
        <Button disabled={action.busy !== null} onClick={again}>
          Look again
        </Button>
        {data !== null && action.busy === null && <Counts diff={data.diff} />}
        {action.busy !== null && <span role="status">{action.busy}</span>}
      </div>
      <Fault text={fault ?? action.fault} />
      {report !== null && (
        <Note>
          <RestoreResult said={report.said} report={report.of} />
        </Note>
      )}
      {data !== null && changes.length === 0 && (
        <div className="panel">
          <Empty title="Nothing has changed since then">
            <p>What the agent writes appears here when you look again.</p>
          </Empty>
        </div>
      )}
      {shown !== undefined && (
        <div className="files">
          <Files changes={changes} shown={shown.path} chosen={chosen} onShow={setWanted} onChoose={toggle} />
          <FileDiff key={`${shown.path} ${round}`} sessionId={sessionId} from={from} path={shown.path} change={shown.change} />
        </div>
      )}
      {data !== null && data.diff.omitted > 0 && <p className="muted">{data.diff.omitted} more are not listed here.</p>}
      {asking !== null && data !== null && <RestorePreview diff={data} paths={asking === 'all' ? null : asking} onClose={() => setAsking(null)} onYes={() => restore(asking === 'all' ? null : asking)} />}
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
    <div className="stack" style={{ overflowY: 'auto', flex: 1, minHeight: 0 }}>
      <Fault text={fault ?? action.fault} />
      <div className="bar" style={{ alignItems: 'end' }}>
        <Select
          label="Changes since"
          wide={false}
          value={from ?? ''}
          of={(data?.checkpoints ?? []).map(({ id, reason, takenAt }) => ({ value: id, name: `${NAMES[reason]}, ${clockText(takenAt)}` }))}
          onChange={(id) => setChosen(id as CheckpointId)}
        />
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
      {from === null && (
        <Empty title="No checkpoint was made">
          <p>This session was started without one: there is nothing to compare with, and nothing to go back to.</p>
        </Empty>
      )}
    </div>
  )
}
