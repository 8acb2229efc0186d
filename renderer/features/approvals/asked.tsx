import type { ProposalId } from '../../../shared/contract/ids.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useLive } from '../../connection/hooks.ts'
import { ButtonLink } from '../../ui/button.tsx'
import { Note } from '../../ui/note.tsx'

/** A change that was asked for, as it stands; undefined when it is not known (any more). */
export const useProposal = (id: ProposalId | null) => useLive((snapshot) => (id === null ? undefined : snapshot.proposals.find((one) => one.id === id)))

/** What became of a change that was asked for. */
export const Asked = ({ id }: { id: ProposalId | null }) => {
  const proposal = useProposal(id)
  const page = useLive((snapshot) => snapshot.info?.approvalsPage ?? null)
  if (proposal === undefined) return null
  if (proposal.state === 'waiting') {
    return (
      <Note>
        <p className="bar">
          <strong>{visibleText(proposal.title)}:</strong> waits for your word on the approvals page.
          {page !== null && (
            <ButtonLink kind="primary" href={page} target="_blank" rel="noopener">
              Confirm it there
            </ButtonLink>
          )}
        </p>
      </Note>
    )
  }
  return (
    <Note fault={proposal.state === 'failed'}>
      {visibleText(proposal.title)}: {proposal.state === 'applied' ? 'done.' : proposal.state}
      {proposal.reason === null ? '' : ` (${visibleText(proposal.reason)})`}
    </Note>
  )
}
