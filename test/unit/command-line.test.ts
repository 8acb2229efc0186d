import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Command, CommanderError } from 'commander'
import { describe, expect, it } from 'vitest'
import { createProgram } from '../../shared/host/cli/program.ts'

const namesBelow = (command: Command, prefix = ''): string[] =>
  command.commands.flatMap((child) => [`${prefix}${child.name()}`, ...namesBelow(child, `${prefix}${child.name()} `)])

/** Runs the command line in this process, and gives what it printed and the error it would end with. */
const run = async (args: readonly string[]) => {
  const program = createProgram()
  let stdout = ''
  let stderr = ''
  const output = { writeOut: (text: string) => void (stdout += text), writeErr: (text: string) => void (stderr += text) }
  const redirect = (command: Command): void => command.configureOutput(output).commands.forEach(redirect)
  redirect(program)
  const error = await program.parseAsync(args, { from: 'user' }).then(() => null, (fault: unknown) => fault)
  // Packages of the tests may bring a commander of their own: its classes are others.
  return { exitCode: error instanceof Error && error.name === 'CommanderError' ? (error as CommanderError).exitCode : null, stdout, stderr }
}

describe('the command line', () => {
  it.each(['', ...namesBelow(createProgram())])('holdfast %s --help has examples and --json, and an unknown option is an error that names it', async (command) => {
    const words = command === '' ? [] : command.split(' ')
    const help = await run([...words, '--help'])
    expect(help).toMatchObject({ exitCode: 0, stderr: '' })
    expect(help.stdout).toMatch(new RegExp(`\\nExamples:\\n  .*holdfast ${words[0] ?? ''}`))
    expect(help.stdout).toContain('--json')
    const bogus = await run([...words, '--no-such-option'])
    expect(bogus).toMatchObject({ exitCode: 1, stdout: '' })
    expect(bogus.stderr).toMatch(/^error: (unknown option '--no-such-option'|required option)/)
  })

  it('is in the README, command by command', () => {
    // A row of its table may name several at once: `secret set\|list\|remove`.
    const readme = readFileSync(fileURLToPath(new URL('../../README.md', import.meta.url)), 'utf8').replace(/`holdfast (\w+) (\w+(?:\\\|\w+)+)/g, (_, group: string, verbs: string) =>
      verbs.split('\\|').map((verb) => `\`${group} ${verb}`).join(' '),
    )
    const groups = createProgram().commands.filter((command) => command.name() !== 'start')
    const names = groups.flatMap((group) => (group.commands.length === 0 ? [group.name()] : namesBelow(group, `${group.name()} `)))
    expect(names.filter((name) => !new RegExp(`\`(holdfast )?${name}\\b`).test(readme))).toEqual([])
  })
})
