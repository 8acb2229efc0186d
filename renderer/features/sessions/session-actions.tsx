import { useState, type ReactNode } from 'react'
import type { KillReport, Session } from '../../../shared/contract/schemas/session.ts'
import type { RestoreReport } from '../../../shared/contract/schemas/checkpoint.ts'
import { formatDuration } from '../../../shared/domain/format.ts'
import { restoreCounts } from '../../../shared/domain/restore-report.ts'
import { isOver } from '../../../shared/domain/session-state.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useAction, useHost } from '../../connection/hooks.ts'
import { Button, Fault, Note } from '../../ui/basics.tsx'

const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`

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
export const useSessionActions = (session: Session, big: boolean): { buttons: ReactNode; outcome: ReactNode; fault: string | null } => {
  const host = useHost()
  const action = useAction()
  const [report, setReport] = useState<KillReport | null>(null)
  const [undone, setUndone] = useState<RestoreReport | null>(null)
  const { id: sessionId, state } = session
  const busy = action.busy !== null
  const over = isOver(state)

  const kill = (keepChanges: boolean): void =>
    action.run('Killing…', async () => {
      const { reports } = await host.call('session/kill', { sessionIds: [sessionId], keepChanges })
      setReport(reports[0] ?? null)
      setUndone(null)
    })

  const buttons = (
      <div className="bar">
        {!over && (
          <>
            {state === 'paused' ? (
              <Button big={big} disabled={busy} onClick={() => action.run('Resuming…', () => host.call('session/resume', { sessionId }))}>
                Resume
              </Button>
            ) : (
              <Button big={big} disabled={busy || state !== 'running'} onClick={() => action.run('Pausing…', () => host.call('session/pause', { sessionId }))}>
                {action.busy === 'Pausing…' ? 'Pausing…' : 'Pause'}
              </Button>
            )}
            {big && (
              <Button big kind="danger" disabled={action.busy === 'Killing…' || state === 'killing'} title="Ends the agent and leaves its files as they are" onClick={() => kill(true)}>
                Kill, keep changes
              </Button>
            )}
            <Button big={big} kind="stop" disabled={action.busy === 'Killing…' || state === 'killing'} title="Ends the agent and puts the folder back as it was at the start. Can be undone." onClick={() => kill(false)}>
              {action.busy === 'Killing…' || state === 'killing' ? 'Killing…' : big ? 'Kill and revert' : 'Kill'}
            </Button>
          </>
        )}
        {big && over && session.startCheckpoint !== null && (
          <Button disabled={busy} onClick={() => action.run('Undoing…', async () => setUndone(await host.call('session/undo', { sessionId })))}>
            {action.busy === 'Undoing…' ? 'Undoing…' : 'Undo the last revert'}
          </Button>
        )}
      </div>
  )
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
  return { buttons, outcome, fault: action.fault }
}
