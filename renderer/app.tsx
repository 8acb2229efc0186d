import { lazy, Suspense, useEffect, useRef, type ReactNode } from 'react'
import { isOver } from '../shared/domain/session-state.ts'
import { visibleText } from '../shared/domain/visible-text.ts'
import { useLive, useRoute } from './connection/hooks.ts'
import type { LinkState } from './connection/host-link.ts'
import type { Snapshot } from './connection/store.ts'
import { SessionsPage } from './features/sessions/sessions-page.tsx'
import { isInApp } from './login/open-socket.ts'
import { Boundary } from './ui/boundary.tsx'
import { Button, ButtonLink } from './ui/button.tsx'
import { Empty } from './ui/note.tsx'
import { Page } from './ui/page.tsx'
import { ClockTime } from './ui/time.tsx'
import { Badge, type BadgeLook } from './ui/badge.tsx'

/** Each page but the list of sessions comes when it is first looked at, so that the window paints without waiting for all of them. */
const AgentsPage = lazy(async () => ({ default: (await import('./features/agents/agents-page.tsx')).AgentsPage }))
const ApprovalsPage = lazy(async () => ({ default: (await import('./features/approvals/approvals-page.tsx')).ApprovalsPage }))
const AuditPage = lazy(async () => ({ default: (await import('./features/audit/audit-page.tsx')).AuditPage }))
const DoctorPage = lazy(async () => ({ default: (await import('./features/doctor/doctor-page.tsx')).DoctorPage }))
const LaunchPage = lazy(async () => ({ default: (await import('./features/launch/launch-page.tsx')).LaunchPage }))
const PolicyPage = lazy(async () => ({ default: (await import('./features/policy/policy-page.tsx')).PolicyPage }))
const SecretsPage = lazy(async () => ({ default: (await import('./features/secrets/secrets-page.tsx')).SecretsPage }))
const ServersPage = lazy(async () => ({ default: (await import('./features/servers/servers-page.tsx')).ServersPage }))
const SessionPage = lazy(async () => ({ default: (await import('./features/sessions/session-page.tsx')).SessionPage }))
const SettingsPage = lazy(async () => ({ default: (await import('./features/settings/settings-page.tsx')).SettingsPage }))
const SetupPage = lazy(async () => ({ default: (await import('./features/setup/setup-page.tsx')).SetupPage }))
const UsagePage = lazy(async () => ({ default: (await import('./features/usage/usage-page.tsx')).UsagePage }))

const PAGES: readonly { id: string; name: string; page(rest: readonly string[]): ReactNode }[] = [
  { id: 'sessions', name: 'Sessions', page: ([id, tab]) => (id === undefined ? <SessionsPage /> : <SessionPage id={id} tab={tab ?? 'timeline'} />) },
  { id: 'approvals', name: 'Approvals', page: () => <ApprovalsPage /> },
  { id: 'launch', name: 'Launch', page: ([what, folder, name]) => (folder === undefined ? <LaunchPage key={what} chosen={what} /> : <LaunchPage key={folder} chosen={name} folder={decodeURIComponent(folder)} />) },
  { id: 'setup', name: 'Set up', page: () => <SetupPage /> },
  { id: 'agents', name: 'Agents', page: ([name]) => <AgentsPage chosen={name} /> },
  { id: 'policy', name: 'Policy', page: ([tab]) => <PolicyPage tab={tab ?? 'rules'} /> },
  { id: 'servers', name: 'Servers', page: () => <ServersPage /> },
  { id: 'secrets', name: 'Secrets', page: () => <SecretsPage /> },
  { id: 'usage', name: 'Usage', page: () => <UsagePage /> },
  { id: 'audit', name: 'Audit log', page: () => <AuditPage /> },
  { id: 'settings', name: 'Settings', page: () => <SettingsPage /> },
  { id: 'doctor', name: 'Doctor', page: ([tab, project]) => <DoctorPage tab={tab ?? 'machine'} project={project === undefined ? '' : decodeURIComponent(project)} /> },
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
    {isInApp() ? (
      <p>The app logs its windows in by itself. Close this one and open it again from the tray.</p>
    ) : (
      <>
        <p>A login link works once and for a minute, and the login lasts a week. Get a new link with:</p>
        <pre className="block">holdfast up --shell browser</pre>
      </>
    )}
  </main>
)

const LINK_WORDS: Readonly<Record<'away' | 'logged-out' | 'stranger', string>> = {
  away: 'The host cannot be reached. What you see is from before; this window goes on by itself as soon as it is back.',
  'logged-out': 'This window is logged out.',
  stranger: 'Another program answers at this window’s address, and was told nothing. Close this window.',
}

const LinkBanner = () => {
  const link = useLive((snapshot) => snapshot.link)
  if (link === 'live' || link === 'connecting') return null
  return (
    <div className="banner fault" role="alert">
      <p>
        <strong>{LINK_WORDS[link]}</strong>{' '}
        {link !== 'away' && (isInApp() ? 'The app opens a new one from its tray.' : <>Open it anew with <code>holdfast up --shell browser</code>.</>)}
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

/** Calls and changes that wait for a person. */
const waitingIn = ({ approvals, proposals }: Snapshot): number => approvals.length + proposals.filter(({ state }) => state === 'waiting').length

const saysWhatWaits = (calls: number, changes: number): string => {
  const parts = [...(calls === 0 ? [] : [calls === 1 ? 'One call' : `${calls} calls`]), ...(changes === 0 ? [] : [changes === 1 ? 'one change of a rule' : `${changes} changes of rules`])]
  const text = `${parts.join(' and ')} ${calls + changes === 1 ? 'waits' : 'wait'} for your answer.`
  return text.charAt(0).toUpperCase() + text.slice(1)
}

const ApprovalBanner = () => {
  const calls = useLive((snapshot) => snapshot.approvals.length)
  const count = useLive(waitingIn)
  const page = useLive((snapshot) => snapshot.info?.approvalsPage ?? null)
  if (count === 0 || page === null) return null
  return (
    <div className="banner" role="status">
      <p>
        <strong>{saysWhatWaits(calls, count - calls)}</strong>
      </p>
      <ButtonLink kind="primary" href={page} target="_blank" rel="noopener">
        Answer
      </ButtonLink>
    </div>
  )
}

const Count = ({ look, of, what }: { look: BadgeLook; of: number; what: string }) => (
  <Badge look={look} title={`${of} ${what}`}>
    <span className="hidden-text">, </span>
    {of}
    <span className="hidden-text"> {what}</span>
  </Badge>
)

/** A page that could not be drawn, or whose part did not come. */
const Failed = ({ name }: { name: string }) => (
  <Page title={name}>
    <div className="panel" role="alert">
      <Empty title="This page cannot be shown">
        <p>Holdfast may have been renewed since this window was opened. The other pages go on.</p>
        <Button kind="primary" onClick={() => location.reload()}>
          Load the window anew
        </Button>
      </Empty>
    </div>
  </Page>
)

const LINK_NAMES: Readonly<Record<LinkState, string>> = { live: 'Connected', connecting: 'Connecting…', away: 'Host away', 'logged-out': 'Logged out', stranger: 'Not the host' }

export const App = () => {
  const route = useRoute()
  const link = useLive((snapshot) => snapshot.link)
  const waiting = useLive(waitingIn)
  const running = useLive((snapshot) => snapshot.sessions.filter(({ state }) => !isOver(state)).length)
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
      <div className="skip">
        <Button onClick={() => main.current?.focus()}>Go to the page itself</Button>
      </div>
      <header className="side">
        <div className="brand">
          <Mark />
          <span>Holdfast</span>
        </div>
        <nav className="nav" aria-label="Pages">
          {PAGES.map(({ id, name }) => (
            <a key={id} href={`#/${id}`} aria-current={id === current?.id ? 'page' : undefined}>
              {name}
              {id === 'approvals' && waiting > 0 && <Count look="accent" of={waiting} what="waiting" />}
              {id === 'sessions' && running > 0 && <Count look="quiet" of={running} what="running" />}
            </a>
          ))}
        </nav>
        <p className="side-end muted" role="status">
          {LINK_NAMES[link]}
        </p>
      </header>
      <main className="main" ref={main} tabIndex={-1}>
        <LinkBanner />
        <AlarmBanner />
        <ApprovalBanner />
        <Boundary key={current?.id} instead={<Failed name={name} />}>
          <Suspense fallback={<Page title={name}>{null}</Page>}>{current?.page(route.slice(1))}</Suspense>
        </Boundary>
      </main>
    </div>
  )
}
