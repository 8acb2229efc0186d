import { useState } from 'react'
import type { SecretInfo } from '../../../shared/contract/schemas/secret.ts'
import { secretState, secretStateText } from '../../../shared/domain/secret-state.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useAction, useHost, useQuery } from '../../connection/hooks.ts'
import { useNow } from '../../ui/use-now.ts'
import { Button } from '../../ui/button.tsx'
import { Empty, Fault, Note } from '../../ui/note.tsx'
import { Page } from '../../ui/page.tsx'
import { Ago } from '../../ui/time.tsx'
import { Table } from '../../ui/table.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Badge } from '../../ui/badge.tsx'
import { SecretDialog } from './secret-dialog.tsx'

const LOOK = { ok: 'quiet', rotate: 'accent', expired: 'danger' } as const

const State = ({ of }: { of: SecretInfo }) => {
  const now = useNow(60_000)
  return (
    <Badge look={LOOK[secretState(of, now)]} title={of.expiresAt === undefined ? 'no end is known' : new Date(of.expiresAt).toLocaleString()}>
      {secretStateText(of, now)}
    </Badge>
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
        <Table label="Secrets" head={['Name', 'Kept', { name: 'Opens', className: 'wide-only' }, { name: 'Last used', className: 'wide-only' }, 'State', { name: 'Actions', hidden: true }]}>
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
        </Table>
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
