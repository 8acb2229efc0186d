import type { Command } from 'commander'
import type { AgentIdentity } from '../../../contract/schemas/agent.ts'
import { table } from '../output.ts'
import { examples, outputOf } from '../program-output.ts'
import { withHost } from '../with-host.ts'

const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10)

const rowOf = ({ agent, id, keys, createdAt, retiredAt }: AgentIdentity): string[] => {
  const key = keys.findLast((one) => one.retiredAt === null)
  return [agent, id, dayOf(createdAt), key === undefined ? 'none' : `since ${dayOf(key.createdAt)}`, retiredAt === null ? 'active' : `retired ${dayOf(retiredAt)}`]
}

/** `agents list`, `agents rotate`, `agents retire`. */
export const addAgentCommands = (program: Command): void => {
  const agents = program
    .command('agents')
    .summary('who the agents are: their keys, and how to retire one')
    .description('Each agent has an id and a key of its own, made at its first use. The key is in the keychain, signs its commits, and never reaches it.')
    .addHelpText('after', examples('holdfast agents list', 'holdfast agents rotate claude-frontend', 'holdfast agents retire claude-frontend'))

  agents
    .command('list')
    .summary('show the agents that were used here')
    .addHelpText('after', examples('holdfast agents list', 'holdfast agents list --json'))
    .action(async (_options: unknown, self: Command) => {
      const found = await withHost((client) => client.call('agent/list', {}))
      const lines = [
        ...table([['AGENT', 'ID', 'MADE', 'KEY', 'STATE'], ...found.agents.map(rowOf)]),
        '',
        'To verify their commits with git:',
        `  git config gpg.ssh.allowedSignersFile '${found.allowedSignersFile}'`,
        '  git log --show-signature',
      ]
      outputOf(self).result(found, found.agents.length === 0 ? ['No agent was used here yet.'] : lines)
    })

  agents
    .command('rotate')
    .summary('give an agent a new key')
    .description('Gives an agent a new key, from now on and for the sessions that start from now on. What the old one signed still verifies.')
    .argument('<agent>', 'its name')
    .addHelpText('after', examples('holdfast agents rotate claude-frontend'))
    .action(async (agent: string, _options: unknown, self: Command) => {
      const identity = await withHost((client) => client.call('agent/rotate', { agent }))
      outputOf(self).result({ agent: identity }, [`${agent} has a new key. Commits signed with the old one still verify.`])
    })

  agents
    .command('retire')
    .summary('let an agent start no more')
    .description('Lets an agent start and sign no more, for good. Its audit log and the commits it signed stay verifiable. A session of it that runs goes on, and signs nothing: kill it.')
    .argument('<agent>', 'its name')
    .addHelpText('after', examples('holdfast agents retire claude-frontend'))
    .action(async (agent: string, _options: unknown, self: Command) => {
      const identity = await withHost((client) => client.call('agent/retire', { agent }))
      outputOf(self).result({ agent: identity }, [`${agent} is retired: it starts and signs no more. What it signed still verifies.`])
    })
}
