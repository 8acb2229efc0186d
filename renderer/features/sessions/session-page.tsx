import { lazy, Suspense } from 'react'
import type { Session } from '../../../shared/contract/schemas/session.ts'
import { costText } from '../../../shared/domain/describe.ts'
import { formatUsd } from '../../../shared/domain/format.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useLive } from '../../connection/hooks.ts'
import { ButtonLink, Empty, Foreign, Lasting, Page, StateBadge, Tabs } from '../../ui/basics.tsx'
import { Meter } from '../../ui/meter.tsx'
import { ChangesView } from './changes-view.tsx'
import { useSessionActions } from './session-actions.tsx'
import { projectName } from './sessions-page.tsx'
import { TimelineView } from './timeline-view.tsx'

/** The terminal brings its own library, which is only fetched when one is looked at. */
const TerminalView = lazy(() => import('./terminal-view.tsx').then(({ TerminalView }) => ({ default: TerminalView })))

const Summary = ({ session }: { session: Session }) => {
  const { toolCalls, usage } = session
  const parts = [
    visibleText(session.command.join(' ')),
    `${toolCalls.total} calls: ${toolCalls.read} read, ${toolCalls.write} write, ${toolCalls.destructive} destructive, ${toolCalls.denied} denied`,
    `${costText(usage)}${usage.capMicroUsd === null ? '' : ` of ${formatUsd(usage.capMicroUsd)}`}`,
  ]
  return (
    <p className="muted">
      <span title={session.cwd}>{visibleText(projectName(session.cwd))}</span> · {session.container === 'off' ? <span className="badge danger">no container</span> : `container ${session.container}`} ·{' '}
      {parts.join(' · ')} {usage.capMicroUsd !== null && <Meter spent={usage.costMicroUsd} cap={usage.capMicroUsd} />} · <Lasting from={session.startedAt} until={session.endedAt} />
      {session.reason === null ? null : ` · ${visibleText(session.reason)}`}
    </p>
  )
}

const TheSession = ({ session, tab }: { session: Session; tab: string }) => {
  const { buttons, outcome } = useSessionActions(session, true)
  const at = `#/sessions/${session.id}`
  return (
    <Page
      fill
      title={
        <>
          <Foreign text={session.agent} /> <StateBadge state={session.state} />
        </>
      }
      actions={buttons}
    >
      <Summary session={session} />
      {outcome}
      {session.notices.length > 0 && (
        <details className="note">
          <summary>{session.notices.length === 1 ? 'One thing to know about this session' : `${session.notices.length} things to know about this session`}</summary>
          <ul>
            {session.notices.map((notice) => (
              <li key={notice}>{visibleText(notice)}</li>
            ))}
          </ul>
        </details>
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
