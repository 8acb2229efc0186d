import { useEffect, useRef, type ReactNode } from 'react'
import { isOver } from '../shared/domain/session-state.ts'
import { visibleText } from '../shared/domain/visible-text.ts'
import { useLive, useRoute } from './connection/hooks.ts'
import { AgentsPage } from './features/agents/agents-page.tsx'
import { AuditPage } from './features/audit/audit-page.tsx'
import { DoctorPage } from './features/doctor/doctor-page.tsx'
import { LaunchPage } from './features/launch/launch-page.tsx'
import { SecretsPage } from './features/secrets/secrets-page.tsx'
import { ServersPage } from './features/servers/servers-page.tsx'
import { SessionPage } from './features/sessions/session-page.tsx'
import { SessionsPage } from './features/sessions/sessions-page.tsx'
import { SettingsPage } from './features/settings/settings-page.tsx'
import { UsagePage } from './features/usage/usage-page.tsx'
import { ButtonLink, ClockTime } from './ui/basics.tsx'

const PAGES: readonly { id: string; name: string; page(rest: readonly string[]): ReactNode }[] = [
  { id: 'sessions', name: 'Sessions', page: ([id, tab]) => (id === undefined ? <SessionsPage /> : <SessionPage id={id} tab={tab ?? 'timeline'} />) },
  { id: 'launch', name: 'Launch', page: ([profile]) => <LaunchPage key={profile} chosen={profile} /> },
  { id: 'agents', name: 'Agents', page: () => <AgentsPage /> },
  { id: 'usage', name: 'Usage', page: () => <UsagePage /> },
  { id: 'audit', name: 'Audit log', page: () => <AuditPage /> },
  { id: 'servers', name: 'Servers', page: () => <ServersPage /> },
  { id: 'secrets', name: 'Secrets', page: () => <SecretsPage /> },
  { id: 'settings', name: 'Settings', page: () => <SettingsPage /> },
  { id: 'doctor', name: 'Doctor', page: () => <DoctorPage /> },
]

const Mark = () => (
  <svg width="18" height="18" viewBox="0 0 16 16" aria-hidden="true">
    <rect x="1" y="1" width="14" height="14" rx="3" fill="currentColor" />
    <path d="M5 4v8M11 4v8M5 8h6" stroke="var(--surface)" strokeWidth="2" />
  </svg>
)

/** What a browser without a login sees. */
export const Welcome = () => (
  <main className="welcome">
    <h1>This window is not logged in</h1>
    <p>A login link works once and for a minute, and the login ends with the host. Get a new link with:</p>
    <pre className="block">holdfast up --shell browser</pre>
  </main>
)

const LinkBanner = () => {
  const link = useLive((snapshot) => snapshot.link)
  if (link === 'live' || link === 'connecting') return null
  return (
    <div className="banner fault" role="alert">
      <p>
        {link === 'away' ? (
          <strong>The host cannot be reached. What you see is from before; this window tries again by itself.</strong>
        ) : (
          <>
            <strong>This window is logged out.</strong> Open it anew with <code>holdfast up --shell browser</code>.
          </>
        )}
      </p>
    </div>
  )
}

const AlarmBanner = () => {
  const alarm = useLive((snapshot) => snapshot.alarms[0])
  if (alarm === undefined) return null
  return (
    <div className="banner fault" role="alert">
      <p>
        <strong>Alarm</strong> <ClockTime at={alarm.at} />: {visibleText(alarm.message)}
      </p>
      {alarm.sessionId !== null && <ButtonLink href={`#/sessions/${alarm.sessionId}`}>Show the session</ButtonLink>}
    </div>
  )
}

const ApprovalBanner = () => {
  const count = useLive((snapshot) => snapshot.approvals.length)
  const page = useLive((snapshot) => snapshot.info?.approvalsPage ?? null)
  if (count === 0 || page === null) return null
  return (
    <div className="banner" role="status">
      <p>
        <strong>{count === 1 ? 'One call waits for your answer.' : `${count} calls wait for your answer.`}</strong>
      </p>
      <ButtonLink kind="primary" href={page} target="_blank" rel="noopener">
        Answer
      </ButtonLink>
    </div>
  )
}

export const App = () => {
  const route = useRoute()
  const link = useLive((snapshot) => snapshot.link)
  const waiting = useLive((snapshot) => snapshot.approvals.length)
  const running = useLive((snapshot) => snapshot.sessions.filter(({ state }) => !isOver(state)).length)
  const approvalsPage = useLive((snapshot) => snapshot.info?.approvalsPage ?? null)
  const main = useRef<HTMLElement>(null)
  const current = PAGES.find(({ id }) => id === route[0]) ?? PAGES[0]
  const name = current?.name ?? ''
  useEffect(() => {
    document.title = `${waiting > 0 ? `(${waiting}) ` : ''}${name} · Holdfast`
  }, [name, waiting])
  const address = route.join('/')
  useEffect(() => {
    main.current?.scrollTo(0, 0)
  }, [address])

  return (
    <div className="shell">
      <header className="side">
        <div className="brand">
          <Mark />
          <span>Holdfast</span>
        </div>
        <nav className="nav" aria-label="Pages">
          {PAGES.map(({ id, name }) => (
            <a key={id} href={`#/${id}`} aria-current={id === current?.id ? 'page' : undefined}>
              {name}
              {id === 'sessions' && running > 0 && <span className="badge quiet number" title={`${running} running`}>{running}</span>}
            </a>
          ))}
          {approvalsPage !== null && (
            <a href={approvalsPage} target="_blank" rel="noopener">
              Approvals
              {waiting > 0 && <span className="badge accent number">{waiting}</span>}
            </a>
          )}
        </nav>
        <p className="side-end muted" role="status">
          {link === 'live' ? 'Connected' : link === 'connecting' ? 'Connecting…' : link === 'away' ? 'Host away' : 'Logged out'}
        </p>
      </header>
      <main className="main" ref={main} tabIndex={-1}>
        <LinkBanner />
        <AlarmBanner />
        <ApprovalBanner />
        {current?.page(route.slice(1))}
      </main>
    </div>
  )
}
