import { useState } from 'react'
import type { KillReport, Session } from '../../../shared/contract/schemas/session.ts'
import type { RestoreReport } from '../../../shared/contract/schemas/checkpoint.ts'
import { formatDuration, plural } from '../../../shared/domain/format.ts'
import { restoreCounts } from '../../../shared/domain/restore-report.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useAction, useHost } from '../../connection/hooks.ts'
import { Button } from '../../ui/button.tsx'
import { Fault, Note } from '../../ui/note.tsx'

/** What a restore did, and what it left alone. */
export const RestoreResult = ({ said, report }: { said: string; report: RestoreReport }) => {
  const counts = restoreCounts(report)
  return (
    <>
      <p>
        {said} {plural(counts.written, 'file')} put back, {plural(counts.deleted, 'file')} removed, {plural(counts.refsMoved, 'ref')} moved back.
      </p>
      {report.conflicts.map(({ path, recoveredAs }) => (
        <p key={path}>
          Kept as you left it: <code>{visibleText(path)}</code>
          {recoveredAs === null ? '' : <>; the other version is <code>{visibleText(recoveredAs)}</code></>}
        </p>
      ))}
      {report.leftAlone.length > 0 && <p>Not touched, since someone else changed it: {report.leftAlone.map(visibleText).join(', ')}</p>}
      {report.notKept !== undefined && (
        <p>
          As the session left them, since no checkpoint keeps them: {report.notKept.paths.map(visibleText).join(', ')}
          {report.notKept.total > report.notKept.paths.length ? ` and ${report.notKept.total - report.notKept.paths.length} more` : ''}.
        </p>
      )}
    </>
  )
}

const KillResult = ({ report }: { report: KillReport }) => (
  <>
    <p>
      {plural(report.processesKilled, 'process', 'processes')} ended in {formatDuration(report.durationMs)};{' '}
      {report.survivors.length === 0 ? 'nothing is left running.' : `still running: ${report.survivors.join(', ')}.`}
    </p>
    {report.restore !== null && <RestoreResult said="" report={report.restore} />}
    {report.restoreProblem !== null && <p>{visibleText(report.restoreProblem)}</p>}
  </>
)

/** Pause, kill and take back: what a person does to a session, and what came of it. */
export const useSessionActions = (session: Session) => {
  const host = useHost()
  const action = useAction()
  const [report, setReport] = useState<KillReport | null>(null)
  const [undone, setUndone] = useState<RestoreReport | null>(null)
  const { id: sessionId, state } = session
  const isKilling = action.busy === 'Killing…' || state === 'killing'
  const outcome = (
    <>
      <Fault text={action.fault} />
      {report !== null && undone === null && (
        <Note>
          <KillResult report={report} />
        </Note>
      )}
      {undone !== null && (
        <Note>
          <RestoreResult said="The revert was undone:" report={undone} />
        </Note>
      )}
    </>
  )
  return {
    busy: action.busy,
    fault: action.fault,
    isKilling,
    outcome,
    pause: () => action.run('Pausing…', () => host.call('session/pause', { sessionId })),
    resume: () => action.run('Resuming…', () => host.call('session/resume', { sessionId })),
    kill: (keepChanges: boolean) =>
      action.run('Killing…', async () => {
        const { reports } = await host.call('session/kill', { sessionIds: [sessionId], keepChanges })
        setReport(reports[0] ?? null)
        setUndone(null)
      }),
    undo: () => action.run('Undoing…', async () => setUndone(await host.call('session/undo', { sessionId }))),
  }
}

export type SessionActions = ReturnType<typeof useSessionActions>

/** Pause, or resume where it is paused: of a session that lasts. */
export const PauseButton = ({ session, actions, big = false }: { session: Session; actions: SessionActions; big?: boolean }) => {
  const isPaused = session.state === 'paused'
  const name = actions.busy === 'Pausing…' || actions.busy === 'Resuming…' ? actions.busy : isPaused ? 'Resume' : 'Pause'
  return (
    <Button big={big} disabled={actions.busy !== null || !(isPaused || session.state === 'running')} {...(big ? {} : { 'aria-label': `${name} ${visibleText(session.agent)}` })} onClick={isPaused ? actions.resume : actions.pause}>
      {name}
    </Button>
  )
}
