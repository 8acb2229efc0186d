import { useState } from 'react'
import type { PinnedServer } from '../../../shared/contract/schemas/server.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useQuery } from '../../connection/hooks.ts'
import { Ago, Button, Empty, Fault, Page } from '../../ui/basics.tsx'

/** A definition as a person reads it: what cannot be parsed is shown as it is. */
const pretty = (json: string): string => {
  try {
    return visibleText(JSON.stringify(JSON.parse(json), null, 2))
  } catch {
    return visibleText(json)
  }
}

/** Why tools are stopped, and their definitions before and now. Accepting them is a person's word, given outside of this page. */
const Held = ({ server }: { server: PinnedServer }) => {
  const { data, fault } = useQuery('server/held', { key: server.key })
  return (
    <div style={{ display: 'grid', gap: 12, padding: '0 14px 14px' }}>
      <Fault text={fault} />
      {data?.held.map((tool) => (
        <section key={tool.tool} style={{ display: 'grid', gap: 6 }}>
          <h3>
            <code>{visibleText(tool.tool)}</code> <span className="muted">stopped <Ago at={tool.heldAt} /></span>
          </h3>
          <ul style={{ listStyle: 'disc', paddingLeft: 18 }}>
            {tool.reasons.map((reason) => (
              <li key={reason}>{visibleText(reason)}</li>
            ))}
          </ul>
          <div className="charts">
            <div>
              <p className="muted">Accepted before</p>
              <pre className="block">{tool.before === null ? 'This tool is new.' : pretty(tool.before)}</pre>
            </div>
            <div>
              <p className="muted">As the server gives it now</p>
              <pre className="block">{pretty(tool.after)}</pre>
            </div>
          </div>
        </section>
      ))}
      <p>
        When you have read them, accept in a terminal:{' '}
        <code>
          holdfast servers accept {visibleText(server.name)} {server.held.map(({ tool, hash }) => `${visibleText(tool)}=${hash}`).join(' ')}
        </code>
      </p>
    </div>
  )
}

const Server = ({ server }: { server: PinnedServer }) => {
  const [open, setOpen] = useState(false)
  const held = server.held.length
  return (
    <li className="panel">
      <div className="bar" style={{ padding: '10px 14px' }}>
        <div style={{ flex: 1, minWidth: 0 }}>
          <h2 className="clip">
            {visibleText(server.name)} {held > 0 && <span className="badge danger">{held} stopped</span>}
          </h2>
          <p className="muted clip mono" title={visibleText(server.launch)}>
            {visibleText(server.launch)}
          </p>
        </div>
        <span className="muted">
          {server.tools} tools, first used <Ago at={server.pinnedAt} />
        </span>
        {held > 0 && (
          <Button aria-expanded={open} onClick={() => setOpen(!open)}>
            Review
          </Button>
        )}
      </div>
      {open && <Held server={server} />}
    </li>
  )
}

export const ServersPage = () => {
  const { data, fault, reload } = useQuery('server/list', {})
  return (
    <Page title="Servers" actions={<Button onClick={reload}>Look again</Button>}>
      <p className="muted">MCP servers that were used here. A tool whose definition changed, or that looks wrong, is stopped until you accept it.</p>
      <Fault text={fault} />
      {data?.servers.length === 0 && (
        <div className="panel">
          <Empty title="No MCP server was used yet">
            <p>
              Name them in <code>.mcp.json</code> in the project, or in an agent profile under <code>servers</code>.
            </p>
          </Empty>
        </div>
      )}
      <ul style={{ display: 'grid', gap: 10 }}>
        {data?.servers.map((server) => (
          <Server key={server.key} server={server} />
        ))}
      </ul>
    </Page>
  )
}
