import type { ProfileListing } from '../../../shared/contract/schemas/profile.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useQuery } from '../../connection/hooks.ts'
import { ButtonLink } from '../../ui/button.tsx'
import { Empty, Fault, Note } from '../../ui/note.tsx'
import { Page } from '../../ui/page.tsx'
import { Badge } from '../../ui/badge.tsx'
import { ProfileEditor } from './profile-editor.tsx'

const Card = ({ profile: { name, path, agent, problem } }: { profile: ProfileListing }) => (
  <li className="panel card">
    <div className="bar">
      <div style={{ flex: 1, minWidth: 0 }}>
        <h2 className="clip">
          <a href={`#/agents/${encodeURIComponent(name)}`}>{visibleText(name)}</a> {agent !== null && <Badge look="quiet">runs as {visibleText(agent)}</Badge>}{' '}
          {problem !== null && <Badge look="danger">not valid</Badge>}
        </h2>
        <p className="muted mono clip" title={visibleText(path)}>
          {visibleText(path)}
        </p>
      </div>
      <ButtonLink href={`#/agents/${encodeURIComponent(name)}`} aria-label={`Edit ${visibleText(name)}`}>
        Edit
      </ButtonLink>
      {problem === null && (
        <ButtonLink kind="primary" href={`#/launch/${encodeURIComponent(name)}`} aria-label={`Launch ${visibleText(name)}`}>
          Launch
        </ButtonLink>
      )}
    </div>
    {problem !== null && <Note fault>{visibleText(problem)}</Note>}
  </li>
)

/** The user's agent profiles, and one of them to edit. */
export const AgentsPage = ({ chosen }: { chosen: string | undefined }) => {
  const { data, fault, reload } = useQuery('profile/list', {})
  const name = chosen === undefined ? null : decodeURIComponent(chosen)
  const profile = data?.profiles.find((one) => one.name === name)
  if (name !== null) {
    if (data === null) return <Page title="Agents"><Fault text={fault} /></Page>
    return <ProfileEditor key={profile?.hash ?? name} profile={profile ?? null} name={profile === undefined && name === 'new' ? '' : name} onSaved={reload} />
  }
  return (
    <Page
      title="Agents"
      actions={
        <ButtonLink kind="primary" href="#/agents/new">
          Write a profile
        </ButtonLink>
      }
    >
      <p className="muted">Your agent profiles: what each agent is called, may do and may spend. A change counts for sessions started after it.</p>
      <Fault text={fault} />
      {data?.profiles.length === 0 && (
        <div className="panel">
          <Empty title="No profile yet">
            <p>An agent without one runs by the built-in rules.</p>
            <ButtonLink kind="primary" href="#/agents/new">
              Write a profile
            </ButtonLink>
          </Empty>
        </div>
      )}
      <ul className="stack">{data?.profiles.map((one) => <Card key={one.path} profile={one} />)}</ul>
    </Page>
  )
}
