import { join, resolve } from 'node:path'
import { homedir } from 'node:os'
import type { Command } from 'commander'
import { AgentName } from '../../../contract/schemas/profile.ts'
import { HoldfastError } from '../../../contract/errors.ts'
import { readAccepted } from '../../../core/audit/accepted.ts'
import { readFindingKey } from '../../../core/audit/finding-id.ts'
import { audit } from '../../../core/audit/audit.ts'
import { examineAll } from '../../../core/doctor/examine.ts'
import { systemClock } from '../../../core/identifiers.ts'
import { proposeSetup, type JudgedBoundary, type SetupFile } from '../../../core/onboarding/propose-setup.ts'
import { writeNew } from '../../../core/onboarding/write-new.ts'
import { resolvePaths } from '../../../core/paths.ts'
import { createKeychain } from '../../../core/secrets/keychain.ts'
import type { SampleCall } from '../../../domain/onboarding/known-actions.ts'
import { boundaryHolds } from '../../../domain/onboarding/boundary-holds.ts'
import { visibleText } from '../../../domain/visible-text.ts'
import { doctorLines } from '../render.ts'
import { confirm } from '../confirm.ts'
import { examples, outputOf } from '../program-output.ts'

const sampleText = ({ tool, input }: SampleCall): string => `${tool} ${visibleText(Object.values(input)[0] ?? '')}`

const fileLines = ({ path, text, state }: SetupFile): string[] =>
  state === 'kept'
    ? [`${path} is there already and stays as it is.`, '']
    : [`${path}${state === 'same' ? ' (there already)' : ''}`, ...visibleText(text).trimEnd().split('\n').map((line) => `  ${line}`), '']

const boundaryLines = (boundary: JudgedBoundary): string[] => {
  const { kind, text, file, line, calls } = boundary
  const state = calls === null ? '?   ' : boundaryHolds(boundary) ? 'ok  ' : 'NO  '
  return [
    `  ${state}${kind === 'forbidden' ? 'asks   ' : 'passes '} ${visibleText(text)}  (${file}:${line})`,
    ...(calls === null ? ['          not understood: it is told to the agent, and held by nothing. Write a rule for it.'] : []),
    ...(calls ?? []).map((call) => `          ${call.effect.padEnd(5)}  ${sampleText(call)}`),
  ]
}

/** What a newcomer needs to know of the machine before an agent runs on it: only what is wrong. */
const machineLines = async (project: string): Promise<string[]> => {
  const paths = resolvePaths(process.env)
  const { scanSecrets } = await import('../../../core/audit/scan-secrets.ts')
  const lacking = (await examineAll({ paths, path: process.env['PATH'] ?? '', here: project, secrets: createKeychain({ service: 'holdfast', clock: systemClock }) })).filter(({ state }) => state !== 'ok')
  const { findings } = await audit({ home: homedir(), project, environment: process.env, scan: scanSecrets, accepted: readAccepted(paths.auditAccepted), key: readFindingKey(paths.auditKey) })
  const high = findings.filter(({ severity }) => severity === 'high')
  return [
    lacking.length === 0 ? 'This machine has all that Holdfast needs.' : 'This machine:',
    ...lacking.flatMap(doctorLines),
    '',
    findings.length === 0 ? 'Nothing is wrong with how agents are set up here.' : `How agents are set up here: ${findings.length} findings, ${high.length} of them high. All of them, and what to do: holdfast audit`,
    ...high.slice(0, 3).map(({ what, file, line }) => `  high  ${visibleText(what)}${file === null ? '' : `  (${visibleText(file)}${line === null ? '' : `:${line}`})`}`),
    '',
  ]
}

/** `init`: from what a project says of itself to an agent that is held to it. */
export const addInitCommand = (program: Command): void => {
  program
    .command('init')
    .summary('propose a profile for the agent of this project, from what lies in it')
    .description(
      'Reads .mcp.json, CLAUDE.md, AGENTS.md, package.json, the origin and the transcripts of past sessions here, and proposes a holdfast.yaml,\n'
        + 'which only tightens, and a profile of your own, which names the servers and the tools that were used. Shows both, and what the agent\n'
        + 'could and could not do. At a terminal it also says what this machine lacks, what is wrong with how agents are set up here, and starts\n'
        + 'the agent when you agree. Never writes over a file.',
    )
    .option('--yes', 'write both without asking')
    .option('--profile <name>', 'name of the profile and of its agent (default: claude- and the folder)')
    .option('--cwd <folder>', 'the project (default: here)')
    .addHelpText('after', examples('holdfast init', 'holdfast init --yes --profile claude-frontend'))
    .action(async (options: { yes?: true; profile?: string; cwd?: string }, self: Command) => {
      const output = outputOf(self)
      const cwd = resolve(options.cwd ?? process.cwd())
      if (options.profile !== undefined && !AgentName.safeParse(options.profile).success) {
        throw new HoldfastError('bad-params', `"${options.profile.slice(0, 100)}" cannot be an agent's name: small letters, digits, . _ and - only.`)
      }
      const claudeFolder = process.env['CLAUDE_CONFIG_DIR'] ?? join(homedir(), '.claude')
      const { agent, files, boundaries, secrets, notes } = await proposeSetup({ cwd, configFolder: resolvePaths(process.env).config, claudeFolder, home: homedir(), name: options.profile })
      const shown = [
        ...files.flatMap(fileLines),
        ...notes.map((note) => `note: ${visibleText(note)}`),
        ...(boundaries.length === 0 ? ['No boundaries were found in CLAUDE.md or AGENTS.md: what is destructive is asked about, and the rest passes.'] : ['What this agent may do, as you wrote it:']),
        ...boundaries.flatMap(boundaryLines),
      ]
      const fresh = files.filter(({ state }) => state === 'proposed')
      const asks = options.yes !== true && !output.json && process.stdin.isTTY && fresh.length > 0
      if (asks) {
        output.note('looking at this machine …')
        process.stdout.write(`${[...(await machineLines(cwd)), ...shown].join('\n')}\n\n`)
      }
      const agreed = options.yes === true || (asks && (await confirm(`Write ${fresh.map(({ path }) => path).join(' and ')}?`)))
      if (agreed) for (const { path, text, origin } of fresh) await writeNew(path, text, origin === 'user' ? 0o600 : 0o644)
      const left = files.map(({ path, text, origin, state }) => ({ path, text, origin, state: agreed && state === 'proposed' ? 'written' : state }))
      const next = [
        '',
        ...left.map(({ path, state }) => `${state.padEnd(8)}  ${path}`),
        ...(agreed || fresh.length === 0
          ? [...secrets.map((name) => `Keep its key:   holdfast secret set ${name}`), `Start it:       holdfast run --profile ${agent} -- claude`]
          : ['Nothing was written. Write both with: holdfast init --yes']),
      ]
      output.result({ agent, files: left, boundaries, secrets, notes }, [...(asks ? [] : shown), ...next])
      if (asks && agreed && (await confirm('Start the agent here now?'))) await program.parseAsync(['run', '--cwd', cwd, '--profile', agent, '--', 'claude'], { from: 'user' })
    })
}
