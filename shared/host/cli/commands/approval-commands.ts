import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { Client } from '../../../contract/client.ts'
import { HoldfastError } from '../../../contract/errors.ts'
import { ApprovalId, GrantId } from '../../../contract/ids.ts'
import { ApprovalScope, type ApprovalRequest, type ApprovalStatistics, type Grant } from '../../../contract/schemas/approval.ts'
import { inputLines } from '../../../domain/describe.ts'
import { formatDuration } from '../../../domain/format.ts'
import { visibleText } from '../../../domain/visible-text.ts'
import { examples, outputOf } from '../program-output.ts'
import { alikeGroups, approvalLines } from '../render.ts'
import { withHost } from '../with-host.ts'

const find = async (client: Client, text: string): Promise<ApprovalRequest> => {
  const id = ApprovalId.safeParse(text)
  if (!id.success) throw new HoldfastError('bad-params', `"${text}" is not an approval's id: those look like apr_ and 12 letters or digits. "holdfast approvals" lists them.`)
  const { requests } = await client.call('approval/list', {})
  const request = requests.find((waiting) => waiting.id === id.data)
  if (request === undefined) throw new HoldfastError('not-found', `No approval ${id.data} is waiting: it is answered, expired, or never was. "holdfast approvals" lists those that are.`)
  return request
}

const grantLines = (grant: Grant, now: number): string[] => [
  `${grant.id}  ${visibleText(grant.agent)} may use ${visibleText(grant.tool)}`,
  ...(grant.rule === null ? inputLines(grant.input) : [`what ${visibleText(grant.rule)} covers, up to ${grant.class ?? 'read'}`]).map((line) => `    ${line}`),
  `  in        ${visibleText(grant.cwd)}`,
  `  until     ${grant.expiresAt === null ? `session ${grant.sessionId ?? ''} ends` : `in ${formatDuration(Math.max(0, grant.expiresAt - now))}`}`,
  `  used      ${grant.uses} times since the host started`,
]

/** `grants`, `grants revoke`. */
const addGrantCommands = (program: Command): void => {
  const grants = program
    .command('grants')
    .summary('what you approved beyond one call')
    .addHelpText('after', examples('holdfast grants', 'holdfast grants revoke grt_7k2m9x4tqwzb'))
    .action(async (_options: unknown, self: Command) => {
      const { grants: found } = await withHost((client) => client.call('grant/list', {}))
      const now = Date.now()
      outputOf(self).result({ grants: found }, found.length === 0 ? ['Nothing is granted beyond one call.'] : found.flatMap((grant) => grantLines(grant, now)))
    })
  grants
    .command('revoke')
    .summary('ask again from now on')
    .argument('<id>', 'the grant')
    .addHelpText('after', examples('holdfast grants revoke grt_7k2m9x4tqwzb'))
    .action(async (text: string, _options: unknown, self: Command) => {
      const id = GrantId.safeParse(text)
      if (!id.success) throw new HoldfastError('bad-params', `"${text}" is not a grant's id: those look like grt_ and 12 letters or digits. "holdfast grants" lists them.`)
      const revoked = await withHost((client) => client.call('grant/revoke', { grantId: id.data }))
      outputOf(self).result(revoked, [`Revoked: ${revoked.id}. The same call is asked about again.`])
    })
}

const addApprovals = (program: Command): void => {
  program
    .command('approvals')
    .summary('list what waits for your answer')
    .argument('[id]', 'this one alone, with all that was looked up')
    .option('--statistics', 'how questions were answered lately, and which rule makes most of them')
    .addHelpText('after', examples('holdfast approvals', 'holdfast approvals apr_7k2m9x4tqwzb', 'holdfast approvals --statistics'))
    .action(async (id: string | undefined, options: { statistics?: true }, self: Command) => {
      if (options.statistics === true) {
        const statistics = await withHost((client) => client.call('approval/statistics', {}))
        outputOf(self).result(statistics, statisticsLines(statistics))
        return
      }
      const requests = await withHost(async (client) => (id === undefined ? (await client.call('approval/list', {})).requests : [await find(client, id)]))
      const now = Date.now()
      const lines = alikeGroups(requests).flatMap(([request, ...others]) => [
        ...approvalLines(request, now, id === undefined ? undefined : Number.POSITIVE_INFINITY),
        ...(others.length === 0 ? [] : [`  the same  waits ${others.length} more times: ${others.map((other) => other.id).join(' ')} (answer all of them with --alike)`]),
        ...(id === undefined ? [] : request.grantRules.map((rule, index) => `  ${(index === 0 ? 'always' : '').padEnd(10)}--scope always --rule ${JSON.stringify(visibleText(rule))}`)),
      ])
      outputOf(self).result({ requests }, requests.length === 0 ? ['Nothing waits for an answer.'] : lines)
    })
}

const statisticsLines = ({ since, asked, approved, denied, expired, medianWaitMs, byRule, hint }: ApprovalStatistics): string[] => {
  if (since === null) return ['Nothing was asked yet.']
  const rate = approved + denied === 0 ? '' : `, ${Math.round((100 * approved) / (approved + denied))} % of the answers were yes`
  return [
    `Since ${new Date(since).toISOString()}: ${asked} questions, ${approved} approved, ${denied} denied, ${expired} expired${rate}.`,
    ...(medianWaitMs === null ? [] : [`Half of the answers came within ${formatDuration(medianWaitMs)}.`]),
    ...byRule.slice(0, 10).map(({ rule, source, asked: count, approved: yes }) => `  ${String(count).padStart(5)} asked, ${String(yes).padStart(5)} approved  ${visibleText(rule)} (${visibleText(source)})`),
    ...(hint === null ? [] : [visibleText(hint)]),
  ]
}

/** The arguments as a person leaves them in their own editor. */
const editInput = (input: unknown): unknown => {
  const editor = process.env['VISUAL'] ?? process.env['EDITOR'] ?? 'vi'
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-'))
  try {
    const file = join(folder, 'arguments.json')
    writeFileSync(file, `${JSON.stringify(input, null, 2)}\n`, { mode: 0o600 })
    // The editor is the user's own word, with its options.
    const [program = 'vi', ...args] = editor.split(' ').filter((word) => word !== '')
    const { status } = spawnSync(program, [...args, file], { stdio: 'inherit' })
    if (status !== 0) throw new HoldfastError('bad-params', `The editor (${editor}) did not end well, so nothing was answered.`)
    return parseInput(readFileSync(file, 'utf8'))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const parseInput = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    throw new HoldfastError('bad-params', `The arguments are not JSON, so nothing was answered: ${error instanceof Error ? error.message : String(error)}`)
  }
}

interface ApproveOptions {
  readonly scope: string
  readonly rule?: string
  readonly alike?: true
  readonly input?: string
  readonly edit?: true
}

const alikeIds = async (client: Client, { id, bindingHash }: ApprovalRequest, wanted: boolean): Promise<ApprovalRequest['id'][]> =>
  wanted ? (await client.call('approval/list', {})).requests.filter((other) => other.bindingHash === bindingHash && other.id !== id).map((other) => other.id) : []

const addApprove = (program: Command): void => {
  program
    .command('approve')
    .summary('let one waiting call run')
    .argument('<id>', 'the approval')
    .option('--scope <scope>', 'once; session: the very same call again in this session; always: for 30 days the very same call of this agent in this folder, or what --rule covers', 'once')
    .option('--rule <rule>', 'with --scope always: the calls that are granted, such as "Bash(git push origin:*)"; no worse ones than this call')
    .option('--alike', 'the same answer for all that wait for the very same call')
    .option('--input <json>', 'let it run with these arguments instead')
    .option('--edit', 'change the arguments in your editor first')
    .addHelpText('after', examples('holdfast approve apr_7k2m9x4tqwzb', 'holdfast approve apr_7k2m9x4tqwzb --scope session', 'holdfast approve apr_7k2m9x4tqwzb --scope always --rule "Bash(git push origin:*)"', 'holdfast approve apr_7k2m9x4tqwzb --edit'))
    .action(async (text: string, options: ApproveOptions, self: Command) => {
      const scope = ApprovalScope.safeParse(options.scope)
      if (!scope.success) throw new HoldfastError('bad-params', `--scope is once, session or always, not "${options.scope}".`)
      const decided = await withHost(async (client) => {
        const request = await find(client, text)
        const { id, bindingHash } = request
        const changedInput = options.input !== undefined ? parseInput(options.input) : options.edit === true ? editInput(request.input) : undefined
        const isSame = JSON.stringify(changedInput) === JSON.stringify(request.input)
        return client.call('approval/decide', {
          approvalId: id,
          bindingHash,
          answer: 'approve',
          scope: scope.data,
          alike: await alikeIds(client, request, options.alike === true),
          ...(changedInput === undefined || isSame ? {} : { changedInput }),
          ...(options.rule === undefined ? {} : { rule: options.rule }),
        })
      })
      outputOf(self).result(decided, ['Approved:', ...approvalLines(decided, Date.now()).slice(0, -1)])
    })
}

const addDeny = (program: Command): void => {
  program
    .command('deny')
    .summary('refuse one waiting call')
    .argument('<id>', 'the approval')
    .option('--reason <text>', 'what the agent is told')
    .option('--pause', 'pause its session as well')
    .option('--alike', 'the same answer for all that wait for the very same call')
    .addHelpText('after', examples('holdfast deny apr_7k2m9x4tqwzb --reason "keep the build folder"', 'holdfast deny apr_7k2m9x4tqwzb --pause'))
    .action(async (text: string, options: { reason?: string; pause?: true; alike?: true }, self: Command) => {
      const decided = await withHost(async (client) => {
        const request = await find(client, text)
        const { id, bindingHash } = request
        const alike = await alikeIds(client, request, options.alike === true)
        return client.call('approval/decide', { approvalId: id, bindingHash, answer: 'deny', reason: options.reason ?? 'The user said no.', alike, pause: options.pause === true })
      })
      const paused = options.pause === true ? [`Its session is paused: holdfast resume ${decided.sessionId}`] : []
      outputOf(self).result(decided, [`Denied: ${decided.id}. The agent is told: ${decided.reason ?? ''}`, ...paused])
    })
}

/** `approvals`, `approve`, `deny`, `grants`. */
export const addApprovalCommands = (program: Command): void => {
  addGrantCommands(program)
  addApprovals(program)
  addApprove(program)
  addDeny(program)
}
