import type { Command } from 'commander'
import { createOutput, type Output } from './output.ts'

/** The output a command was asked for, `--json` standing before or after its name. */
export const outputOf = (command: Command): Output => createOutput(command.optsWithGlobals<{ json?: true }>().json === true)

/** Ends a command's help. */
export const examples = (...lines: readonly string[]): string => `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`
