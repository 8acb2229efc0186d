import type { Command } from 'commander'
import { createOutput, type Output } from './output.ts'

/** The output a command was asked for, `--json` standing before or after its name. */
export const outputOf = (command: Command): Output => createOutput(command.optsWithGlobals<{ json?: true }>().json === true)
