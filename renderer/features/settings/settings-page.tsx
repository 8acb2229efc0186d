import { useState } from 'react'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useLive } from '../../connection/hooks.ts'
import { Ago, Facts, Field, Page } from '../../ui/basics.tsx'
import { readTheme, setTheme, type Theme } from './theme.ts'

export const SettingsPage = () => {
  const info = useLive((snapshot) => snapshot.info)
  const [theme, choose] = useState<Theme>(readTheme)
  return (
    <Page title="Settings">
      <div className="form">
        <Field label="Appearance" hint="High contrast and reduced motion follow your system.">
          {(id, hint) => (
            <select
              id={id}
              aria-describedby={hint}
              className="input"
              style={{ justifySelf: 'start' }}
              value={theme}
              onChange={(event) => {
                const next = event.target.value as Theme
                choose(next)
                setTheme(next)
              }}
            >
              <option value="system">as the system</option>
              <option value="light">light</option>
              <option value="dark">dark</option>
            </select>
          )}
        </Field>
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
            ['keeps its data in', <code key="data">{visibleText(info.dataFolder)}</code>],
          ]}
        />
      )}
    </Page>
  )
}
