import { useEffect, useState } from 'react'
import type { ProposalId } from '../../../shared/contract/ids.ts'
import type { ProposedChange } from '../../../shared/contract/schemas/proposal.ts'
import type { HeldTool, PinnedServer, RunningServer } from '../../../shared/contract/schemas/server.ts'
import { plural } from '../../../shared/domain/format.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useAction, useHost, useQuery } from '../../connection/hooks.ts'
import { Button } from '../../ui/button.tsx'
import { Empty, Fault } from '../../ui/note.tsx'
import { Page } from '../../ui/page.tsx'
import { Ago } from '../../ui/time.tsx'
import { DiffView } from '../../ui/diff-view.tsx'
import { Badge, type BadgeLook } from '../../ui/badge.tsx'
import { Switch } from '../../ui/checkbox.tsx'
import { Disclosure } from '../../ui/disclosure.tsx'
import { Asked, useProposal } from '../approvals/asked.tsx'

/** A definition as a person reads it: what cannot be parsed is shown as it is. */
const pretty = (json: string): string => {
  try {
    return `${JSON.stringify(JSON.parse(json), null, 2)}\n`
  } catch {
    return json
  }
}

const STATE_LOOK: Readonly<Record<RunningServer['state'], BadgeLook>> = { ready: 'accent', starting: 'normal', restarting: 'normal', unavailable: 'danger', closed: 'quiet' }

/** Asks for a change that a person confirms on the approvals page, and tells what became of it. */
const useAsking = () => {
  const host = useHost()
  const action = useAction()
  const [id, setId] = useState<ProposalId | null>(null)
  return { id, fault: action.fault, busy: action.busy !== null, ask: (change: ProposedChange): void => action.run('Asking…', async () => setId((await host.call('proposal/make', { change })).id)) }
}

const Held = ({ server, tool, onAccept }: { server: PinnedServer; tool: HeldTool; onAccept(): void }) => (
  <section className="stack tight" aria-label={`The stopped tool ${visibleText(tool.tool)}`}>
    <div className="bar">
      <h3 style={{ flex: 1 }}>
        <code>{visibleText(tool.tool)}</code> <span className="muted">stopped <Ago at={tool.heldAt} /></span>
      </h3>
      <Button onClick={onAccept} aria-label={`Ask to let agents use ${visibleText(tool.tool)} of ${visibleText(server.name)}`}>
        Ask to accept it
      </Button>
    </div>
    <ul className="dots">
      {tool.reasons.map((reason) => (
        <li key={reason}>{visibleText(reason)}</li>
      ))}
    </ul>
    <DiffView label={`Definition of ${visibleText(tool.tool)}`} before={tool.before === null ? '' : pretty(tool.before)} after={pretty(tool.after)} />
  </section>
)

/** The tools of one server: those stopped with what changed, and the others with their switches. */
const Details = ({ server }: { server: PinnedServer }) => {
  const host = useHost()
  const action = useAction()
  const asking = useAsking()
  const tools = useQuery('server/tools', { key: server.key })
  const held = useQuery('server/held', { key: server.key })
  const state = useProposal(asking.id)?.state
  const { reload: reloadTools } = tools
  const { reload: reloadHeld } = held
  useEffect(() => {
    if (state !== 'applied') return
    reloadTools()
    reloadHeld()
  }, [state, reloadTools, reloadHeld])

  const change = (tool: string, on: boolean): void => {
    if (on) return asking.ask({ kind: 'allow-tool', key: server.key, tool })
    action.run('Switching off…', async () => {
      await host.call('server/block', { key: server.key, tool })
      reloadTools()
    })
  }
  return (
    <div className="stack" style={{ padding: '0 14px 14px' }}>
      <Fault text={tools.fault ?? held.fault ?? action.fault ?? asking.fault} />
      <Asked id={asking.id} />
      {held.data?.held.map((tool) => <Held key={tool.tool} server={server} tool={tool} onAccept={() => asking.ask({ kind: 'accept-tools', key: server.key, tools: [{ tool: tool.tool, hash: tool.hash }] })} />)}
      {tools.data !== null && tools.data.tools.length > 0 && (
        <ul className="stack tight" aria-label={`Tools of ${visibleText(server.name)}`}>
          {tools.data.tools.map(({ tool, description, allowed }) => (
            <li key={tool} className="bar" style={{ flexWrap: 'nowrap' }}>
              <Switch label={`Agents may use ${visibleText(tool)}`} on={allowed} disabled={action.busy !== null || asking.busy} onChange={(on) => change(tool, on)} />
              <code style={{ flex: 'none' }}>{visibleText(tool)}</code>
              <span className="muted clip" title={visibleText(description)}>
                {visibleText(description)}
              </span>
            </li>
          ))}
        </ul>
      )}
      <p className="muted">Switching a tool off works at once, in sessions that run too. Switching it on again is confirmed on the approvals page.</p>
    </div>
  )
}

const Running = ({ servers }: { servers: readonly RunningServer[] }) => (
  <ul className="stack tight" style={{ padding: '0 14px 12px' }}>
    {servers.map((one) => (
      <li key={one.sessionId} className="stack tight">
        <p className="bar">
          <Badge look={STATE_LOOK[one.state]}>{one.state}</Badge> <a href={`#/sessions/${one.sessionId}`}>{one.sessionId}</a>
          <span className="muted">
            {plural(one.tools, 'tool')}{one.message === null ? '' : `; ${visibleText(one.message)}`}
          </span>
        </p>
        {one.log !== '' && (
          <Disclosure summary="What it wrote to its standard error">
            <pre className="block" tabIndex={0} role="group" aria-label={`Log of ${visibleText(one.name)} in ${one.sessionId}`}>
              {visibleText(one.log)}
            </pre>
          </Disclosure>
        )}
      </li>
    ))}
  </ul>
)

const Server = ({ server, running }: { server: PinnedServer; running: readonly RunningServer[] }) => {
  const [open, setOpen] = useState(server.held.length > 0)
  const held = server.held.length
  return (
    <li className="panel">
      <div className="bar" style={{ padding: '10px 14px' }}>
        <div style={{ flex: 1, minWidth: 200 }}>
          <h2 className="clip">
            {visibleText(server.name)} {held > 0 && <Badge look="danger">{held} stopped</Badge>} {running.length === 0 && <Badge look="quiet">not running</Badge>}
          </h2>
          <p className="muted clip mono" title={visibleText(server.launch)}>
            {visibleText(server.launch)}
          </p>
        </div>
        <span className="muted">
          {server.package === null ? '' : `version ${visibleText(server.package.version)}, `}
          {plural(server.tools, 'tool')}, first used <Ago at={server.pinnedAt} />
        </span>
        <Button aria-expanded={open} aria-label={`Tools of ${visibleText(server.name)}`} onClick={() => setOpen(!open)}>
          Tools
        </Button>
      </div>
      {running.length > 0 && <Running servers={running} />}
      {open && <Details server={server} />}
    </li>
  )
}

/** How often the state of running servers is asked for, in ms. */
const LOOK_EVERY_MS = 5_000

/** MCP servers: what runs, what each may do, and what changed in one. */
export const ServersPage = () => {
  const { data, fault, reload } = useQuery('server/list', {})
  const running = useQuery('server/running', {})
  const { reload: look } = running
  useEffect(() => {
    const timer = setInterval(look, LOOK_EVERY_MS)
    return () => clearInterval(timer)
  }, [look])
  const known = new Set(data?.servers.map(({ name }) => name))
  const unknown = running.data?.servers.filter(({ name }) => !known.has(name)) ?? []
  return (
    <Page
      title="Servers"
      actions={
        <Button
          onClick={() => {
            reload()
            look()
          }}
        >
          Look again
        </Button>
      }
    >
      <p className="muted">MCP servers that were used here. A tool whose definition changed, or that looks wrong, is stopped until you accept it.</p>
      <Fault text={fault ?? running.fault} />
      {data?.servers.length === 0 && unknown.length === 0 && (
        <div className="panel">
          <Empty title="No MCP server was used yet">
            <p>
              Name them in an agent profile under <code>servers</code>, in the form of <code>.mcp.json</code>.
            </p>
          </Empty>
        </div>
      )}
      <ul className="stack">
        {data?.servers.map((server) => <Server key={server.key} server={server} running={running.data?.servers.filter(({ name }) => name === server.name) ?? []} />)}
        {unknown.length > 0 && (
          <li className="panel">
            <h2 className="pad">Not taken up yet</h2>
            <Running servers={unknown} />
          </li>
        )}
      </ul>
    </Page>
  )
}
