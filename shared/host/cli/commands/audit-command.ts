import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { HoldfastError } from '../../../contract/errors.ts'
import { audit, type AuditReport, type LocatedFinding, type LocatedReach } from '../../../core/audit/audit.ts'
import { applyMends, planMends, undoMends } from '../../../core/audit/mend.ts'
import { resolvePaths } from '../../../core/paths.ts'
import { SEVERITIES } from '../../../domain/audit/finding.ts'
import { formatCount } from '../../../domain/format.ts'
import { visibleText } from '../../../domain/visible-text.ts'
import { confirm } from '../confirm.ts'
import { examples, outputOf } from '../program-output.ts'

const findingLines = ({ severity, threat, file, line, what, why, fix, mend }: LocatedFinding): string[] => [
  `${severity.padEnd(6)}  ${visibleText(what)}`,
  `        ${visibleText(file === null ? 'the environment' : `${file}${line === null ? '' : `:${line}`}`)}`,
  `        why: ${visibleText(why)} (${threat})`,
  `        fix: ${visibleText(fix)}${mend === null ? '' : '  [--fix does it]'}`,
]

/** First what a person asked: what can my agents reach? */
const reachLines = (reach: readonly LocatedReach[]): string[] =>
  reach.length === 0 ? [] : [
    'Within reach of agents that run as you:',
    ...reach.map(({ kind, agent, name, detail, file, line }) =>
      `  ${(agent ?? 'every agent').padEnd(15)} ${kind === 'server' ? `server ${name}: ` : `${name}: `}${detail}  (${visibleText(file)}${line === null ? '' : `:${line}`})`),
    '',
  ]

const reportLines = ({ findings, reach, read, skipped }: AuditReport): string[] => {
  const counts = SEVERITIES.map((severity) => `${findings.filter((finding) => finding.severity === severity).length} ${severity}`).join(', ')
  return [
    ...reachLines(reach),
    ...findings.flatMap(findingLines),
    ...skipped.map(({ file, why }) => `skipped ${visibleText(file)}: it ${why}`),
    `${formatCount(read.length)} file${read.length === 1 ? '' : 's'} read: ${findings.length === 0 ? 'nothing found' : counts}. Nothing was changed.`,
  ]
}

const undo = async (self: Command, backups: string, id: string | undefined): Promise<void> => {
  const undone = await undoMends(backups, id)
  outputOf(self).result(undone, [
    ...undone.restored.map((file) => `put back  ${visibleText(file)}`),
    ...undone.left.map((file) => `left      ${visibleText(file)}: it was changed since the fix`),
  ])
  if (undone.left.length > 0) process.exitCode = 1
}

/** `audit`: what the agents on this machine could do wrong, as they are set up. Changes nothing without --fix. */
export const addAuditCommand = (program: Command): void => {
  program
    .command('audit')
    .summary('look at how agents are set up here, and say what could go wrong')
    .description(
      'Reads the settings of every agent of yours and of this project, shell start-up files and credentials, and says what agents can reach, and\n'
        + 'what is wrong, the worst first. No secret is printed, and nothing is changed. Exit code 1 when something of severity high is found.',
    )
    .option('--fix', 'show what can be mended, and mend it when you agree; each file is kept first')
    .option('--yes', 'with --fix: do not ask')
    .option('--undo [id]', 'put back what a fix changed: the latest, or the one named')
    .option('--cwd <folder>', 'the project (default: here)')
    .addHelpText('after', examples('holdfast audit', 'holdfast audit --fix', 'holdfast audit --undo', 'holdfast audit --json | jq .findings'))
    .action(async (options: { fix?: true; yes?: true; undo?: string | true; cwd?: string }, self: Command) => {
      const output = outputOf(self)
      const backups = join(resolvePaths(process.env).data, 'audit-backups')
      if (options.undo !== undefined) return undo(self, backups, options.undo === true ? undefined : options.undo)
      const { scanSecrets } = await import('../../../core/audit/scan-secrets.ts')
      const project = resolve(options.cwd ?? process.cwd())
      const report = await audit({ home: homedir(), project: project === homedir() ? null : project, environment: process.env, scan: scanSecrets })
      if (report.findings.some(({ severity }) => severity === 'high')) process.exitCode = 1
      if (options.fix !== true) return output.result(report, reportLines(report))
      const plans = await planMends(report.findings, scanSecrets)
      const changes = plans.map(({ file, lines }) => ({ file, lines }))
      const left = report.findings.filter(({ mend }) => mend === null).length
      const shown = changes.flatMap(({ file, lines }) => [visibleText(file), ...lines.map((line) => `  ${visibleText(line)}`)])
      if (plans.length === 0) return output.result({ id: null, changes, left }, [`Nothing here can be mended by itself; ${left} findings are yours to mend: holdfast audit`])
      if (options.yes !== true) {
        if (output.json || !process.stdin.isTTY) throw new HoldfastError('bad-params', 'There is no terminal to ask on. Look at the changes with "holdfast audit", then add --yes.')
        process.stdout.write(`${shown.join('\n')}\n\n`)
        if (!(await confirm(`Change ${plans.length === 1 ? 'this file' : `these ${plans.length} files`}?`))) return output.result({ id: null, changes, left }, ['Nothing was changed.'])
      }
      const id = await applyMends(plans, backups, Date.now())
      output.result({ id, changes, left }, [...(options.yes === true ? shown : []), `Mended. Put it back with: holdfast audit --undo ${id}`, ...(left > 0 ? [`${left} findings are left that only you can mend: holdfast audit`] : [])])
    })
}
