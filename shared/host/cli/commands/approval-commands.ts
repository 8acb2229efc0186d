import type { Command } from 'commander'
import type { Client } from '../../../contract/client.ts'
import { HoldfastError } from '../../../contract/errors.ts'
import { ApprovalId, GrantId } from '../../../contract/ids.ts'
import { ApprovalScope, type ApprovalRequest, type Grant } from '../../../contract/schemas/approval.ts'
import { inputLines } from '../../../domain/describe.ts'
import { formatDuration } from '../../../domain/format.ts'
import { visibleText } from '../../../domain/visible-text.ts'
import { examples, outputOf } from '../program-output.ts'
import { approvalLines } from '../render.ts'
import { withHost } from '../with-host.ts'

const find = async (client: Client, text: string): Promise<ApprovalRequest> => {
  const id = ApprovalId.safeParse(text)
  if (!id.success) throw new HoldfastError('bad-params', `"${text}" is not an approval's id: those look like apr_ and 12 letters or digits. "holdfast approvals" lists them.`)
  const { requests } = await client.call('approval/list', {})
  const request = requests.find((waiting) => waiting.id === id.data)
  if (request === undefined) throw new HoldfastError('not-found', `No approval ${id.data} is waiting: it is answered, expired, or never was. "holdfast approvals" lists those that are.`)
  return request
}

const grantLines = (grant: Grant, now: number): string[] => [
  `${grant.id}  ${visibleText(grant.agent)} may use ${visibleText(grant.tool)}`,
  ...inputLines(grant.input).map((line) => `    ${line}`),
  `  in        ${visibleText(grant.cwd)}`,
  `  until     ${grant.expiresAt === null ? `session ${grant.sessionId ?? ''} ends` : `in ${formatDuration(Math.max(0, grant.expiresAt - now))}`}`,
  `  used      ${grant.uses} times since the host started`,
]

/** `grants`, `grants revoke`. */
const addGrantCommands = (program: Command): void => {
  const grants = program
    .command('grants')
    .summary('what you approved beyond one call')
    .addHelpText('after', examples('holdfast grants', 'holdfast grants revoke grt_7k2m9x4tqwzb'))
    .action(async (_options: unknown, self: Command) => {
      const { grants: found } = await withHost((client) => client.call('grant/list', {}))
      const now = Date.now()
      outputOf(self).result({ grants: found }, found.length === 0 ? ['Nothing is granted beyond one call.'] : found.flatMap((grant) => grantLines(grant, now)))
    })
  grants
    .command('revoke')
    .summary('ask again from now on')
    .argument('<id>', 'the grant')
    .addHelpText('after', examples('holdfast grants revoke grt_7k2m9x4tqwzb'))
    .action(async (text: string, _options: unknown, self: Command) => {
      const id = GrantId.safeParse(text)
      if (!id.success) throw new HoldfastError('bad-params', `"${text}" is not a grant's id: those look like grt_ and 12 letters or digits. "holdfast grants" lists them.`)
      const revoked = await withHost((client) => client.call('grant/revoke', { grantId: id.data }))
      outputOf(self).result(revoked, [`Revoked: ${revoked.id}. The same call is asked about again.`])
    })
}

/** `approvals`, `approve`, `deny`, `grants`. */
export const addApprovalCommands = (program: Command): void => {
  addGrantCommands(program)
  program
    .command('approvals')
    .summary('list what waits for your answer')
    .argument('[id]', 'this one alone')
    .addHelpText('after', examples('holdfast approvals', 'holdfast approvals apr_7k2m9x4tqwzb'))
    .action(async (id: string | undefined, _options: unknown, self: Command) => {
      const requests = await withHost(async (client) => (id === undefined ? (await client.call('approval/list', {})).requests : [await find(client, id)]))
      const now = Date.now()
      outputOf(self).result({ requests }, requests.length === 0 ? ['Nothing waits for an answer.'] : requests.flatMap((request) => approvalLines(request, now)))
    })

  program
    .command('approve')
    .summary('let one waiting call run')
    .argument('<id>', 'the approval')
    .addHelpText('after', examples('holdfast approve apr_7k2m9x4tqwzb', 'holdfast approve apr_7k2m9x4tqwzb --scope session', 'holdfast approve apr_7k2m9x4tqwzb --scope always'))
    .option('--scope <scope>', 'once; session: the very same call again in this session; always: the very same call of this agent in this folder, for 30 days', 'once')
    .action(async (text: string, options: { scope: string }, self: Command) => {
      const scope = ApprovalScope.safeParse(options.scope)
      if (!scope.success) throw new HoldfastError('bad-params', `--scope is once, session or always, not "${options.scope}".`)
      const decided = await withHost(async (client) => {
        const { id, bindingHash } = await find(client, text)
        return client.call('approval/decide', { approvalId: id, bindingHash, answer: 'approve', scope: scope.data })
      })
      outputOf(self).result(decided, ['Approved:', ...approvalLines(decided, Date.now()).slice(0, -1)])
    })

  program
    .command('deny')
    .summary('refuse one waiting call')
    .argument('<id>', 'the approval')
    .option('--reason <text>', 'what the agent is told')
    .addHelpText('after', examples('holdfast deny apr_7k2m9x4tqwzb --reason "keep the build folder"'))
    .action(async (text: string, options: { reason?: string }, self: Command) => {
      const decided = await withHost(async (client) => {
        const { id, bindingHash } = await find(client, text)
        return client.call('approval/decide', { approvalId: id, bindingHash, answer: 'deny', reason: options.reason ?? 'The user said no.' })
      })
      outputOf(self).result(decided, [`Denied: ${decided.id}. The agent is told: ${decided.reason ?? ''}`])
    })
}
