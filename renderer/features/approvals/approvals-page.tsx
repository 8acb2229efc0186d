import type { ApprovalRequest, Grant } from '../../../shared/contract/schemas/approval.ts'
import { inputSummary } from '../../../shared/domain/describe.ts'
import { formatDuration } from '../../../shared/domain/format.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useAction, useHost, useLive, useQuery } from '../../connection/hooks.ts'
import { useNow } from '../../ui/use-now.ts'
import { ClassBadge } from '../../ui/badge.tsx'
import { Button, ButtonLink } from '../../ui/button.tsx'
import { Empty, Fault } from '../../ui/note.tsx'
import { Page } from '../../ui/page.tsx'
import { Ago } from '../../ui/time.tsx'
import { Table } from '../../ui/table.tsx'

const Waiting = ({ requests, page }: { requests: readonly ApprovalRequest[]; page: string | null }) => {
  const now = useNow(1_000)
  return (
    <Table label="Calls that wait" head={['Agent', 'Wants to', { name: 'Why it is asked', className: 'wide-only' }, 'Denied by itself', { name: 'Answer', hidden: true }]}>
      {requests.map((request) => (
        <tr key={request.id}>
          <td>
            <a href={`#/sessions/${request.sessionId}`}>{visibleText(request.agent)}</a>
          </td>
          <td style={{ overflowWrap: 'anywhere' }}>
            <ClassBadge of={request.decision.classification.class} /> {visibleText(request.tool)} <code>{visibleText(inputSummary(request.input))}</code>
          </td>
          <td className="wide-only">{request.decision.classification.reasons.map(visibleText).join('; ')}</td>
          <td className="number">in {formatDuration(Math.max(0, request.expiresAt - now))}</td>
          <td className="end">
            {page !== null && (
              <ButtonLink kind="primary" href={page} target="_blank" rel="noopener">
                Answer
              </ButtonLink>
            )}
          </td>
        </tr>
      ))}
    </Table>
  )
}

const Grants = ({ grants, onRevoke, busy }: { grants: readonly Grant[]; onRevoke(grant: Grant): void; busy: boolean }) => {
  const now = useNow(60_000)
  return (
    <Table label="Grants" head={['Agent', 'May, without being asked', { name: 'In', className: 'wide-only' }, 'Until', { name: 'Used', className: 'end wide-only' }, { name: 'Actions', hidden: true }]}>
      {grants.map((grant) => (
        <tr key={grant.id}>
          <td>{visibleText(grant.agent)}</td>
          <td style={{ overflowWrap: 'anywhere' }}>
            {visibleText(grant.tool)} <code>{visibleText(inputSummary(grant.input))}</code>
          </td>
          <td className="wide-only mono" style={{ overflowWrap: 'anywhere' }}>{visibleText(grant.cwd)}</td>
          <td title={grant.expiresAt === null ? undefined : new Date(grant.expiresAt).toLocaleString()}>{grant.expiresAt === null ? 'the session ends' : `in ${formatDuration(Math.max(0, grant.expiresAt - now))}`}</td>
          <td className="end number wide-only" title="since the host started">
            {grant.uses}
            {grant.lastUsedAt !== null && <> <span className="muted">(<Ago at={grant.lastUsedAt} />)</span></>}
          </td>
          <td className="end">
            <Button kind="danger" disabled={busy} aria-label={`Revoke ${visibleText(grant.tool)} ${visibleText(inputSummary(grant.input))}`} onClick={() => onRevoke(grant)}>
              Revoke
            </Button>
          </td>
        </tr>
      ))}
    </Table>
  )
}

/** What waits for an answer, which is given elsewhere, and what was answered beyond one call. */
export const ApprovalsPage = () => {
  const host = useHost()
  const action = useAction()
  const requests = useLive((snapshot) => snapshot.approvals)
  const changes = useLive((snapshot) => snapshot.proposals)
  const page = useLive((snapshot) => snapshot.info?.approvalsPage ?? null)
  const grants = useQuery('grant/list', {})
  const waiting = changes.filter(({ state }) => state === 'waiting')
  return (
    <Page
      title="Approvals"
      actions={
        page !== null && (
          <ButtonLink kind="primary" href={page} target="_blank" rel="noopener">
            Open the approvals page
          </ButtonLink>
        )
      }
    >
      <p className="muted">Answers are given on a page of their own, which holds no code but Holdfast’s: nothing on this one can approve anything.</p>
      <Fault text={grants.fault ?? action.fault} />
      {requests.length === 0 && waiting.length === 0 ? (
        <div className="panel">
          <Empty title="Nothing waits for you">
            <p>A destructive call, and a change of a rule, wait here for your answer.</p>
          </Empty>
        </div>
      ) : (
        <>
          {requests.length > 0 && <Waiting requests={requests} page={page} />}
          {waiting.length > 0 && (
            <section className="stack tight">
              <h2>Changes that wait for your word</h2>
              <ul className="panel">
                {waiting.map(({ id, title, requestedAt }) => (
                  <li key={id} className="file-row">
                    <span style={{ flex: 1 }}>{visibleText(title)}</span>
                    <span className="muted">
                      <Ago at={requestedAt} />
                    </span>
                    <Button disabled={action.busy !== null} onClick={() => action.run('Taking back…', () => host.call('proposal/withdraw', { proposalId: id }))}>
                      Take it back
                    </Button>
                  </li>
                ))}
              </ul>
            </section>
          )}
        </>
      )}
      <h2>Grants</h2>
      {grants.data?.grants.length === 0 && <p className="muted">None. Approve a call for the session, or always, and it stands here until you revoke it.</p>}
      {grants.data !== null && grants.data.grants.length > 0 && (
        <Grants
          grants={grants.data.grants}
          busy={action.busy !== null}
          onRevoke={({ id }) =>
            action.run('Revoking…', async () => {
              await host.call('grant/revoke', { grantId: id })
              grants.reload()
            })
          }
        />
      )}
    </Page>
  )
}
