import { useState, type FormEvent } from 'react'
import type { SecretInfo } from '../../../shared/contract/schemas/secret.ts'
import { useAction, useHost } from '../../connection/hooks.ts'
import { Button } from '../../ui/button.tsx'
import { Fault } from '../../ui/note.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { TextField } from '../../ui/field.tsx'

/** A value goes in here and never comes out: it is not kept in the page after it was sent. */
export const SecretDialog = ({ kept, name: wanted = '', onClose, onDone }: { kept: SecretInfo | null; name?: string; onClose(): void; onDone(name: string): void }) => {
  const given = kept?.name ?? null
  const host = useHost()
  const action = useAction()
  const [name, setName] = useState(given ?? wanted)
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
          <TextField mono required label="Name" hint="Such as agent/github-pat. Profiles and servers refer to it by this name." autoComplete="off" value={name} onChange={setName} />
        )}
        <TextField mono required label={given === null ? 'Value' : 'New value'} hint="Goes to this system's keychain, and is never shown again." type="password" autoComplete="off" value={value} onChange={setValue} />
        <div className="pair">
          <TextField label="Opens the account of" hint="Best an account of the agent’s own." maxLength={200} placeholder="claude-bot" value={owner} onChange={setOwner} />
          <TextField label="Reaches" hint="How far it goes." maxLength={200} placeholder="acme/web, read" value={scope} onChange={setScope} />
          <TextField label="Expires" hint="From that day on nobody gets it." type="date" value={until} onChange={setUntil} />
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
