import type { ApprovalRequest } from '../contract/schemas/approval.ts'

/** What one answer to a question is called, and what it does. */
export interface AnswerWords {
  readonly label: string
  readonly hint: string
}

type Words = Readonly<Record<'once' | 'session', AnswerWords>>

const CALL: Words = {
  once: { label: 'Approve once', hint: 'This call runs, and the next one asks again.' },
  session: { label: 'Approve for this session', hint: 'Exactly this call runs, and may again until the session ends.' },
}

const HOST: Words = {
  once: { label: 'Approve for one minute', hint: 'Connections to this host that are opened within a minute; the next one asks again.' },
  session: { label: 'Approve for this session', hint: 'Connections to this host and port until the session ends.' },
}

/** Known here by its name: this text is read by a page that holds no code of the policy. */
const UNKNOWN_PROGRAMS = 'unknown programs'

/** What the two ways to approve mean: a connection takes several to its host, and an unknown program is asked about once. */
export const approvalWords = ({ tool, decision }: Pick<ApprovalRequest, 'tool' | 'decision'>): Words => {
  if (tool === 'Network') return HOST
  const asking = decision.rules.filter(({ effect }) => effect === 'ask')
  if (asking.length === 0 || !asking.every(({ rule, source }) => source === 'built-in' && rule === UNKNOWN_PROGRAMS)) return CALL
  const names = (decision.classification.unknown ?? []).join(', ')
  return { ...CALL, once: { label: 'Approve the program', hint: `This call runs, and ${names} is not asked about again in this session unless what it does is.` } }
}
