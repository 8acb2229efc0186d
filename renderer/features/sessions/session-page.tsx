import { lazy, Suspense } from 'react'
import type { Session } from '../../../shared/contract/schemas/session.ts'
import { costText, lastMinuteText } from '../../../shared/domain/describe.ts'
import { formatUsd, plural } from '../../../shared/domain/format.ts'
import { isOver } from '../../../shared/domain/session-state.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useLive } from '../../connection/hooks.ts'
import { StateBadge, Badge } from '../../ui/badge.tsx'
import { Button, ButtonLink } from '../../ui/button.tsx'
import { Empty } from '../../ui/note.tsx'
import { Page, Tabs } from '../../ui/page.tsx'
import { Lasting } from '../../ui/time.tsx'
import { Meter } from '../../ui/meter.tsx'
import { Disclosure } from '../../ui/disclosure.tsx'
import { Tooltip } from '../../ui/tooltip.tsx'
import { ChangesView } from './changes-view.tsx'
import { PauseButton, useSessionActions, type SessionActions } from './session-actions.tsx'
import { projectName } from './sessions-page.tsx'
import { TimelineView } from './timeline-view.tsx'

/** The terminal brings its own library, which is only fetched when one is looked at. */
const TerminalView = lazy(() => import('./terminal-view.tsx').then(({ TerminalView }) => ({ default: TerminalView })))

const Summary = ({ session }: { session: Session }) => {
  const { toolCalls, usage } = session
  const parts = [
    visibleText(session.command.join(' ')),
    `${plural(toolCalls.total, 'call')}: ${toolCalls.read} read, ${toolCalls.write} write, ${toolCalls.destructive} destructive, ${toolCalls.denied} denied`,
    `${costText(usage)}${usage.capMicroUsd === null ? '' : ` of ${formatUsd(usage.capMicroUsd)}`}`,
  ]
  return (
    <p className="muted">
      <span title={session.cwd}>{visibleText(projectName(session.cwd))}</span> · {session.container === 'off' ? <Badge look="danger">no container</Badge> : `container ${session.container}`} ·{' '}
      {parts.join(' · ')} {usage.capMicroUsd !== null && <Meter spent={usage.costMicroUsd} cap={usage.capMicroUsd} />} · <Lasting from={session.startedAt} until={session.endedAt} />
      {!isOver(session.state) && <> · <span className="number" style={{ whiteSpace: 'nowrap' }}>last minute: {lastMinuteText(session.lastMinute)}</span></>}
      {session.reason === null ? null : ` · ${visibleText(session.reason)}`}
    </p>
  )
}

const Actions = ({ session, actions }: { session: Session; actions: SessionActions }) => {
  if (isOver(session.state)) {
    if (session.startCheckpoint === null) return null
    return (
      <Button disabled={actions.busy !== null} onClick={actions.undo}>
        {actions.busy === 'Undoing…' ? 'Undoing…' : 'Undo the last revert'}
      </Button>
    )
  }
  return (
    <div className="bar">
      <PauseButton big session={session} actions={actions} />
      <Tooltip text="Ends the agent, and leaves its files as they are.">
        <Button big kind="danger" disabled={actions.isKilling} onClick={() => actions.kill(true)}>
          Kill, keep changes
        </Button>
      </Tooltip>
      <Tooltip text="Ends the agent, and puts the folder back as it was at the start. Can be undone.">
        <Button big kind="stop" disabled={actions.isKilling} onClick={() => actions.kill(false)}>
          {actions.isKilling ? 'Killing…' : 'Kill and revert'}
        </Button>
      </Tooltip>
    </div>
  )
}

const TheSession = ({ session, tab }: { session: Session; tab: string }) => {
  const actions = useSessionActions(session)
  const at = `#/sessions/${session.id}`
  return (
    <Page
      fill
      title={
        <>
          {visibleText(session.agent)} <StateBadge state={session.state} />
        </>
      }
      actions={<Actions session={session} actions={actions} />}
    >
      <Summary session={session} />
      {actions.outcome}
      {session.notices.length > 0 && (
        <div className="note">
          <Disclosure summary={session.notices.length === 1 ? 'One thing to know about this session' : `${session.notices.length} things to know about this session`}>
          <ul>
            {session.notices.map((notice) => (
              <li key={notice}>{visibleText(notice)}</li>
            ))}
          </ul>
          </Disclosure>
        </div>
      )}
      <Tabs
        label="Parts of the session"
        current={tab}
        of={[
          { id: 'timeline', name: 'Timeline', href: at },
          { id: 'terminal', name: 'Terminal', href: `${at}/terminal` },
          { id: 'changes', name: 'Changes', href: `${at}/changes` },
        ]}
      />
      {tab === 'timeline' && <TimelineView sessionId={session.id} />}
      {tab === 'terminal' && (
        <Suspense fallback={<p className="muted">Loading the terminal…</p>}>
          <TerminalView session={session} />
        </Suspense>
      )}
      {tab === 'changes' && <ChangesView session={session} />}
    </Page>
  )
}

export const SessionPage = ({ id, tab }: { id: string; tab: string }) => {
  const session = useLive((snapshot) => snapshot.sessions.find((one) => one.id === id))
  const loaded = useLive((snapshot) => snapshot.connection > 0)
  if (session !== undefined) return <TheSession key={session.id} session={session} tab={tab} />
  return (
    <Page title="Session">
      {loaded && (
        <Empty title="There is no such session">
          <p>The host may have been restarted since; what it did is in the audit log.</p>
          <ButtonLink href="#/sessions">All sessions</ButtonLink>
        </Empty>
      )}
    </Page>
  )
}
