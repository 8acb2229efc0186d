import { useState } from 'react'
import type { AcceptedFinding, AuditedFinding, AuditedReach, Finding } from '../../../shared/contract/schemas/finding.ts'
import { plural } from '../../../shared/domain/format.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useLive, useQuery } from '../../connection/hooks.ts'
import { Button } from '../../ui/button.tsx'
import { Empty, Fault } from '../../ui/note.tsx'
import { Page, Tabs } from '../../ui/page.tsx'
import { Table } from '../../ui/table.tsx'
import { Badge, type BadgeLook } from '../../ui/badge.tsx'
import { Select } from '../../ui/select.tsx'
import { Disclosure } from '../../ui/disclosure.tsx'

const LOOKS: Readonly<Record<Finding['state'], { look: BadgeLook; name: string }>> = {
  ok: { look: 'quiet', name: 'holds' },
  warn: { look: 'accent', name: 'missing' },
  fail: { look: 'danger', name: 'fails' },
}

const Machine = () => {
  const { data, fault, reload } = useQuery('host/examine', {})
  return (
    <>
      <div className="bar">
        <p className="muted" style={{ flex: 1 }}>What holds an agent on this machine, each thing tried just now.</p>
        <Button onClick={reload}>Look again</Button>
      </div>
      <Fault text={fault} />
      {data === null && fault === null && <p className="muted">Looking…</p>}
      {data !== null && (
        <Table label="Findings" head={['What', 'State', 'Found']}>
          {data.findings.map(({ name, state, message, todo }) => (
            <tr key={name}>
              <td>
                <strong>{name}</strong>
              </td>
              <td>
                <Badge look={LOOKS[state].look}>{LOOKS[state].name}</Badge>
              </td>
              <td style={{ overflowWrap: 'anywhere' }}>
                {visibleText(message)}
                {todo !== null && <p className="muted">{visibleText(todo)}</p>}
              </td>
            </tr>
          ))}
        </Table>
      )}
    </>
  )
}

const SEVERITY_LOOK: Readonly<Record<AuditedFinding['severity'], BadgeLook>> = { high: 'danger', medium: 'accent', low: 'quiet' }

const Place = ({ file, line }: { file: string; line: number | null }) => (
  <p className="muted mono" style={{ overflowWrap: 'anywhere' }}>
    {visibleText(file)}
    {line === null ? '' : `:${line}`}
  </p>
)

const FindingItem = ({ finding: { id, severity, threat, what, why, fix, file, line, fixable } }: { finding: AuditedFinding }) => (
  <li className="panel card" style={{ gap: 4 }}>
    <p className="bar">
      <Badge look={SEVERITY_LOOK[severity]}>{severity}</Badge> <strong style={{ flex: 1, minWidth: 200, overflowWrap: 'anywhere' }}>{visibleText(what)}</strong> <span className="muted">{threat}</span>
    </p>
    <p>{visibleText(why)}</p>
    <p>
      <span className="muted">Do:</span> {visibleText(fix)}
    </p>
    {file !== null && <Place file={file} line={line} />}
    {file !== null && !fixable && (
      <p className="muted">
        To take it as it is: <code>holdfast audit --accept {id} --reason …</code>
      </p>
    )}
  </li>
)

const Told = ({ what, aside, file, line }: { what: string; aside: string; file: string | null; line: number | null }) => (
  <li>
    {visibleText(what)} <span className="muted">{aside}</span>
    {file !== null && <Place file={file} line={line} />}
  </li>
)

/** Findings that a person took as they are; each is a finding again once it changes. */
const Accepted = ({ accepted }: { accepted: readonly AcceptedFinding[] }) => (
  <section className="stack tight">
    <h2>Accepted by you</h2>
    <ul className="dots" aria-label="Accepted findings">
      {accepted.map(({ id, what, reason, acceptedAt, file, line }) => (
        <Told key={id} what={what} aside={`${new Date(acceptedAt).toLocaleDateString()}: ${visibleText(reason)}`} file={file} line={line} />
      ))}
    </ul>
  </section>
)

/** No fault of how agents are set up, and within their reach all the same. */
const Logins = ({ logins }: { logins: readonly AuditedFinding[] }) => (
  <section className="stack tight">
    <h2>Logins of your own in plain text</h2>
    <p className="muted">Where their programs keep them. Agents that Holdfast starts do not see them; any other program of yours does.</p>
    <ul className="dots" aria-label="Logins in plain text">
      {logins.map(({ id, what, fix, file, line }) => (
        <Told key={id} what={what} aside={`Better: ${visibleText(fix)}`} file={file} line={line} />
      ))}
    </ul>
  </section>
)

const ReachTable = ({ reach }: { reach: readonly AuditedReach[] }) => (
  <section className="stack tight">
    <h2>Within reach of agents that run as you, outside Holdfast</h2>
    <Table label="Within reach of agents" head={['What', 'How far', 'Whose', { name: 'Stands in', className: 'wide-only' }]}>
      {reach.map(({ kind, agent, name, detail, file, line }, index) => (
        <tr key={index}>
          <td>
            <strong>{visibleText(name)}</strong> <Badge look="quiet">{kind}</Badge>
          </td>
          <td style={{ overflowWrap: 'anywhere' }}>{visibleText(detail)}</td>
          <td>{agent === null ? 'every agent' : visibleText(agent)}</td>
          <td className="muted mono wide-only" style={{ overflowWrap: 'anywhere' }}>
            {visibleText(file)}
            {line === null ? '' : `:${line}`}
          </td>
        </tr>
      ))}
    </Table>
  </section>
)

/** What could go wrong with the agents as they are set up, on the machine and in one project. */
const Setup = ({ chosen }: { chosen: string }) => {
  const sessions = useLive((snapshot) => snapshot.sessions)
  const [project, setProject] = useState(chosen)
  const { data, fault, reload } = useQuery('host/audit', { project: project === '' ? null : project })
  return (
    <>
      <div className="bar" style={{ alignItems: 'end' }}>
        <Select
          label="With the project"
          wide={false}
          value={project}
          of={[
            { value: '', name: 'none: your own settings alone' },
            ...[...new Set([...sessions.map(({ cwd }) => cwd), chosen])].filter((cwd) => cwd !== '').map((cwd) => ({ value: cwd, name: visibleText(cwd) })),
          ]}
          onChange={setProject}
        />
        <Button onClick={reload}>Look again</Button>
      </div>
      <Fault text={fault} />
      {data === null && fault === null && <p className="muted">Reading the settings of every agent…</p>}
      {data?.findings.length === 0 && (
        <div className="panel">
          <Empty title="Nothing found">
            <p>{data.read === 0 ? 'No settings of an agent were found here.' : `${plural(data.read, 'file')} read, and nothing in them is known to go wrong${data.accepted.length + data.logins.length > 0 ? ', beside what is below' : ''}.`}</p>
          </Empty>
        </div>
      )}
      {data !== null && data.findings.length > 0 && (
        <>
          <ul className="stack" style={{ gap: 8 }} aria-label="Findings, the worst first">
            {data.findings.map((finding, index) => (
              <FindingItem key={index} finding={finding} />
            ))}
          </ul>
          <p className="muted">
            {plural(data.read, 'file')} read; nothing was changed. What can be mended by itself: <code>holdfast audit --fix</code>
          </p>
        </>
      )}
      {data !== null && data.accepted.length > 0 && <Accepted accepted={data.accepted} />}
      {data !== null && data.logins.length > 0 && <Logins logins={data.logins} />}
      {data !== null && data.reach.length > 0 && <ReachTable reach={data.reach} />}
      {data !== null && data.skipped.length > 0 && (
        <Disclosure summary={`${plural(data.skipped.length, 'file')} could not be read`}>
          <ul className="dots">
            {data.skipped.map(({ file, why }) => (
              <li key={file}>
                <code>{visibleText(file)}</code> {visibleText(why)}
              </li>
            ))}
          </ul>
        </Disclosure>
      )}
    </>
  )
}

/** What holds an agent here, and what could go wrong with how agents are set up. */
export const DoctorPage = ({ tab, project }: { tab: string; project: string }) => (
  <Page title="Doctor">
    <Tabs
      label="Parts of the examination"
      current={tab}
      of={[
        { id: 'machine', name: 'This machine', href: '#/doctor' },
        { id: 'setup', name: 'How agents are set up', href: '#/doctor/setup' },
      ]}
    />
    {tab === 'machine' && <Machine />}
    {tab === 'setup' && <Setup key={project} chosen={project} />}
  </Page>
)
