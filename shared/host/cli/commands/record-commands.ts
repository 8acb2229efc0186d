import type { Command } from 'commander'
import { HoldfastError } from '../../../contract/errors.ts'
import type { LedgerEntry } from '../../../contract/schemas/ledger.ts'
import { examples, outputOf } from '../program-output.ts'
import { ledgerLine, usageLines } from '../render.ts'
import { withHost } from '../with-host.ts'
import { addLedgerCommands } from './ledger-commands.ts'
import { parseSessionId } from './session-commands.ts'

const parseCount = (text: string): number => {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1 || count > 10_000) throw new HoldfastError('bad-params', `-n takes a whole number from 1 to 10000, not "${text}".`)
  return count
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
    .summary('what was spent, and how fast, by session')
    .addHelpText('after', examples('holdfast usage', 'holdfast usage --json'))
    .action(async (_options: unknown, self: Command) => {
      const { sessions } = await withHost((client) => client.call('session/list', {}))
      const usage = sessions.map(({ id, agent, toolCalls, usage: used, lastMinute }) => ({ sessionId: id, agent, toolCalls, usage: used, lastMinute }))
      outputOf(self).result({ usage }, usageLines(sessions))
    })
}
