import { isOver } from '../../../shared/domain/session-state.ts'
import { costText } from '../../../shared/domain/describe.ts'
import { formatUsd } from '../../../shared/domain/format.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import type { Session } from '../../../shared/contract/schemas/session.ts'
import { useAction, useHost, useLive } from '../../connection/hooks.ts'
import { useNow } from '../../ui/use-now.ts'
import { StateBadge, Badge } from '../../ui/badge.tsx'
import { Button, ButtonLink } from '../../ui/button.tsx'
import { Empty, Fault } from '../../ui/note.tsx'
import { Page } from '../../ui/page.tsx'
import { Ago, Lasting } from '../../ui/time.tsx'
import { Table } from '../../ui/table.tsx'
import { Meter } from '../../ui/meter.tsx'
import { PauseButton, useSessionActions } from './session-actions.tsx'

export const projectName = (cwd: string): string => cwd.split(/[/\\]/).findLast((part) => part !== '') ?? cwd

/** Cost an hour so far, once there is a minute to go by. */
const Rate = ({ session }: { session: Session }) => {
  const now = useNow(5_000)
  const hours = ((session.endedAt ?? now) - session.startedAt) / 3_600_000
  if (session.usage.costMicroUsd === 0 || hours < 1 / 60) return <>–</>
  return <>{formatUsd(Math.round(session.usage.costMicroUsd / hours))}/h</>
}

const Row = ({ session }: { session: Session }) => {
  const actions = useSessionActions(session)
  return (
  <tr>
    <td>
      <StateBadge state={session.state} />
    </td>
    <td>
      <a href={`#/sessions/${session.id}`}>
        <strong>
          {visibleText(session.agent)}
        </strong>
      </a>
      {session.waitingApprovals > 0 && <> <Badge look="accent">{session.waitingApprovals} waiting</Badge></>}
    </td>
    <td className="clip" title={session.cwd} style={{ maxWidth: 200 }}>
      {visibleText(projectName(session.cwd))}
    </td>
    <td className="wide-only">{session.container === 'off' ? <Badge look="danger">no container</Badge> : session.container}</td>
    <td className="end number wide-only">{session.adapter === 'none' ? <span title="Single calls of this command are not seen">not seen</span> : session.toolCalls.total}</td>
    <td className="end number">
      {costText(session.usage)}
      {session.usage.capMicroUsd !== null && (
        <span className="muted wide-only">
          {' '}
          of {formatUsd(session.usage.capMicroUsd)} <Meter spent={session.usage.costMicroUsd} cap={session.usage.capMicroUsd} />
        </span>
      )}
    </td>
    <td className="end number wide-only">
      <Rate session={session} />
    </td>
    <td className="wide-only">
      {isOver(session.state) ? <Ago at={session.endedAt ?? session.startedAt} /> : <Lasting from={session.startedAt} until={null} />}
    </td>
    <td className="end">
      {!isOver(session.state) && (
        <div className="bar">
          <PauseButton session={session} actions={actions} />
          <Button
            kind="stop"
            disabled={actions.isKilling}
            aria-label={`Kill ${visibleText(session.agent)} and revert`}
            title="Ends the agent and puts the folder back as it was at the start. Can be undone."
            onClick={() => actions.kill(false)}
          >
            {actions.isKilling ? 'Killing…' : 'Kill'}
          </Button>
        </div>
      )}
      <Fault text={actions.fault} />
    </td>
  </tr>
  )
}

const SessionTable = ({ label, sessions }: { label: string; sessions: readonly Session[] }) => (
  <Table label={label} head={['State', 'Agent', 'Project', { name: 'Container', className: 'wide-only' }, { name: 'Calls', className: 'end wide-only' }, { name: 'Cost', className: 'end' }, { name: 'Rate', className: 'end wide-only' }, { name: 'Age', className: 'wide-only' }, { name: 'Actions', hidden: true }]}>
    {sessions.map((session) => (
      <Row key={session.id} session={session} />
    ))}
  </Table>
)

export const SessionsPage = () => {
  const host = useHost()
  const sessions = useLive((snapshot) => snapshot.sessions)
  const loaded = useLive((snapshot) => snapshot.connection > 0)
  const action = useAction()
  const live = sessions.filter(({ state }) => !isOver(state))
  const over = sessions.filter(({ state }) => isOver(state))
  return (
    <Page
      title="Sessions"
      actions={
        <>
          {live.length > 1 && (
            <Button kind="danger" disabled={action.busy !== null} onClick={() => action.run('Killing…', () => host.call('session/kill', { sessionIds: 'all', keepChanges: false }))}>
              Kill all and revert
            </Button>
          )}
          <ButtonLink kind="primary" href="#/launch">
            Launch an agent
          </ButtonLink>
        </>
      }
    >
      <Fault text={action.fault} />
      {loaded && sessions.length === 0 && (
        <div className="panel">
          <Empty title="No agent has run yet">
            <p>
              Make one for a project of yours, in a few minutes; or launch one as it is, here or in a terminal: <code>holdfast run -- claude</code>
            </p>
            <ButtonLink kind="primary" href="#/setup">
              Set up an agent
            </ButtonLink>
          </Empty>
        </div>
      )}
      {live.length > 0 && <SessionTable label="Running sessions" sessions={live} />}
      {over.length > 0 && (
        <>
          <h2>Over</h2>
          <SessionTable label="Sessions that are over" sessions={over} />
        </>
      )}
    </Page>
  )
}
