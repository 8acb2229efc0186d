import type { Command } from 'commander'
import type { Client } from '../../../contract/client.ts'
import { HoldfastError } from '../../../contract/errors.ts'
import type { HeldTool, PinnedServer } from '../../../contract/schemas/server.ts'
import { visibleText } from '../../../domain/visible-text.ts'
import { table } from '../output.ts'
import { examples, outputOf } from '../program-output.ts'
import { withHost } from '../with-host.ts'

const find = async (client: Client, name: string): Promise<PinnedServer> => {
  const { servers } = await client.call('server/list', {})
  const named = servers.filter((server) => server.key === name || server.name === name)
  const [server] = named
  if (server === undefined) throw new HoldfastError('not-found', `No MCP server ${name} was used here. "holdfast servers" lists those that were.`)
  if (named.length > 1) throw new HoldfastError('bad-params', `There are several servers ${name}: ${named.map(({ key }) => key).join(', ')}. Give one of these.`)
  return server
}

/** A definition over several lines, with nothing hidden in it. */
const linesOf = (definition: string): string[] => {
  let pretty = definition
  try {
    pretty = JSON.stringify(JSON.parse(definition), null, 2)
  } catch {
    // Cut off because of its length.
  }
  return pretty.split('\n').map(visibleText)
}

/** Both definitions as one text: what went with `-`, what came with `+`. */
export const differenceLines = ({ before, after }: Pick<HeldTool, 'before' | 'after'>): string[] => {
  const next = linesOf(after)
  const last = before === null ? [] : linesOf(before)
  let start = 0
  while (start < Math.min(last.length, next.length) && last[start] === next[start]) start += 1
  let end = 0
  while (end < Math.min(last.length, next.length) - start && last.at(-1 - end) === next.at(-1 - end)) end += 1
  return [
    ...next.slice(0, start).map((line) => `    ${line}`),
    ...last.slice(start, last.length - end).map((line) => `  - ${line}`),
    ...next.slice(start, next.length - end).map((line) => `  + ${line}`),
    ...next.slice(next.length - end).map((line) => `    ${line}`),
  ]
}

const heldLines = (held: HeldTool): string[] => [
  `${held.tool}: ${visibleText(held.reasons.join('; '))}`,
  ...differenceLines(held),
  `  accept it with its hash: ${held.tool}=${held.hash.slice(0, 12)}`,
  '',
]

/** `servers`, `servers review`, `servers accept`. */
export const addServerCommands = (program: Command): void => {
  const servers = program
    .command('servers')
    .summary('MCP servers that were used, and which of their tools are stopped')
    .description('Lists the MCP servers that were used here. A tool whose definition changed, or that looks wrong, is stopped until you accept it.')
    .addHelpText('after', examples('holdfast servers', 'holdfast servers review github'))
    .action(async (_options: unknown, self: Command) => {
      const { servers: all } = await withHost((client) => client.call('server/list', {}))
      const rows = all.map(({ key, tools, held, launch, package: found }) => [key, String(tools), String(held.length), found === null ? 'not kept' : found.version, visibleText(launch)])
      outputOf(self).result({ servers: all }, rows.length === 0 ? ['No MCP server was used here yet.'] : table([['SERVER', 'TOOLS', 'STOPPED', 'VERSION', 'RUNS'], ...rows]))
    })

  servers
    .command('review')
    .summary('show what changed in the tools that are stopped')
    .argument('<server>', 'its name')
    .addHelpText('after', examples('holdfast servers review github'))
    .action(async (name: string, _options: unknown, self: Command) => {
      const { held, server } = await withHost(async (client) => {
        const found = await find(client, name)
        return { server: found, held: (await client.call('server/held', { key: found.key })).held }
      })
      const more = server.held.length - held.length
      const lines = held.length === 0 ? [`No tool of ${server.key} is stopped.`] : held.flatMap(heldLines)
      outputOf(self).result({ server, held }, more > 0 ? [...lines, `${more} more are stopped; they are shown once these are accepted.`] : lines)
    })

  servers
    .command('accept')
    .summary('let agents use tools as you have just seen them')
    .argument('<server>', 'its name')
    .argument('<tools...>', 'each as TOOL=HASH, as "servers review" shows it')
    .addHelpText('after', examples('holdfast servers accept github create_pr=0123456789ab'))
    .action(async (name: string, wanted: string[], _options: unknown, self: Command) => {
      const accepted = await withHost(async (client) => {
        const { key, held } = await find(client, name)
        const tools = wanted.map((text) => {
          const [, tool, hash = ''] = /^(.+)=([0-9a-f]{12,64})$/.exec(text) ?? []
          const one = held.find((candidate) => candidate.tool === tool && candidate.hash.startsWith(hash))
          if (one === undefined) throw new HoldfastError('not-found', `${text} is not stopped as you saw it. Look again: holdfast servers review ${name}`)
          return { tool: one.tool, hash: one.hash }
        })
        await client.call('server/accept', { key, tools })
        return tools
      })
      outputOf(self).result({ accepted }, accepted.map(({ tool }) => `${tool} is accepted.`))
    })
}
