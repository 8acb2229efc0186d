import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useQuery } from '../../connection/hooks.ts'
import { Button, ButtonLink, Empty, Fault, Note, Page } from '../../ui/basics.tsx'

/** The user's agent profiles, as their files stand. */
export const AgentsPage = () => {
  const { data, fault, reload } = useQuery('profile/list', {})
  return (
    <Page title="Agents" actions={<Button onClick={reload}>Look again</Button>}>
      <p className="muted">Your agent profiles: what each agent is called, may do and may spend. Change one in your editor; the next session starts with it.</p>
      <Fault text={fault} />
      {data?.profiles.length === 0 && (
        <div className="panel">
          <Empty title="No profile yet">
            <p>
              An agent without one runs by the built-in rules. Write one as <code>NAME.yaml</code> in the folder <code>profiles</code> of your Holdfast configuration.
            </p>
          </Empty>
        </div>
      )}
      <ul style={{ display: 'grid', gap: 12 }}>
        {data?.profiles.map(({ name, path, agent, text, problem }) => (
          <li className="panel" key={path} style={{ padding: '12px 14px', display: 'grid', gap: 10 }}>
            <div className="bar">
              <div style={{ flex: 1, minWidth: 0 }}>
                <h2 className="clip">
                  {visibleText(name)} {agent !== null && <span className="badge quiet">runs as {visibleText(agent)}</span>} {problem !== null && <span className="badge danger">not valid</span>}
                </h2>
                <p className="muted mono clip" title={visibleText(path)}>
                  {visibleText(path)}
                </p>
              </div>
              {problem === null && <ButtonLink href={`#/launch/${encodeURIComponent(name)}`}>Launch</ButtonLink>}
            </div>
            {problem !== null && <Note fault>{visibleText(problem)}</Note>}
            {text !== null && (
              <pre className="block" tabIndex={0} role="group" aria-label={`The file of ${visibleText(name)}`}>
                {visibleText(text)}
              </pre>
            )}
          </li>
        ))}
      </ul>
    </Page>
  )
}
