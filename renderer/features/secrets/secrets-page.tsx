import { useState, type FormEvent } from 'react'
import { useAction, useHost, useQuery } from '../../connection/hooks.ts'
import { Ago, Button, Empty, Fault, Field, Note, Page } from '../../ui/basics.tsx'
import { Dialog } from '../../ui/dialog.tsx'

/** A value goes in here and never comes out: it is not kept in the page after it was sent. */
const SecretDialog = ({ name: given, onClose, onDone }: { name: string | null; onClose(): void; onDone(name: string): void }) => {
  const host = useHost()
  const action = useAction()
  const [name, setName] = useState(given ?? '')
  const [value, setValue] = useState('')
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    action.run('Keeping…', async () => {
      await host.call('secret/set', { name: name.trim(), value })
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

export const SecretsPage = () => {
  const host = useHost()
  const { data, fault, reload } = useQuery('secret/list', {})
  const action = useAction()
  const [editing, setEditing] = useState<{ name: string | null } | null>(null)
  const [removing, setRemoving] = useState<string | null>(null)
  const [done, setDone] = useState<string | null>(null)
  return (
    <Page
      title="Secrets"
      actions={
        <Button kind="primary" onClick={() => setEditing({ name: null })}>
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
                <th scope="col"><span className="hidden-text">Actions</span></th>
              </tr>
            </thead>
            <tbody>
              {data.secrets.map(({ name, createdAt }) => (
                <tr key={name}>
                  <td>
                    <code>{name}</code>
                  </td>
                  <td>
                    <Ago at={createdAt} />
                  </td>
                  <td className="end">
                    <div className="bar">
                      <Button aria-label={`Rotate ${name}`} onClick={() => setEditing({ name })}>
                        Rotate
                      </Button>
                      <Button kind="danger" aria-label={`Remove ${name}`} onClick={() => setRemoving(name)}>
                        Remove
                      </Button>
                    </div>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {editing !== null && (
        <SecretDialog
          name={editing.name}
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
