import type { Command } from 'commander'
import type { Client } from '../../../contract/client.ts'
import { HoldfastError } from '../../../contract/errors.ts'
import { ApprovalId } from '../../../contract/ids.ts'
import { ApprovalScope, type ApprovalRequest } from '../../../contract/schemas/approval.ts'
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

/** `approvals`, `approve`, `deny`. */
export const addApprovalCommands = (program: Command): void => {
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
    .addHelpText('after', examples('holdfast approve apr_7k2m9x4tqwzb', 'holdfast approve apr_7k2m9x4tqwzb --scope session'))
    .option('--scope <scope>', 'once, or session: the very same call again in this session', 'once')
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
