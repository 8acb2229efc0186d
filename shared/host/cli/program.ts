import { Command } from 'commander'
import { addAgentCommands } from './commands/agent-commands.ts'
import { addApprovalCommands } from './commands/approval-commands.ts'
import { addAuditCommand } from './commands/audit-command.ts'
import { addCheckpointCommands } from './commands/checkpoint-commands.ts'
import { addClassifyCommand } from './commands/classify-command.ts'
import { addCompletionCommand } from './commands/completion-command.ts'
import { addDoctorCommand } from './commands/doctor-command.ts'
import { addInitCommand } from './commands/init-command.ts'
import { addManCommand } from './commands/man-command.ts'
import { addPolicyCommands } from './commands/policy-commands.ts'
import { addRecordCommands } from './commands/record-commands.ts'
import { addSecretCommands } from './commands/secret-commands.ts'
import { addServerCommands } from './commands/server-commands.ts'
import { addSessionCommands } from './commands/session-commands.ts'
import { addStartCommand } from './commands/start-command.ts'
import { addUpCommand } from './commands/up-command.ts'
import { examples } from './program-output.ts'
import { VERSION } from '../../core/version.ts'

const JSON_HELP = 'one JSON object, or JSON lines for a stream, on standard output'

const inherit = (command: Command): void => {
  for (const child of command.commands) {
    child.exitOverride()
    if (!child.options.some(({ long }) => long === '--json')) child.option('--json', JSON_HELP)
    inherit(child)
  }
}

/** The whole command line. Throws CommanderError where commander would end the process. */
export const createProgram = (): Command => {
  const program = new Command('holdfast')
    .description('The supervisor for AI agents on your own machine.')
    .version(VERSION)
    .option('--json', JSON_HELP)
    .addHelpText('after', examples('holdfast run -- claude', 'holdfast sessions', 'holdfast kill --all', 'holdfast doctor'))
    .exitOverride()
    .showSuggestionAfterError()
    .enablePositionalOptions()

  addStartCommand(program)
  addUpCommand(program)
  addSessionCommands(program)
  addApprovalCommands(program)
  addRecordCommands(program)
  addCheckpointCommands(program)
  addAgentCommands(program)
  addSecretCommands(program)
  addServerCommands(program)
  addPolicyCommands(program)
  addClassifyCommand(program)
  addDoctorCommand(program)
  addAuditCommand(program)
  addInitCommand(program)
  addCompletionCommand(program)
  addManCommand(program)
  inherit(program)
  return program
}
