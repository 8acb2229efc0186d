import { useState, type FormEvent, type ReactNode } from 'react'
import type { ProposalId } from '../../../shared/contract/ids.ts'
import { plural } from '../../../shared/domain/format.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useAction, useHost, useQuery } from '../../connection/hooks.ts'
import { Button, ButtonLink } from '../../ui/button.tsx'
import { Fault } from '../../ui/note.tsx'
import { Page } from '../../ui/page.tsx'
import { DiffView } from '../../ui/diff-view.tsx'
import { Badge } from '../../ui/badge.tsx'
import { TextField } from '../../ui/field.tsx'
import { Asked, useProposal } from '../approvals/asked.tsx'
import { FolderField } from '../launch/folder-field.tsx'
import { Outlook } from '../launch/outlook.tsx'
import { SecretDialog } from '../secrets/secret-dialog.tsx'
import { Boundaries } from './boundaries.tsx'

const Step = ({ number, title, children }: { number: number; title: string; children: ReactNode }) => (
  <section className="stack step" aria-label={title}>
    <h2>
      <Badge look="accent">{number}</Badge> {title}
    </h2>
    {children}
  </section>
)

/** Findings said at once: the rest is a page of its own. */
const MAX_SAID = 4

const Machine = () => {
  const { data, fault } = useQuery('host/examine', {})
  const lacking = data?.findings.filter(({ state }) => state !== 'ok') ?? []
  return (
    <>
      <Fault text={fault} />
      {data === null && fault === null && <p className="muted">Trying what holds an agent here…</p>}
      {data !== null && (
        <p>
          {lacking.length === 0 ? 'It has all that Holdfast needs.' : lacking.length === 1 ? 'One thing is missing or fails:' : `${lacking.length} things are missing or fail:`} <a href="#/doctor">{data.findings.length} things were tried</a>
        </p>
      )}
      {lacking.length > 0 && (
        <ul className="dots">
          {lacking.map(({ name, state, message, todo }) => (
            <li key={name}>
              {state === 'fail' && <Badge look="danger">fails</Badge>} <strong>{name}</strong>: {visibleText(message)} {todo !== null && <span className="muted">{visibleText(todo)}</span>}
            </li>
          ))}
        </ul>
      )}
    </>
  )
}

const Audit = ({ cwd }: { cwd: string }) => {
  const { data, fault } = useQuery('host/audit', { project: cwd })
  if (data === null) return fault === null ? <p className="muted">Reading the settings of every agent…</p> : <Fault text={fault} />
  const worst = data.findings.filter(({ severity }) => severity === 'high')
  return (
    <>
      <p>
        {data.findings.length === 0 ? 'Nothing is wrong with how agents are set up here.' : `${plural(data.findings.length, 'finding')}, ${worst.length} high.`} <a href={`#/doctor/setup/${encodeURIComponent(cwd)}`}>What agents reach today, and what to mend</a>
      </p>
      {worst.length > 0 && (
        <ul className="dots">
          {worst.slice(0, MAX_SAID).map(({ what, file, line }, index) => (
            <li key={index}>
              <Badge look="danger">high</Badge> {visibleText(what)}{' '}
              {file !== null && <span className="muted mono" style={{ overflowWrap: 'anywhere' }}>{visibleText(file)}{line === null ? '' : `:${line}`}</span>}
            </li>
          ))}
        </ul>
      )}
    </>
  )
}

/** What its sessions need from the keychain and do not find there. */
const Keys = ({ of }: { of: readonly string[] }) => {
  const { data, fault, reload } = useQuery('secret/list', {})
  const [keeping, setKeeping] = useState<string | null>(null)
  const lacking = data === null ? [] : of.filter((name) => !data.secrets.some((kept) => kept.name === name))
  return (
    <>
      <Fault text={fault} />
      {data !== null && lacking.length === 0 && <p>Every key it needs is kept: {of.map((name) => <code key={name}>{name} </code>)}</p>}
      <ul className="stack tight">
        {lacking.map((name) => (
          <li key={name} className="bar">
            <code>{name}</code> is not kept yet. <Button onClick={() => setKeeping(name)}>Keep {name}</Button>
          </li>
        ))}
      </ul>
      {keeping !== null && (
        <SecretDialog
          kept={null}
          name={keeping}
          onClose={() => setKeeping(null)}
          onDone={() => {
            setKeeping(null)
            reload()
          }}
        />
      )}
    </>
  )
}

/** The proposal for one folder: what the agent could and could not do, the files, the question, and the way on. */
const Proposed = ({ cwd }: { cwd: string }) => {
  const host = useHost()
  const action = useAction()
  const [name, setName] = useState('')
  const [typed, setTyped] = useState('')
  const [proposalId, setProposalId] = useState<ProposalId | null>(null)
  const asked = useProposal(proposalId)
  const { data, fault } = useQuery('setup/propose', { cwd, ...(name === '' ? {} : { name }) })
  if (data === null) return fault === null ? <p className="muted">Reading the project…</p> : <Fault text={fault} />
  const { agent, files, boundaries, secrets, notes, outlook } = data
  const isDone = files.every(({ state }) => state !== 'proposed') || asked?.state === 'applied'
  const rename = (event: FormEvent): void => {
    event.preventDefault()
    setName(typed.trim())
  }
  return (
    <>
      <Step number={3} title="How agents are set up today">
        <Audit cwd={cwd} />
      </Step>
      <Step number={4} title="A governed agent for it">
        <form className="bar" style={{ alignItems: 'end' }} onSubmit={rename}>
          <div style={{ flex: '0 1 320px' }}>
            <TextField mono label="Name of the agent" placeholder={agent} value={typed} onChange={setTyped} />
          </div>
          <Button type="submit" disabled={typed.trim() === name}>Name it so</Button>
        </form>
        <Fault text={fault} />
        <Outlook of={outlook} cwd={cwd} />
        <Boundaries of={boundaries} />
        {notes.length > 0 && (
          <ul className="dots">
            {notes.map((note) => (
              <li key={note}>{visibleText(note)}</li>
            ))}
          </ul>
        )}
        {files.map(({ path, text, state }) => (
          <div key={path} className="stack tight">
            <h3 className="mono" style={{ overflowWrap: 'anywhere' }}>
              {visibleText(path)}
            </h3>
            {state === 'proposed' ? <DiffView label={path} before="" after={text} /> : <p className="muted">{state === 'same' ? 'It is there already, just so.' : 'Another file is there already, and stays as it is.'}</p>}
          </div>
        ))}
        <Fault text={action.fault} />
        <Asked id={proposalId} />
        {!isDone && asked?.state !== 'waiting' && (
          <div className="bar">
            <Button big kind="primary" disabled={action.busy !== null} onClick={() => action.run('Asking…', async () => setProposalId((await host.call('proposal/make', { change: { kind: 'setup', cwd, name: agent } })).id))}>
              {action.busy ?? 'Set it up'}
            </Button>
            <p className="muted">Nothing is written before you confirm it on the approvals page.</p>
          </div>
        )}
      </Step>
      {isDone && (
        <Step number={5} title="Launch it">
          <Keys of={[outlook.modelKey, ...secrets]} />
          <div className="bar">
            <ButtonLink kind="primary" href={`#/launch/folder/${encodeURIComponent(cwd)}/${encodeURIComponent(agent)}`}>
              Launch {visibleText(agent)}
            </ButtonLink>
          </div>
        </Step>
      )}
    </>
  )
}

/** From a machine and a project to a governed agent that runs: the same steps as `holdfast init` at a terminal. */
export const SetupPage = () => {
  const [folder, setFolder] = useState('')
  const [look, setLook] = useState({ cwd: '', round: 0 })
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    setLook(({ round }) => ({ cwd: folder.trim(), round: round + 1 }))
  }
  return (
    <Page title="Set up an agent">
      <Step number={1} title="This machine">
        <Machine />
      </Step>
      <Step number={2} title="Your project">
        <form className="form" onSubmit={submit}>
          <FolderField value={folder} onChange={setFolder} />
          <div className="bar">
            <Button kind="primary" type="submit" disabled={folder.trim() === ''}>
              Look at it
            </Button>
          </div>
        </form>
      </Step>
      {look.cwd !== '' && <Proposed key={look.round} cwd={look.cwd} />}
    </Page>
  )
}
