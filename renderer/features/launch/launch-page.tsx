import { useEffect, useState, type FormEvent } from 'react'
import type { ResolvedProfile } from '../../../shared/contract/schemas/setup.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { faultText, useAction, useHost, useLive, useQuery } from '../../connection/hooks.ts'
import { Button } from '../../ui/button.tsx'
import { Fault, Note } from '../../ui/note.tsx'
import { Page } from '../../ui/page.tsx'
import { TextField } from '../../ui/field.tsx'
import { Select } from '../../ui/select.tsx'
import { projectName } from '../sessions/sessions-page.tsx'
import { FolderField } from './folder-field.tsx'
import { Outlook } from './outlook.tsx'
import { keepRecent, readRecent, type Launch } from './recent.ts'
import { splitCommand } from './split-command.ts'

/** How long a person pauses before what they chose is looked at, in ms. */
const TYPING_MS = 300

const targetOf = ({ cwd, command, profile }: Launch) => ({ cwd: cwd.trim(), command: [...splitCommand(command)], ...(profile === '' ? {} : { profile }) })

/** What would come of a launch, asked anew whenever it changes. */
const useOutlook = (launch: Launch): { resolved: ResolvedProfile | null; fault: string | null } => {
  const host = useHost()
  const connection = useLive((snapshot) => snapshot.connection)
  const [answer, setAnswer] = useState<{ resolved: ResolvedProfile | null; fault: string | null }>({ resolved: null, fault: null })
  const key = JSON.stringify(targetOf(launch))
  useEffect(() => {
    const target = JSON.parse(key) as ReturnType<typeof targetOf>
    if (connection === 0 || target.cwd === '' || target.command.length === 0) {
      setAnswer({ resolved: null, fault: null })
      return undefined
    }
    let wanted = true
    const timer = setTimeout(() => {
      host.call('profile/resolve', target).then(
        (resolved) => wanted && setAnswer({ resolved, fault: null }),
        (error: unknown) => wanted && setAnswer({ resolved: null, fault: faultText(error) }),
      )
    }, TYPING_MS)
    return () => {
      wanted = false
      clearTimeout(timer)
    }
  }, [host, connection, key])
  return answer
}

const Again = ({ recent, disabled, onStart }: { recent: readonly Launch[]; disabled: boolean; onStart(launch: Launch): void }) => (
  <section className="stack tight">
    <h2>Again</h2>
    <div className="bar">
      {recent.map((one) => (
        <Button key={`${one.cwd} ${one.command} ${one.profile}`} disabled={disabled} title={`${one.command} in ${one.cwd}`} onClick={() => onStart(one)}>
          {visibleText(one.command)} in {visibleText(projectName(one.cwd))}
          {one.profile === '' ? '' : ` as ${visibleText(one.profile)}`}
        </Button>
      ))}
    </div>
  </section>
)

/** `chosen`: a profile's name as it stands in the address; `folder`: one that was dropped on the app. */
export const LaunchPage = ({ chosen, folder }: { chosen?: string | undefined; folder?: string }) => {
  const host = useHost()
  const live = useLive((snapshot) => snapshot.link === 'live')
  const action = useAction()
  const [recent] = useState(readRecent)
  const [launch, setLaunch] = useState<Launch>(() => {
    const last = recent[0] ?? { cwd: '', command: 'claude', profile: '' }
    return { ...last, ...(folder === undefined ? {} : { cwd: folder }), ...(chosen === undefined ? {} : { profile: decodeURIComponent(chosen) }) }
  })
  const profiles = useQuery('profile/list', {}).data?.profiles.filter(({ problem }) => problem === null) ?? []
  const { resolved, fault } = useOutlook(launch)

  const start = (wanted: Launch): void =>
    action.run('Starting…', async () => {
      const session = await host.call('session/start', { ...targetOf(wanted), env: { TERM: 'xterm-256color', COLORTERM: 'truecolor' }, terminal: { columns: 120, rows: 36 }, sandbox: 'auto' })
      keepRecent(wanted)
      location.hash = `#/sessions/${session.id}/terminal`
    })
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    start({ cwd: launch.cwd.trim(), command: launch.command.trim(), profile: launch.profile })
  }
  const busy = action.busy !== null || !live

  return (
    <Page title="Launch an agent">
      {recent.length > 0 && <Again recent={recent} disabled={busy} onStart={start} />}
      <Fault text={action.fault} />
      {!live && <Note>Nothing can be started while the host is away.</Note>}
      <div className="editor">
        <form className="form" onSubmit={submit}>
          <FolderField value={launch.cwd} onChange={(cwd) => setLaunch((before) => ({ ...before, cwd }))} />
          <Select
            label="Profile"
            hint="What it is called, may do and may spend."
            value={launch.profile}
            of={[
              { value: '', name: 'the folder’s own, or the built-in rules' },
              ...profiles.map(({ name, agent }) => ({ value: name, name: `${visibleText(name)}${agent === null || agent === name ? '' : `, runs as ${visibleText(agent)}`}` })),
            ]}
            onChange={(profile) => setLaunch({ ...launch, profile })}
          />
          <TextField mono required label="Command" hint="What starts the agent, such as claude." value={launch.command} onChange={(command) => setLaunch({ ...launch, command })} />
          <div className="bar">
            <Button big kind="primary" type="submit" disabled={busy}>
              {action.busy === 'Starting…' ? 'Starting…' : 'Start'}
            </Button>
          </div>
        </form>
        <div className="stack">
          <Fault text={fault} />
          {resolved !== null && <Outlook of={resolved} cwd={launch.cwd.trim()} />}
          {resolved === null && fault === null && <p className="muted">Choose a folder, and what this agent will be able to do stands here.</p>}
        </div>
      </div>
    </Page>
  )
}
