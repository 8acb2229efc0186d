import { Command, CommanderError } from 'commander'
import { addApprovalCommands } from './cli/commands/approval-commands.ts'
import { addRecordCommands } from './cli/commands/record-commands.ts'
import { addSecretCommands } from './cli/commands/secret-commands.ts'
import { addServerCommands } from './cli/commands/server-commands.ts'
import { addSessionCommands } from './cli/commands/session-commands.ts'
import { addStartCommand } from './cli/commands/start-command.ts'
import { reportError } from './cli/output.ts'
import { VERSION } from '../core/version.ts'

const program = new Command('holdfast')
  .description('The supervisor for AI agents on your own machine.')
  .version(VERSION)
  .option('--json', 'one JSON object, or JSON lines for a stream, on standard output')
  .exitOverride()
  .showSuggestionAfterError()
  .enablePositionalOptions()

addStartCommand(program)
addSessionCommands(program)
addApprovalCommands(program)
addRecordCommands(program)
addSecretCommands(program)
addServerCommands(program)

const inherit = (command: Command): void => {
  for (const child of command.commands) {
    child.exitOverride().option('--json', 'one JSON object, or JSON lines for a stream, on standard output')
    inherit(child)
  }
}
inherit(program)

try {
  await program.parseAsync(process.argv)
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else {
    const own = process.argv.slice(2)
    const end = own.indexOf('--')
    process.exitCode = reportError(error, (end === -1 ? own : own.slice(0, end)).includes('--json'))
  }
}
