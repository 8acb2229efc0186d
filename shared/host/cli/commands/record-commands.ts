import type { Command } from 'commander'
import { HoldfastError } from '../../../contract/errors.ts'
import type { Client } from '../../../contract/client.ts'
import type { CommandResult } from '../../../contract/protocol.ts'
import type { LedgerEntry } from '../../../contract/schemas/ledger.ts'
import { createTally, type UsageSum, usageByPeriod } from '../../../domain/usage-tally.ts'
import { examples, outputOf } from '../program-output.ts'
import { ledgerLine, totalLines, usageLines } from '../render.ts'
import { withHost } from '../with-host.ts'
import { addLedgerCommands } from './ledger-commands.ts'
import { parseSessionId } from './session-commands.ts'

const DAY_MS = 24 * 3_600_000

const parseCount = (text: string): number => {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1 || count > 10_000) throw new HoldfastError('bad-params', `-n takes a whole number from 1 to 10000, not "${text}".`)
  return count
}

const PAGE = 5_000

/** All that the audit log tells of use, as the dashboard adds it up. */
const readUsage = async (client: Client): Promise<UsageSum> => {
  const tally = createTally(DAY_MS)
  for (let after: number | null = 0; after !== null; ) {
    const page: CommandResult<'ledger/read'> = await client.call('ledger/read', { after, last: PAGE, kinds: ['model-request/intent', 'model-request/outcome'] })
    for (const entry of page.entries) tally.add(entry)
    after = page.next
  }
  return tally.sum
}

/** `ledger …`, `usage`. */
export const addRecordCommands = (program: Command): void => {
  const ledger = program.command('ledger').summary('the audit log').description('The audit log: append-only, each entry chained to the one before.').addHelpText('after', examples('holdfast ledger tail --follow', 'holdfast ledger verify'))

  ledger
    .command('tail')
    .summary('show the newest entries')
    .option('-n, --lines <count>', 'how many', '20')
    .option('-f, --follow', 'go on with new entries as they come')
    .option('--session <id>', 'of one session alone')
    .addHelpText('after', examples('holdfast ledger tail -n 50', 'holdfast ledger tail --follow --json'))
    .action(async (options: { lines: string; follow?: true; session?: string }, self: Command) => {
      const output = outputOf(self)
      const sessionId = options.session === undefined ? undefined : parseSessionId(options.session)
      const last = parseCount(options.lines)
      const print = (entry: LedgerEntry): void => void process.stdout.write(`${output.json ? JSON.stringify(entry) : ledgerLine(entry)}\n`)
      await withHost(async (client) => {
        let shown = 0
        const show = (entry: LedgerEntry): void => {
          if (entry.sequence <= shown || (sessionId !== undefined && entry.sessionId !== sessionId)) return
          shown = entry.sequence
          print(entry)
        }
        const early: LedgerEntry[] = []
        let live = false
        client.on('ledger/appended', (entry) => (live ? show(entry) : void early.push(entry)))
        if (options.follow === true) await client.call('event/subscribe', {})
        const { entries } = await client.call('ledger/read', { last, ...(sessionId === undefined ? {} : { sessionId }) })
        entries.forEach(show)
        if (options.follow !== true) return
        early.forEach(show)
        live = true
        await client.closed
      })
    })

  addLedgerCommands(ledger)

  program
    .command('usage')
    .summary('what was spent today, this month and in all; and how fast, by session')
    .addHelpText('after', examples('holdfast usage', 'holdfast usage --json'))
    .action(async (_options: unknown, self: Command) => {
      const { sessions, totals } = await withHost(async (client) => ({ ...(await client.call('session/list', {})), totals: usageByPeriod(await readUsage(client), Date.now()) }))
      const usage = sessions.map(({ id, agent, toolCalls, usage: used, lastMinute }) => ({ sessionId: id, agent, toolCalls, usage: used, lastMinute }))
      outputOf(self).result({ totals, usage }, [...totalLines(totals), '', ...usageLines(sessions)])
    })
}
