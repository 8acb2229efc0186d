import { useState, type FormEvent } from 'react'
import type { SecretInfo } from '../../../shared/contract/schemas/secret.ts'
import { secretState, secretStateText } from '../../../shared/domain/secret-state.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useAction, useHost, useNow, useQuery } from '../../connection/hooks.ts'
import { Ago, Button, Empty, Fault, Field, Note, Page } from '../../ui/basics.tsx'
import { Dialog } from '../../ui/dialog.tsx'

/** A value goes in here and never comes out: it is not kept in the page after it was sent. */
const SecretDialog = ({ kept, onClose, onDone }: { kept: SecretInfo | null; onClose(): void; onDone(name: string): void }) => {
  const given = kept?.name ?? null
  const host = useHost()
  const action = useAction()
  const [name, setName] = useState(given ?? '')
  const [value, setValue] = useState('')
  const [until, setUntil] = useState('')
  const [owner, setOwner] = useState(kept?.owner ?? '')
  const [scope, setScope] = useState(kept?.scope ?? '')
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    action.run('Keeping…', async () => {
      await host.call('secret/set', { name: name.trim(), value, details: { ...(until === '' ? {} : { expiresAt: new Date(`${until}T00:00`).getTime() }), ...(owner.trim() === '' ? {} : { owner: owner.trim() }), ...(scope.trim() === '' ? {} : { scope: scope.trim() }) } })
      setValue('')
      onDone(name.trim())
    })
  }
  return (
    <Dialog title={given === null ? 'Keep a secret' : `Rotate ${given}`} onClose={onClose}>
      <form className="form" onSubmit={submit}>
        {given === null && (
          <Field label="Name" hint="Such as agent/github-pat. Profiles and servers refer to it by this name.">
            {(id, hint) => <input id={id} aria-describedby={hint} className="input mono" required spellCheck={false} autoComplete="off" value={name} onChange={(event) => setName(event.target.value)} />}
          </Field>
        )}
        <Field label={given === null ? 'Value' : 'New value'} hint="Goes to this system's keychain, and is never shown again.">
          {(id, hint) => <input id={id} aria-describedby={hint} className="input mono" type="password" required autoComplete="off" value={value} onChange={(event) => setValue(event.target.value)} />}
        </Field>
        <div className="pair">
          <Field label="Opens the account of" hint="Best an account of the agent’s own.">
            {(id, hint) => <input id={id} aria-describedby={hint} className="input" maxLength={200} value={owner} placeholder="claude-bot" onChange={(event) => setOwner(event.target.value)} />}
          </Field>
          <Field label="Reaches" hint="How far it goes.">
            {(id, hint) => <input id={id} aria-describedby={hint} className="input" maxLength={200} value={scope} placeholder="acme/web, read" onChange={(event) => setScope(event.target.value)} />}
          </Field>
          <Field label="Expires" hint="From that day on nobody gets it.">
            {(id, hint) => <input id={id} aria-describedby={hint} className="input" type="date" value={until} onChange={(event) => setUntil(event.target.value)} />}
          </Field>
        </div>
        <Fault text={action.fault} />
        <div className="bar">
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" disabled={action.busy !== null}>
            {action.busy ?? 'Keep'}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

const LOOK = { ok: 'quiet', rotate: 'accent', expired: 'danger' } as const

const State = ({ of }: { of: SecretInfo }) => {
  const now = useNow(60_000)
  return (
    <span className={`badge ${LOOK[secretState(of, now)]}`} title={of.expiresAt === undefined ? 'no end is known' : new Date(of.expiresAt).toLocaleString()}>
      {secretStateText(of, now)}
    </span>
  )
}

export const SecretsPage = () => {
  const host = useHost()
  const { data, fault, reload } = useQuery('secret/list', {})
  const action = useAction()
  const [editing, setEditing] = useState<{ kept: SecretInfo | null } | null>(null)
  const [removing, setRemoving] = useState<string | null>(null)
  const [done, setDone] = useState<string | null>(null)
  return (
    <Page
      title="Secrets"
      actions={
        <Button kind="primary" onClick={() => setEditing({ kept: null })}>
          Keep a secret
        </Button>
      }
    >
      <p className="muted">Names and ages of what the keychain holds for your agents. No agent and no page ever sees a value: the gateway and the servers use it for them.</p>
      <Fault text={fault ?? action.fault} />
      {done !== null && <Note>{done}</Note>}
      {data?.secrets.length === 0 && (
        <div className="panel">
          <Empty title="No secret is kept">
            <p>
              A model key is looked for under <code>agent/anthropic</code>.
            </p>
          </Empty>
        </div>
      )}
      {data !== null && data.secrets.length > 0 && (
        <div className="panel table-wrap" role="region" aria-label="Secrets" tabIndex={0}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Kept</th>
                <th scope="col" className="wide-only">Opens</th>
                <th scope="col" className="wide-only">Last used</th>
                <th scope="col">State</th>
                <th scope="col"><span className="hidden-text">Actions</span></th>
              </tr>
            </thead>
            <tbody>
              {data.secrets.map((kept) => {
                const { name, createdAt, owner, scope, usedAt, usedBy } = kept
                return (
                <tr key={name}>
                  <td>
                    <code>{name}</code>
                  </td>
                  <td>
                    <Ago at={createdAt} />
                  </td>
                  <td className="wide-only">{[owner, scope].filter((part) => part !== undefined).map(visibleText).join(': ') || <span className="muted">not said</span>}</td>
                  <td className="wide-only">{usedAt === undefined ? <span className="muted">never</span> : <><Ago at={usedAt} /> by {visibleText(usedBy ?? '')}</>}</td>
                  <td>
                    <State of={kept} />
                  </td>
                  <td className="end">
                    <div className="bar">
                      <Button aria-label={`Rotate ${name}`} onClick={() => setEditing({ kept })}>
                        Rotate
                      </Button>
                      <Button kind="danger" aria-label={`Remove ${name}`} onClick={() => setRemoving(name)}>
                        Remove
                      </Button>
                    </div>
                  </td>
                </tr>
                )
              })}
            </tbody>
          </table>
        </div>
      )}
      {editing !== null && (
        <SecretDialog
          kept={editing.kept}
          onClose={() => setEditing(null)}
          onDone={(name) => {
            setEditing(null)
            setDone(`${name} is kept.`)
            reload()
          }}
        />
      )}
      {removing !== null && (
        <Dialog title={`Remove ${removing}?`} onClose={() => setRemoving(null)}>
          <p>What uses it stops working until it is kept again. The value cannot be brought back from here.</p>
          <div className="bar">
            <Button onClick={() => setRemoving(null)}>Cancel</Button>
            <Button
              kind="stop"
              onClick={() => {
                const name = removing
                setRemoving(null)
                action.run('Removing…', async () => {
                  await host.call('secret/remove', { name })
                  setDone(`${name} is removed.`)
                  reload()
                })
              }}
            >
              Remove
            </Button>
          </div>
        </Dialog>
      )}
    </Page>
  )
}
