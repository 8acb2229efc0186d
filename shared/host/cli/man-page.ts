import type { Command } from 'commander'

/** Text as roff has it: no line begins a request, and a dash is one that can be copied. */
const roff = (text: string): string => text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll(/^([.'])/gm, '\\&$1')

const bold = (text: string): string => `\\fB${roff(text)}\\fR`

const EXIT_CODES = [['0', 'done'], ['1', 'failed'], ['2', 'usage'], ['3', 'refused or denied'], ['4', 'no host']] as const

const optionsOf = (command: Command): string[] =>
  command.createHelp().visibleOptions(command).filter(({ long }) => long !== '--help' && long !== '--json').flatMap(({ flags, description }) => ['.TP', bold(flags), roff(description)])

/** What `addHelpText` holds is only said by printing: so the examples are taken from the help as it is shown. */
const examplesOf = (command: Command): string[] => {
  let text = ''
  const kept = command.configureOutput()
  command.configureOutput({ writeOut: (part) => (text += part) })
  command.outputHelp()
  command.configureOutput(kept)
  const lines = text.split('\nExamples:\n')[1]?.split('\n').map((line) => line.trim()).filter((line) => line !== '') ?? []
  return lines.length === 0 ? [] : ['.PP', 'Examples:', '.nf', '.RS', ...lines.map(roff), '.RE', '.fi']
}

const commandsOf = (command: Command, path: string): string[] =>
  command.createHelp().visibleCommands(command).filter((child) => child.name() !== 'help').flatMap((child) => {
    const name = `${path} ${child.name()}`
    return ['.SS', roff(`${name} ${child.usage()}`.trim()), roff(child.description() || child.summary()), ...optionsOf(child), ...examplesOf(child), ...commandsOf(child, name)]
  })

/** The manual page of the whole command line, in the form of man(7), made from the commands themselves. */
export const manPage = (program: Command, version: string): string =>
  `${[
    `.TH HOLDFAST 1 "" "Holdfast ${roff(version)}" "User Commands"`,
    '.SH NAME',
    'holdfast \\- supervise AI agents on your own machine',
    '.SH SYNOPSIS',
    `${bold('holdfast')} ${roff(program.usage())}`,
    '.SH DESCRIPTION',
    'Holdfast launches an agent such as Claude Code, stands between it and everything it can touch, shows what it does and costs, asks before anything destructive, and on your word stops it and puts the repository back.',
    '.PP',
    `Every command has ${bold('--help')}, and ${bold('--json')} for one JSON object, or JSON lines for a stream, on standard output.`,
    '.SH COMMANDS',
    ...commandsOf(program, 'holdfast'),
    '.SH EXIT STATUS',
    ...EXIT_CODES.flatMap(([code, means]) => ['.TP', bold(code), means]),
    '.SH FILES',
    '.TP', '~/.config/holdfast/profiles/NAME.yaml', 'what an agent may do at all',
    '.TP', 'holdfast.yaml', 'in a project: what tightens that',
    '.TP', '~/.local/share/holdfast', 'audit log, checkpoints and agents\' homes',
    '.SH ENVIRONMENT',
    '.TP', bold('HOLDFAST_HOME'), 'moves everything Holdfast keeps to another folder',
  ].join('\n')}\n`
