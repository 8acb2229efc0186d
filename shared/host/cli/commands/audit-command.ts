import { homedir } from 'node:os'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { HoldfastError } from '../../../contract/errors.ts'
import { accept, readAccepted, withdraw } from '../../../core/audit/accepted.ts'
import { audit, type AuditReport, type LocatedFinding, type LocatedReach, publicFinding, publicReport } from '../../../core/audit/audit.ts'
import { readFindingKey } from '../../../core/audit/finding-id.ts'
import { exactVersion } from '../../../core/audit/exact-version.ts'
import { applyMends, type MendDeps, recoverMends, undoMends } from '../../../core/audit/mend.ts'
import { type Left, type PlannedMend, planMends } from '../../../core/audit/plan-mends.ts'
import { type Paths, resolvePaths } from '../../../core/paths.ts'
import { SEVERITIES } from '../../../domain/audit/finding.ts'
import { formatCount } from '../../../domain/format.ts'
import { visibleText } from '../../../domain/visible-text.ts'
import { confirm } from '../confirm.ts'
import { mendDeps } from '../mend-deps.ts'
import { examples, outputOf } from '../program-output.ts'
import { withHost } from '../with-host.ts'

const placeText = (file: string | null, line: number | null): string => visibleText(file === null ? 'the environment' : `${file}${line === null ? '' : `:${line}`}`)

const dayText = (at: number): string => new Date(at).toISOString().slice(0, 10)

const findingLines = ({ id, severity, threat, file, line, what, why, fix, mend, before }: LocatedFinding): string[] => [
  `${severity.padEnd(6)}  ${visibleText(what)}`,
  `        ${placeText(file, line)}  (${id})`,
  `        why: ${visibleText(why)} (${threat})`,
  `        fix: ${visibleText(fix)}${mend === null ? '' : '  [--fix does it]'}`,
  ...(before === undefined ? [] : [`        you accepted one like this on ${dayText(before.acceptedAt)} (${visibleText(before.reason)}), with other content: accept it anew if this is fine too`]),
]

/** First what a person asked: what can my agents reach? */
const reachLines = (reach: readonly LocatedReach[]): string[] =>
  reach.length === 0 ? [] : [
    'Within reach of agents that run as you:',
    ...reach.map(({ kind, agent, name, detail, file, line }) =>
      `  ${(agent ?? 'every agent').padEnd(15)} ${kind === 'server' ? `server ${name}: ` : `${name}: `}${detail}  (${visibleText(file)}${line === null ? '' : `:${line}`})`),
    '',
  ]

/** What is no fault of how agents are set up, and within their reach all the same. */
const loginLines = (logins: readonly LocatedFinding[]): string[] =>
  logins.length === 0 ? [] : [
    'Logins of your own in plain text, where their programs keep them (agents that Holdfast starts do not see them):',
    ...logins.flatMap(({ what, file, line, fix }) => [`  ${visibleText(what)}  (${placeText(file, line)})`, `    better: ${visibleText(fix)}`]),
    '',
  ]

const count = (number: number, one: string, more: string): string[] => (number === 0 ? [] : [`${formatCount(number)} ${number === 1 ? one : more}`])

const reportLines = ({ findings, accepted, logins, reach, read, skipped }: AuditReport): string[] => {
  const counts = SEVERITIES.map((severity) => `${findings.filter((finding) => finding.severity === severity).length} ${severity}`).join(', ')
  const told = [findings.length === 0 ? 'nothing found' : counts, ...count(accepted.length, 'accepted by you', 'accepted by you'), ...count(logins.length, 'login of your own in plain text', 'logins of your own in plain text')]
  return [
    ...reachLines(reach),
    ...loginLines(logins),
    ...findings.flatMap(findingLines),
    ...accepted.flatMap(({ id, what, file, line, acceptance: { reason, acceptedAt } }) => [
      `accepted  ${visibleText(what)}`, `          ${placeText(file, line)}  (${id})`, `          ${dayText(acceptedAt)}: ${visibleText(reason)}`,
    ]),
    ...skipped.map(({ file, why }) => `skipped ${visibleText(file)}: it ${why}`),
    `${formatCount(read.length)} file${read.length === 1 ? '' : 's'} read: ${told.join('; ')}. Nothing was changed.`,
  ]
}

const undo = async (self: Command, deps: MendDeps, id: string | undefined): Promise<void> => {
  const undone = await undoMends(deps, id)
  outputOf(self).result(undone, [
    ...undone.restored.map((file) => `put back  ${visibleText(file)}`),
    ...undone.left.map((file) => `left      ${visibleText(file)}: it was changed since the fix`),
    ...undone.items.map((item) => `The keychain has ${item} still: holdfast secret remove ${item}`),
  ])
  if (undone.left.length > 0) process.exitCode = 1
}

/** Why the keychain can take nothing, or the names it has; asked only where a fix would need it. */
const namesKept = async (findings: readonly LocatedFinding[]): Promise<readonly string[] | string> => {
  if (!findings.some(({ mend }) => mend?.kind === 'edit' && mend.keep !== undefined)) return []
  try {
    return (await withHost((client) => client.call('secret/list', {}))).secrets.map(({ name }) => name)
  } catch (error) {
    if (error instanceof HoldfastError) return `its secret has nowhere to go. ${error.message}`
    throw error
  }
}

const planLines = ({ file, lines, mended, keep }: PlannedMend): string[] => [
  visibleText(file),
  ...lines.map((line) => `  ${visibleText(line)}`),
  ...mended.map((words) => `  * ${visibleText(words)}`),
  ...keep.map(({ item }) => `  the keychain keeps ${item}`),
]

const leftLines = (left: readonly Left[]): string[] => left.flatMap(({ finding: { what, file, line, fix }, why }) => [`stays  ${visibleText(what)}  (${placeText(file, line)})`, `       ${visibleText(why)}: ${visibleText(fix)}`])

interface FixParams {
  readonly self: Command
  readonly report: AuditReport
  readonly accepted: ReturnType<typeof readAccepted>
  readonly key: string
  readonly deps: MendDeps
  readonly agreed: boolean
}

/** Shows what would change, file by file, and changes what a person agrees to. */
const fix = async ({ self, report, accepted, key, deps, agreed }: FixParams): Promise<void> => {
  const output = outputOf(self)
  const { scanSecrets } = await import('../../../core/audit/scan-secrets.ts')
  if (!agreed && report.findings.some(({ mend }) => mend !== null) && (output.json || !process.stdin.isTTY)) {
    throw new HoldfastError('bad-params', 'There is no terminal to ask on. Look at the findings with "holdfast audit", then add --yes.')
  }
  const version = (...asked: Parameters<typeof exactVersion> extends [unknown, ...infer Rest] ? Rest : never) => exactVersion({ home: homedir(), here: process.cwd(), environment: process.env }, ...asked)
  const { plans, left } = await planMends(report.findings, { home: homedir(), scan: scanSecrets, accepted, key, taken: await namesKept(report.findings), version })
  const chosen: PlannedMend[] = []
  for (const plan of plans) {
    if (agreed) {
      chosen.push(plan)
      continue
    }
    process.stdout.write(`${planLines(plan).join('\n')}\n\n`)
    if (await confirm('Change this file?')) chosen.push(plan)
  }
  const id = chosen.length === 0 ? null : await applyMends(chosen, deps, Date.now())
  process.exitCode = left.length > 0 || chosen.length < plans.length ? 1 : 0
  output.result({
    id,
    changes: chosen.map(({ file, lines, mended, keep }) => ({ file, lines, mended, kept: keep.map(({ item }) => item) })),
    left: left.map(({ finding, why }) => ({ ...publicFinding(finding), stays: why })),
  }, [
    ...(agreed ? chosen.flatMap(planLines) : []),
    ...leftLines(left),
    id === null ? (plans.length === 0 && left.length === 0 ? 'Nothing is to be mended.' : 'Nothing was changed.') : `Mended. Put it back with: holdfast audit --undo ${id}`,
    ...(left.length > 0 ? ['What stays you can mend, or take as it is: holdfast audit --accept ID --reason "…"'] : []),
  ])
}

const findById = <Finding extends LocatedFinding>(findings: readonly Finding[], id: string): Finding => {
  const found = findings.find((finding) => finding.id === id)
  if (found === undefined) throw new HoldfastError('not-found', `There is no finding ${id.slice(0, 100)} here. The ids stand in "holdfast audit".`)
  return found
}

const acceptOne = (self: Command, paths: Paths, report: AuditReport, id: string, reason: string | undefined): void => {
  const { rule, file, what, about } = findById(report.findings, id)
  if (reason === undefined || reason.trim() === '') throw new HoldfastError('bad-params', 'Say why it is fine: --reason "…"')
  if (file === null) throw new HoldfastError('bad-params', 'What is in the environment of this shell cannot be accepted: unset it.')
  accept(paths.auditAccepted, { rule, file, what, about }, reason.slice(0, 1_000), Date.now())
  outputOf(self).result({ id, rule, file, reason }, [`Accepted, until it changes: ${visibleText(what)}. Take that back with: holdfast audit --withdraw ${id}`])
}

interface AuditOptions {
  readonly fix?: true
  readonly yes?: true
  readonly undo?: string | true
  readonly accept?: string
  readonly reason?: string
  readonly withdraw?: string
  readonly cwd?: string
}

/** `audit`: what the agents on this machine could do wrong, as they are set up. Changes nothing without --fix. */
export const addAuditCommand = (program: Command): void => {
  program
    .command('audit')
    .summary('look at how agents are set up here, and say what could go wrong')
    .description(
      'Reads the settings of every agent of yours and of this project, shell start-up files and credentials, and says what agents can reach, and\n'
        + 'what is wrong, the worst first. No secret is printed, and nothing is changed. Exit code 1 when something is found that you have not accepted.',
    )
    .option('--fix', 'show what can be mended, file by file, and mend it when you agree; each file is kept first')
    .option('--yes', 'with --fix: do not ask')
    .option('--undo [id]', 'put back what a fix changed: the latest, or the one named')
    .option('--accept <id>', 'take a finding as it is, until what it is about changes')
    .option('--reason <text>', 'with --accept: why it is fine')
    .option('--withdraw <id>', 'take back what you accepted')
    .option('--cwd <folder>', 'the project (default: here)')
    .addHelpText('after', examples('holdfast audit', 'holdfast audit --fix', 'holdfast audit --undo', 'holdfast audit --accept 1f0c9a2b --reason "my own hook"', 'holdfast audit --json | jq .findings'))
    .action(async (options: AuditOptions, self: Command) => {
      const output = outputOf(self)
      const paths = resolvePaths(process.env)
      const deps = mendDeps(paths)
      const recovered = await recoverMends(deps)
      if (recovered.length > 0) process.stderr.write(`A fix was interrupted; these files are as they were before it: ${recovered.map(visibleText).join(', ')}\n`)
      if (options.undo !== undefined) return undo(self, deps, options.undo === true ? undefined : options.undo)
      const { scanSecrets } = await import('../../../core/audit/scan-secrets.ts')
      const project = resolve(options.cwd ?? process.cwd())
      const accepted = readAccepted(paths.auditAccepted)
      const key = readFindingKey(paths.auditKey)
      const report = await audit({ home: homedir(), project: project === homedir() ? null : project, environment: process.env, scan: scanSecrets, accepted, key })
      if (options.accept !== undefined) return acceptOne(self, paths, report, options.accept, options.reason)
      if (options.withdraw !== undefined) {
        const { what, acceptance } = findById(report.accepted, options.withdraw)
        withdraw(paths.auditAccepted, acceptance)
        return output.result({ id: options.withdraw }, [`A finding again: ${visibleText(what)}`])
      }
      if (options.fix === true) return fix({ self, report, accepted, key, deps, agreed: options.yes === true })
      if (report.findings.length > 0) process.exitCode = 1
      return output.result(publicReport(report), reportLines(report))
    })
}
