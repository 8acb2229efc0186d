import { useState } from 'react'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useAction, useHost, useLive } from '../../connection/hooks.ts'
import { Button } from '../../ui/button.tsx'
import { Facts } from '../../ui/facts.tsx'
import { Fault } from '../../ui/note.tsx'
import { Page } from '../../ui/page.tsx'
import { Ago } from '../../ui/time.tsx'
import { Select } from '../../ui/select.tsx'
import { readTheme, setTheme, type Theme } from './theme.ts'

export const SettingsPage = () => {
  const info = useLive((snapshot) => snapshot.info)
  const host = useHost()
  const action = useAction()
  const [theme, choose] = useState<Theme>(readTheme)
  return (
    <Page title="Settings">
      <div className="form">
        <Select
          label="Appearance"
          hint="High contrast and reduced motion follow your system."
          wide={false}
          value={theme}
          of={[{ value: 'system', name: 'as the system' }, 'light', 'dark']}
          onChange={(next) => {
            choose(next)
            setTheme(next)
          }}
        />
      </div>
      <h2>The host</h2>
      {info === null ? (
        <p className="muted">Not connected.</p>
      ) : (
        <Facts
          of={[
            ['version', info.version],
            ['process', <span className="number" key="pid">{info.pid}</span>],
            ['started', <Ago key="started" at={info.startedAt} />],
            ['approvals are answered on', info.approvalsPage === null ? 'no page' : <a key="page" href={info.approvalsPage} target="_blank" rel="noopener">{info.approvalsPage}</a>],
            ['keeps its data in', <code key="data">{visibleText(info.dataFolder)}</code>],
          ]}
        />
      )}
      <h2>Logins</h2>
      <p className="muted">A login lasts a week, in the browser that used the link.</p>
      <div className="bar">
        <Button kind="danger" disabled={info === null || action.busy !== null} onClick={() => action.run('Logging out…', () => host.call('dashboard/log-out', {}))}>
          Log out every window
        </Button>
      </div>
      <Fault text={action.fault} />
    </Page>
  )
}
