import { useState, type FormEvent } from 'react'
import type { CommandResult } from '../../../shared/contract/protocol.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { faultText, useAction, useHost, useLive, useQuery } from '../../connection/hooks.ts'
import { Button, Fault, Field, Note, Page } from '../../ui/basics.tsx'
import { splitCommand } from './split-command.ts'

interface Recent {
  readonly cwd: string
  readonly command: string
  readonly profile: string
}

const KEY = 'recent-launches'
const MAX_RECENT = 8

const readRecent = (): readonly Recent[] => {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]')
    return Array.isArray(kept) ? kept.filter((one): one is Recent => typeof one?.cwd === 'string' && typeof one.command === 'string' && typeof one.profile === 'string') : []
  } catch {
    return []
  }
}

const keepRecent = (launched: Recent): void => {
  const others = readRecent().filter(({ cwd, command, profile }) => cwd !== launched.cwd || command !== launched.command || profile !== launched.profile)
  localStorage.setItem(KEY, JSON.stringify([launched, ...others].slice(0, MAX_RECENT)))
}

/** What this agent will be able to do, in plain words. */
const Outlook = ({ resolved, cwd }: { resolved: CommandResult<'profile/resolve'>; cwd: string }) => (
  <section className="panel" style={{ padding: '12px 14px', display: 'grid', gap: 8 }}>
    <h2>What it will be able to do</h2>
    <ul style={{ display: 'grid', gap: 4, listStyle: 'disc', paddingLeft: 18 }}>
      <li>
        It runs as <strong>{visibleText(resolved.agent)}</strong> and may read and write in <code>{visibleText(cwd)}</code>, which is kept first, so that everything can be put back.
      </li>
      <li>{resolved.adapter === 'none' ? 'Its single actions are not seen: only the container, the checkpoint and the kill hold.' : 'Each of its tool calls is judged by your policy; what is destructive waits for your answer.'}</li>
      <li>It gets no key or password of yours. Of your environment it sees: {resolved.envNames.length === 0 ? 'nothing' : <code>{resolved.envNames.map(visibleText).join(', ')}</code>}.</li>
      {resolved.notices.map((notice) => (
        <li key={notice}>{visibleText(notice)}</li>
      ))}
    </ul>
  </section>
)

export const LaunchPage = ({ chosen }: { chosen?: string | undefined }) => {
  const host = useHost()
  const live = useLive((snapshot) => snapshot.link === 'live')
  const action = useAction()
  const [recent] = useState(readRecent)
  const [cwd, setCwd] = useState(recent[0]?.cwd ?? '')
  const [command, setCommand] = useState(recent[0]?.command ?? 'claude')
  const [profile, setProfile] = useState(chosen === undefined ? (recent[0]?.profile ?? '') : decodeURIComponent(chosen))
  const profiles = useQuery('profile/list', {}).data?.profiles.filter(({ problem }) => problem === null) ?? []
  const [outlook, setOutlook] = useState<{ resolved: CommandResult<'profile/resolve'>; cwd: string } | null>(null)
  const [fault, setFault] = useState<string | null>(null)

  const target = () => ({ cwd: cwd.trim(), command: [...splitCommand(command)], ...(profile.trim() === '' ? {} : { profile: profile.trim() }) })

  const look = (): void =>
    action.run('Looking…', async () => {
      setOutlook(null)
      setFault(null)
      setOutlook({ resolved: await host.call('profile/resolve', target()), cwd: cwd.trim() })
    })
  const start = (launch: Recent): void =>
    action.run('Starting…', async () => {
      const { cwd, profile } = launch
      const session = await host.call('session/start', {
        cwd,
        command: [...splitCommand(launch.command)],
        ...(profile === '' ? {} : { profile }),
        env: { TERM: 'xterm-256color', COLORTERM: 'truecolor' },
        terminal: { columns: 120, rows: 36 },
        sandbox: 'auto',
      })
      keepRecent(launch)
      location.hash = `#/sessions/${session.id}/terminal`
    })
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    try {
      start({ cwd: cwd.trim(), command: command.trim(), profile: profile.trim() })
    } catch (error) {
      setFault(faultText(error))
    }
  }

  return (
    <Page title="Launch an agent">
      {recent.length > 0 && (
        <section style={{ display: 'grid', gap: 6 }}>
          <h2>Again</h2>
          <div className="bar">
            {recent.map((one) => (
              <Button key={`${one.cwd} ${one.command} ${one.profile}`} disabled={action.busy !== null || !live} title={one.cwd} onClick={() => start(one)}>
                {visibleText(one.command)} in {visibleText(one.cwd.split('/').at(-1) ?? one.cwd)}
                {one.profile === '' ? '' : ` as ${visibleText(one.profile)}`}
              </Button>
            ))}
          </div>
        </section>
      )}
      <form className="form" onSubmit={submit}>
        <Field label="Folder" hint="The project the agent works in: its whole path.">
          {(id, hint) => <input id={id} aria-describedby={hint} className="input mono" required spellCheck={false} value={cwd} onChange={(event) => setCwd(event.target.value)} placeholder="/home/you/project" />}
        </Field>
        <Field label="Command" hint="What starts the agent, such as claude.">
          {(id, hint) => <input id={id} aria-describedby={hint} className="input mono" required spellCheck={false} value={command} onChange={(event) => setCommand(event.target.value)} />}
        </Field>
        <Field label="Profile" hint="What it is called, may do and may spend.">
          {(id, hint) => (
            <select id={id} aria-describedby={hint} className="input" style={{ justifySelf: 'start' }} value={profile} onChange={(event) => setProfile(event.target.value)}>
              <option value="">the folder's own, or the built-in rules</option>
              {profiles.map(({ name, agent }) => (
                <option key={name} value={name}>
                  {visibleText(name)}
                  {agent === null || agent === name ? '' : `, runs as ${visibleText(agent)}`}
                </option>
              ))}
            </select>
          )}
        </Field>
        <div className="bar">
          <Button kind="primary" type="submit" disabled={action.busy !== null || !live}>
            {action.busy === 'Starting…' ? 'Starting…' : 'Start'}
          </Button>
          <Button disabled={action.busy !== null || !live || cwd.trim() === ''} onClick={look}>
            What will it be able to do?
          </Button>
        </div>
      </form>
      <Fault text={fault ?? action.fault} />
      {outlook !== null && <Outlook {...outlook} />}
      {!live && <Note>Nothing can be started while the host is away.</Note>}
    </Page>
  )
}
