import { visibleText } from '../../../shared/domain/visible-text.ts'
import type { Finding } from '../../../shared/contract/schemas/finding.ts'
import { useQuery } from '../../connection/hooks.ts'
import { Button, Fault, Page } from '../../ui/basics.tsx'

const LOOKS: Readonly<Record<Finding['state'], { look: string; name: string }>> = {
  ok: { look: 'quiet', name: 'holds' },
  warn: { look: 'accent', name: 'missing' },
  fail: { look: 'danger', name: 'fails' },
}

/** What holds an agent on this machine, tried just now. */
export const DoctorPage = () => {
  const { data, fault, reload } = useQuery('host/examine', {})
  return (
    <Page title="Doctor" actions={<Button onClick={reload}>Look again</Button>}>
      <p className="muted">What holds an agent on this machine, each thing tried just now.</p>
      <Fault text={fault} />
      {data === null && fault === null && <p className="muted">Looking…</p>}
      {data !== null && (
        <div className="panel table-wrap" role="region" aria-label="Findings" tabIndex={0}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">What</th>
                <th scope="col">State</th>
                <th scope="col">Found</th>
              </tr>
            </thead>
            <tbody>
              {data.findings.map(({ name, state, message, todo }) => (
                <tr key={name}>
                  <td>
                    <strong>{name}</strong>
                  </td>
                  <td>
                    <span className={`badge ${LOOKS[state].look}`}>{LOOKS[state].name}</span>
                  </td>
                  <td style={{ overflowWrap: 'anywhere' }}>
                    {visibleText(message)}
                    {todo !== null && <p className="muted">{visibleText(todo)}</p>}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Page>
  )
}
